"""What must be said under a table of scores, as plain sentences; the same for terminal and documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from clika_client.report.layout import ScoreTable, TableRow
from clika_client.scoring.reading_differences import ReadingDifference
from clika_client.scoring.records import Record, Scores

_MOST = 6


def notes(table: ScoreTable, scores: Scores) -> list[str]:
    """The notes of one table, most important first."""
    found = [
        _how_asked(table),
        _reference(table, scores),
        _en_co(table, scores),
        _degenerate(table),
        _biased(table),
        _coverage(table),
        _no_answer(table),
        _orders(table),
        _dropped(table, scores),
        _intervals(table, scores),
        _ties(table, scores),
    ]
    return [note for note in found if note]


def _how_asked(table: ScoreTable) -> str:
    words = {"prompt": "prompt style", "ask": "asked for", "reading": "reading", "source": "source"}
    said = [f"{word} {table.shared[q]}" for q, word in words.items()]
    settings = table.shared.get("settings", "{}")
    if settings != "{}":
        said.append("settings " + ", ".join(f"{k}={v}" for k, v in json.loads(settings).items()))
    if table.varying:
        said.append("rows asked or read otherwise say so beside their name")
    orders = max(cell.orders for cell in _cells(table))
    if orders > 1:
        said.append(f"each answer is the most frequent one over {orders} orders of the options")
    return "Asked with " + "; ".join(said) + "."


def _reference(table: ScoreTable, scores: Scores) -> str:
    cell = next(_cells(table))
    span = f"RA is 0 at chance ({cell.chance:.1%}) and 1 at {cell.ra_reference:.1%}"
    kind = scores.reference_kind.get(table.set, "none")
    if kind == "published":
        return f"{span}, the published reference (ChatGPT in English)."
    if kind == "set":
        return f"{span}, the reference that is stored with this set."
    if kind == "given":
        return f"{span}, the reference you gave."
    return f"{span}: this set has no published reference; name one with --reference."


def _en_co(table: ScoreTable, scores: Scores) -> str:
    anchor = scores.anchor
    if anchor not in table.languages:
        return f"No answers in the anchor language {anchor!r}, so en-CO is not defined; choose another with --anchor."
    variants = {
        "jaccard": "right in both / right in either",
        "recall": "right in both / right in the anchor",
        "dice": "2 x right in both / sum of right in each",
    }
    return (
        f"en-CO ({scores.variant}): {variants[scores.variant]}, against the anchor {anchor} (marked *). It rises with "
        "accuracy alone; en_co_chance_corrected in --json is free of that."
    )


def _degenerate(table: ScoreTable) -> str:
    rows = [(row.label, _flagged(row, "degenerate")) for row in table.rows]
    rows = [(label, languages) for label, languages in rows if languages]
    if not rows:
        return ""
    said = _some([f"{label} ({', '.join(languages)})" for label, languages in rows])
    return (
        f"† Degenerate: one letter makes up at least 95 % of the answers of {said}. "
        "Such RA and en-CO measure the letter, not knowledge: greyed, and not ranked."
    )


def _biased(table: ScoreTable) -> str:
    rows = [
        (row.label, [t for t in _flagged(row, "biased") if t not in _flagged(row, "degenerate")]) for row in table.rows
    ]
    said = [f"{label} ({', '.join(languages)})" for label, languages in rows if languages]
    return f"‡ Biased: one letter makes up at least 80 % of the answers of {_some(said)}." if said else ""


def _flagged(row: TableRow, flag: str) -> list[str]:
    return [language for language, cell in row.cells.items() if flag in cell.flags]


def _coverage(table: ScoreTable) -> str:
    said = [
        f"{row.label} {cell.language} {cell.coverage:.1%} of {cell.n}"
        for row in table.rows
        for cell in row.cells.values()
        if cell.coverage < 1
    ]
    if not said:
        return ""
    return f"~ Not all questions have a reply yet (missing, not wrong): {_some(said)}. The same command asks the rest."


def _no_answer(table: ScoreTable) -> str:
    cells = sorted(
        ((row, cell) for row in table.rows for cell in row.cells.values() if cell.no_answer_rate > 0),
        key=lambda pair: -pair[1].no_answer_rate,
    )
    if not cells:
        return ""
    said = [f"{row.label} {cell.language} {cell.no_answer_rate:.1%}{_reasons(cell)}" for row, cell in cells]
    return f"Replies that name no choice (not correct, counted apart): {_some(said)}."


def _reasons(cell: Record) -> str:
    listed = ", ".join(f"{reason} {count}" for reason, count in list(cell.no_answer.items())[:3])
    return f" ({listed})" if listed else ""


def _orders(table: ScoreTable) -> str:
    said = [
        f"{row.label} {cell.language} {cell.position_bias:.3f} to {cell.position_bias_combined:.3f}"
        for row in table.rows
        for cell in row.cells.values()
        if cell.orders > 1
    ]
    return f"Position bias (total variation) in one order and over all orders: {_some(said)}." if said else ""


def _dropped(table: ScoreTable, scores: Scores) -> str:
    if not scores.drop:
        return ""
    count = scores.dropped.get(table.set, 0)
    return f"Left out in every language: {count} items tagged {' or '.join(scores.drop)}."


def _intervals(table: ScoreTable, scores: Scores) -> str:
    if not scores.bootstrap:
        return "No intervals were computed (--bootstrap 0)."
    ra = max((_half(c.ra_low, c.ra_high) for c in _cells(table)), default=0.0)
    co = max((_half(c.en_co_low, c.en_co_high) for c in _cells(table)), default=0.0)
    return (
        f"95 % intervals: paired bootstrap over items, {scores.bootstrap:,} draws, seed {scores.seed}; "
        f"widest half-width RA ±{ra:.2f}, en-CO ±{co:.2f}. Accuracy has Wilson's interval."
    )


def _half(low: float, high: float) -> float:
    width = (high - low) / 2
    return width if width == width else 0.0


def _ties(table: ScoreTable, scores: Scores) -> str:
    label = {row.index: row.label for row in table.rows if row.ranked}
    said = [
        f"{label[tie.higher]} and {label[tie.lower]}"
        for tie in scores.ties
        if tie.higher in label and tie.lower in label
    ]
    if not said:
        return ""
    return f"Neighbours in mean RA that these items cannot tell apart: {_some(said)}."


def _cells(table: ScoreTable) -> Iterator[Record]:
    return (cell for row in table.rows for cell in row.cells.values())


def reading_notes(scores: Scores) -> list[str]:
    """Where two readings disagree, one sentence per pair of readings."""
    said = []
    for first, second in dict.fromkeys((d.first, d.second) for d in scores.reading_differences):
        found = [d for d in scores.reading_differences if (d.first, d.second) == (first, second)]
        listed = [_difference(d) for d in found]
        total = sum(d.differ for d in found)
        said.append(f"The readings {first} and {second} differ on {total:,} replies: {_some(listed)}.")
    return said


def _difference(d: ReadingDifference) -> str:
    change = f"accuracy {d.accuracy_first:.3f}, {d.accuracy_second:.3f}"
    return f"{d.model} {d.set} {d.language} {d.differ} of {d.n} ({change})"


def _some(said: Sequence[str]) -> str:
    """The first few, and how many more."""
    shown = "; ".join(said[:_MOST])
    return shown if len(said) <= _MOST else f"{shown}; and {len(said) - _MOST} more"
