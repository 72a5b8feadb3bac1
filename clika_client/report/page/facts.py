"""What the page says of one table of scores, as plain values for its template: no drawing, no markup."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.languages import name as language_name
from clika_client.common.safe_text import shown
from clika_client.report.colours import STEPS
from clika_client.report.conclusions import conclusions
from clika_client.report.notes import notes
from clika_client.report.signs import PAGE
from clika_client.report.table_layout import ScoreTable, TableRow
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.compare import compare
from clika_client.scoring.differences import Comparison
from clika_client.scoring.load import LoadedAnswers
from clika_client.scoring.records import Figure, Record, Scores
from clika_client.scoring.score_sets import Options

_AGAINST_FIRST = 6
"""Rows that are compared with the first: a comparison measures both rows again."""
_WEAKEST = 3
_PAIRS = 10

HEAT = (
    ("ra_unclipped", "RA", "accuracy between chance (0; less is worse than guessing) and the reference (1)"),
    ("en_co", "en-CO", "of what is right in the anchor or the language, the share right in both"),
    ("en_co_chance_corrected", "en-CO corrected", "0: what such accuracies share by chance, 1: full overlap"),
    ("accuracy", "accuracy", "share of replies that are right"),
)
LEVELS = (
    ("anchor_ra", "RA in the anchor"),
    ("other_ra", "RA, mean of the others"),
    ("other_en_co_chance_corrected", "consistency, corrected"),
)


@dataclass(frozen=True, slots=True)
class LanguageLine:
    """One language over the rows that are ranked."""

    tag: str
    name: str
    mean: float
    """Mean accuracy over the ranked rows."""
    gap: float
    """Mean difference of accuracy from the anchor, in the same rows."""
    best: str
    worst: str
    cells: Mapping[str, Record]
    """Label of a ranked row → its record."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One chapter of the page."""

    anchor_name: str
    title: str
    key: str
    """A name for links and ids."""
    table: ScoreTable
    sentences: tuple[str, ...]
    """The conclusion in words, most important first."""
    languages: tuple[LanguageLine, ...]
    """Best first, the anchor among them."""
    comparison: Comparison | None
    """The first two ranked rows."""
    against_first: tuple[Comparison, ...]
    notes: tuple[str, ...]
    worst_pairs: Mapping[str, tuple[tuple[str, str, float], ...]]
    """Label → pairs of languages that share least."""


def table_facts(table: ScoreTable, scores: Scores, loaded: LoadedAnswers, options: Options, key: str) -> TableFacts:
    """Everything the page says of a table."""
    ranked = [row for row in table.rows if row.ranked]
    comparisons = _comparisons(ranked, loaded, options) if table.split is None else ()
    languages = language_lines(ranked or table.rows)
    said = [*(comparisons[0].summary if comparisons else ()), *conclusions(table, scores)]
    if len(languages) > _WEAKEST:
        said.append(_weakest(languages, scores.anchor))
    title = table.set if table.split is None else f"{table.set} · {table.split}"
    return TableFacts(
        anchor_name=language_name(scores.anchor),
        title=title,
        key=key,
        table=table,
        sentences=tuple(map(shown, dict.fromkeys(said))),
        languages=tuple(languages),
        comparison=comparisons[0] if comparisons else None,
        against_first=comparisons,
        notes=tuple(map(shown, notes(table, scores, PAGE))),
        worst_pairs={row.label: _worst_pairs(row) for row in table.rows},
    )


def overall(found: Sequence[ScoreTable], loaded: LoadedAnswers, options: Options) -> str:
    """The two best models over all sets in one sentence; empty for one set, or where no two are ranked in all."""
    whole = [table for table in found if table.split is None]
    ranked = [{row.summary.model: row for row in table.rows if row.ranked} for table in whole]
    if len(whole) < 2:
        return ""
    common = [model for model in ranked[0] if all(model in rows for rows in ranked)]
    strength = {model: sum(rows[model].summary.figures["other_ra"].value for rows in ranked) for model in common}
    best = sorted((m for m in common if strength[m] == strength[m]), key=lambda m: -strength[m])[:2]
    if len(best) < 2:
        return ""
    sides = [[block_of(rows[model], loaded) for rows in ranked] for model in best]
    first, second = ([block for block in side if block is not None] for side in sides)
    try:
        return shown(compare(first, second, loaded.sets, options).summary[0])
    except UserError:  # asked in too different ways
        return ""


