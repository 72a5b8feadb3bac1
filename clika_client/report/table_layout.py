"""How scores are laid out in tables: which rows stand together, in which order, under which names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clika_client.scoring.answer_grid import settings_in_words
from clika_client.scoring.records import Record, RowSummary, Scores

RowIdentity = tuple[str, str, str, str, str, str]
_QUALIFIERS: Mapping[str, Callable[[RowSummary], str]] = {
    "prompt": lambda row: row.prompt,
    "ask": lambda row: row.ask,
    "reading": lambda row: row.reading,
    "source": lambda row: row.source,
    "settings": lambda row: row.settings,
}


@dataclass(frozen=True, slots=True)
class TableRow:
    """One model's line of a table."""

    label: str
    """Model name, with what sets it apart where two rows of the table share a name or were asked differently."""
    summary: RowSummary
    cells: dict[str, Record]
    """language → record."""
    index: int
    """Position in `Scores.rows`."""
    own: tuple[str, ...] = ()
    """Which of prompt, ask, reading, source and settings it has otherwise than most rows of its table."""

    @property
    def name(self) -> str:
        """The label without the reason why the row is not ranked."""
        return _named(self.summary, self.own, with_reason=False)

    @property
    def ranked(self) -> bool:
        """False when habits, not knowledge, made the scores, or when the row was asked something else.

        Habits made them where half the languages or the anchor are flagged.
        """
        if self.summary.unranked:
            return False
        bad = [cell for cell in self.cells.values() if cell.flags]
        anchor = self.cells.get(self.summary.anchor)
        return 2 * len(bad) < len(self.cells) and not (anchor is not None and anchor.flags)


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """One probe set, or one split of it."""

    set: str
    split: str | None
    languages: tuple[str, ...]
    rows: tuple[TableRow, ...]
    shared: dict[str, str]
    """What most rows have in common: prompt, ask, reading, source, settings."""
    varying: tuple[str, ...]
    """Which of these differ between rows; a row that differs says so in its label."""
    version: int = 1
    """Which of the sets of this name."""

    @property
    def items(self) -> int:
        """Most items any cell was asked."""
        return max((cell.n for row in self.rows for cell in row.cells.values()), default=0)


def tables(scores: Scores) -> list[ScoreTable]:
    """One table per set and split, rows best first by mean RA over the other languages, unranked rows last."""
    cells: dict[tuple[str, str | None], dict[RowIdentity, dict[str, Record]]] = {}
    for record in scores.records:
        rows = cells.setdefault((record.set, record.split), {})
        rows.setdefault(_identity(record), {})[record.language] = record
    numbered: dict[tuple[str, str | None], list[tuple[int, RowSummary]]] = {}
    for index, summary in enumerate(scores.rows):
        numbered.setdefault((summary.set, summary.split), []).append((index, summary))
    return [_table(name, split, numbered[(name, split)], rows) for (name, split), rows in cells.items()]


def _identity(row: Record | RowSummary) -> RowIdentity:
    return (row.model, row.prompt, row.ask, row.reading, row.source, row.settings)


def _table(
    name: str,
    split: str | None,
    numbered: Sequence[tuple[int, RowSummary]],
    cells: dict[RowIdentity, dict[str, Record]],
) -> ScoreTable:
    values = {q: Counter(of(summary) for _, summary in numbered) for q, of in _QUALIFIERS.items()}
    shared = {q: found.most_common(1)[0][0] for q, found in values.items()}
    varying = tuple(q for q, found in values.items() if len(found) > 1)
    rows = [
        TableRow(_label(summary, shared), summary, cells[_identity(summary)], index, _own(summary, shared))
        for index, summary in numbered
    ]
    rows.sort(key=lambda row: (not row.ranked, -_strength(row)))
    languages = list(dict.fromkeys(language for row in rows for language in row.cells))
    anchor = rows[0].summary.anchor
    version = next(cell.set_version for row in rows for cell in row.cells.values())
    languages.sort(key=lambda language: language != anchor)
    return ScoreTable(name, split, tuple(languages), tuple(rows), shared, varying, version)


def _strength(row: TableRow) -> float:
    for value in (row.summary.other_ra, math.nan if row.summary.compared_languages else row.summary.anchor_ra):
        if not math.isnan(value):
            return value
    return 0.0


def apart(first: TableRow, second: TableRow) -> tuple[str, str]:
    """The labels of two rows that stand in one sentence: each says what it has otherwise than the other.

    In a table a row that was asked like most others needs to say nothing; beside a single other row it does.
    """
    differ = [q for q, of in _QUALIFIERS.items() if of(first.summary) != of(second.summary)]
    return _beside(first, differ), _beside(second, differ)


def _beside(row: TableRow, differ: Sequence[str]) -> str:
    said = [q for q in _QUALIFIERS if q in differ or q in row.own]
    return _named(row.summary, said)


def _label(summary: RowSummary, shared: dict[str, str]) -> str:
    """The model's name, and what sets the row apart from most rows of its table."""
    return _named(summary, _own(summary, shared))


def _own(summary: RowSummary, shared: dict[str, str]) -> tuple[str, ...]:
    return tuple(q for q, of in _QUALIFIERS.items() if of(summary) != shared[q])


def _named(summary: RowSummary, qualifiers: Sequence[str], with_reason: bool = True) -> str:
    shown = [settings_in_words(summary.settings) if q == "settings" else _QUALIFIERS[q](summary) for q in qualifiers]
    if summary.unranked and with_reason:
        shown.append(summary.unranked)
    return summary.model + (f" ({', '.join(shown)})" if shown else "")
