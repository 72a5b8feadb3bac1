"""Tables as papers print them, before any format: intervals, and the best of a column where it is beyond doubt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clika_client.common.wording import counted
from clika_client.report.signs import ANCHOR, sign_of
from clika_client.report.table_layout import ScoreTable, TableRow
from clika_client.report.terminal import check_figures
from clika_client.scoring.metrics.catalogue import TITLES
from clika_client.scoring.records import Scores

SHOWN = ("ra_unclipped", "en_co", "en_co_chance_corrected")
_SUMMARY = (
    ("anchor_ra", "RA, anchor"),
    ("other_ra", "RA, others"),
    ("other_en_co", "en-CO, others"),
    ("other_en_co_chance_corrected", "en-CO corrected, others"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure of a table."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    best: bool = False
    grey: bool = False
    """It measures a habit, or belongs to a row that is not ranked."""
    sign: str = ""
    """What its notes explain."""


@dataclass(frozen=True, slots=True)
class Printed:
    """One table: a caption, column heads (the first over the labels), and lines."""

    caption: str
    heads: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Entry, ...]], ...]


BEST = (
    "Bold: best of its column or line, its 95 % interval clear of all others. Italics: a habit, or a row not ranked. "
    "A dash: not defined, or not asked."
)


def printed(
    table: ScoreTable,
    scores: Scores,
    show: Sequence[str] = SHOWN,
    transpose: bool | None = None,
    signs: bool = False,
) -> list[Printed]:
    """The summary of a table of scores, then its languages for each figure to show.

    `transpose` puts languages on lines and models in columns; None does so where that makes
    fewer columns. `signs` puts those of the notes into the tables: for a document that has notes.

    Raises UserError for an unknown figure.
    """
    check_figures(show)
    turned = len(table.rows) < len(table.languages) if transpose is None else transpose
    name = table.set if table.split is None else f"{table.set}, {table.split}"
    about = (
        f"{name}: {counted(table.items, 'item')}, {counted(len(table.languages), 'language')}, anchor {scores.anchor}"
    )
    summary = _summary(table, f"{about}; others: mean over the other languages.")
    by_language = [
        _languages(table, field, f"{name}: {TITLES.get(field, field)} by language.", signs) for field in show
    ]
    made = [part for part in (summary, *by_language) if any(e.value == e.value for _, line in part.lines for e in line)]
    return [_turned(part) if turned and part is not summary else part for part in made]


def _summary(table: ScoreTable, caption: str) -> Printed:
    columns = [_best([_of_row(row, field) for row in table.rows]) for field, _ in _SUMMARY]
    lines = zip((row.label for row in table.rows), zip(*columns, strict=True), strict=True)
    return Printed(caption, ("model", *(title for _, title in _SUMMARY)), tuple(lines))


def _of_row(row: TableRow, field: str) -> Entry:
    value, low, high = row.summary.figures[field]
    return Entry(value, low, high, grey=not row.ranked)


def _languages(table: ScoreTable, field: str, caption: str, signs: bool) -> Printed:
    columns = [_best([_of_cell(row, tag, field, signs) for row in table.rows]) for tag in table.languages]
    anchor = table.rows[0].summary.anchor if signs else None
    heads = [tag + (ANCHOR if tag == anchor else "") for tag in table.languages]
    lines = zip((row.label for row in table.rows), zip(*columns, strict=True), strict=True)
    return Printed(caption, ("model", *heads), tuple(lines))


def _of_cell(row: TableRow, tag: str, field: str, signs: bool) -> Entry:
    cell = row.cells.get(tag)
    if cell is None:
        return Entry()
    value, low, high = cell.figure(field)
    grey = bool(cell.flags) or not row.ranked
    return Entry(value, low, high, grey=grey, sign=sign_of(row, tag, field) if signs else "")


def _best(column: Sequence[Entry]) -> list[Entry]:
    """The column with its best figure marked, unless another's interval reaches it."""
    known = [e for e in column if e.value == e.value and not e.grey]
    if len(known) < 2:
        return list(column)
    best = max(known, key=lambda e: e.value)
    reach = max((e.high if e.high == e.high else e.value) for e in known if e is not best)
    clear = (best.low if best.low == best.low else best.value) > reach
    return [replace(e, best=clear and e is best) for e in column]


def _turned(table: Printed) -> Printed:
    labels = [label for label, _ in table.lines]
    rows = zip(*(line for _, line in table.lines), strict=True)
    return Printed(table.caption, ("language", *labels), tuple(zip(table.heads[1:], rows, strict=True)))