def language_lines(rows: Sequence[TableRow]) -> list[LanguageLine]:
    """The languages that every given row has, best first by mean accuracy; flagged cells do not count."""
    found = []
    for tag in dict.fromkeys(tag for row in rows for tag in row.cells):
        cells = {row.label: row.cells[tag] for row in rows if tag in row.cells and not row.cells[tag].flags}
        if not cells:
            continue
        gaps = [
            cell.accuracy - row.cells[row.summary.anchor].accuracy
            for row in rows
            if (cell := cells.get(row.label)) is not None and row.summary.anchor in row.cells
        ]
        order = sorted(cells, key=lambda label: -cells[label].accuracy)
        mean = sum(cell.accuracy for cell in cells.values()) / len(cells)
        gap = sum(gaps) / len(gaps) if gaps else math.nan
        found.append(LanguageLine(tag, language_name(tag), mean, gap, order[0], order[-1], cells))
    return sorted(found, key=lambda line: -line.mean)


def _weakest(languages: Sequence[LanguageLine], anchor: str) -> str:
    weakest = [line for line in reversed(languages) if line.tag != anchor][:_WEAKEST]
    listed = ", ".join(f"{line.name} ({line.mean:.0%})" for line in weakest)
    return f"Weakest languages, by mean accuracy of the ranked rows: {listed}."


def _comparisons(ranked: Sequence[TableRow], loaded: LoadedAnswers, options: Options) -> tuple[Comparison, ...]:
    """The first ranked row against the next ones."""
    blocks = [block_of(row, loaded) for row in ranked[: _AGAINST_FIRST + 1]]
    found = []
    for block in blocks[1:]:
        if blocks[0] is None or block is None:
            continue
        try:
            found.append(compare([blocks[0]], [block], loaded.sets, options))
        except UserError:  # no common language: nothing to say of the two
            continue
    return tuple(found)


def block_of(row: TableRow, loaded: LoadedAnswers) -> AnswerGrid | None:
    """The answers behind a row of a table."""
    s = row.summary
    wanted = (s.model, s.set_id, s.prompt, s.ask, s.reading, s.source, s.settings)
    for block in loaded.blocks:
        k = block.key
        if (k.model, k.set_id, k.prompt, k.ask, k.reading, k.source, k.settings) == wanted:
            return block
    return None


def _worst_pairs(row: TableRow) -> tuple[tuple[str, str, float], ...]:
    tags = row.summary.languages
    pairs = [
        (tags[i], tags[j], row.summary.pairs[i][j])
        for i in range(len(tags))
        for j in range(i)
        if row.summary.pairs[i][j] == row.summary.pairs[i][j]
    ]
    return tuple(sorted(pairs, key=lambda pair: pair[2])[:_PAIRS])


def pairs_to_open(facts: Sequence[TableFacts], shown_at_once: int) -> dict[str, list[dict[str, Any]]]:
    """Chapter → the matrices of the rows after the first, which the page's script draws when they are opened."""
    return {
        chapter.key: [
            {
                "languages": [shown(tag) for tag in row.summary.languages],
                "values": [[None if math.isnan(v) else round(float(v), 2) for v in line] for line in row.summary.pairs],
                "steps": STEPS,
            }
            for row in chapter.table.rows[shown_at_once:]
        ]
        for chapter in facts
    }


def spell(value: float, places: int = 2) -> str:
    """A figure without its leading zero; a dash where undefined."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:z.{places}f}"
    text = text if abs(float(text)) >= 1 else text.replace("0.", ".", 1)
    return text.replace("-", "\N{MINUS SIGN}")


def spell_figure(figure: Figure | Sequence[float]) -> str:
    """A figure with its interval."""
    value, low, high = figure
    return spell(value) if math.isnan(low) else f"{spell(value)} [{spell(low)}, {spell(high)}]"


def p_value(value: float) -> str:
    """A p-value as papers print it."""
    return "–" if math.isnan(value) else "< .001" if value < 0.001 else spell(value, 3)


def gap_points(share: float) -> str:
    """A difference of two shares in points."""
    return "–" if math.isnan(share) else f"{100 * share:z.1f} pts".replace("-", "\N{MINUS SIGN}")


def points(estimate: Any) -> str:
    """A difference in points with its interval."""
    if not estimate.defined:
        return "–"
    ends = "" if estimate.low != estimate.low else f" [{100 * estimate.low:+z.1f}, {100 * estimate.high:+z.1f}]"
    return f"{100 * estimate.diff:+z.1f}{ends}".replace("-", "\N{MINUS SIGN}")
