"""Signs beside figures, one vocabulary for every output: what is explained stands in the table, and the reverse."""

from __future__ import annotations

from dataclasses import dataclass

from clika_client.report.table_layout import ScoreTable, TableRow
from clika_client.scoring.metrics.catalogue import OF_PAIRS
from clika_client.scoring.records import Record

THIN = 0.5
"""Labels that a reply begins with less often than this say little about what the model would have answered."""
MARKS = {"degenerate": "†", "biased": "‡", "silent": "§", "thin": "¤", "missing": "~"}
"""What a figure's cell is → its sign, the weightiest first: a cell has one."""
ANCHOR = "*"


@dataclass(frozen=True, slots=True)
class SignWords:
    """How an output sets apart what does not count, in the words of its notes."""

    hollow: str
    """A figure that measures a habit."""
    unranked: str
    """A row that is not ranked."""
    signs: bool = True
    """Its tables carry signs."""


TERMINAL = SignWords("grey", "grey")
MARKDOWN = SignWords("in italics", "in italics")
PAGE = SignWords("hatched", "in italics")
SUMMARY = SignWords("left out", "grey", signs=False)
"""A line per model, in which no language has a figure."""


def mark_of(cell: Record) -> str:
    """What is to be said of a cell's figures, a key of MARKS; empty where nothing is."""
    flag = next((flag for flag in MARKS if flag in cell.flags), "")
    return flag or ("thin" if cell.label_mass < THIN else "missing" if cell.coverage < 1 else "")


def sign_of(row: TableRow, language: str, field: str) -> str:
    """The sign beside a figure; a figure of a pair is as hollow as its anchor."""
    cell = row.cells[language]
    anchor = row.cells.get(row.summary.anchor)
    if field in OF_PAIRS and not cell.flags and anchor is not None and anchor.flags:
        cell = anchor
    return MARKS.get(mark_of(cell), "")


def lead(table: ScoreTable, mark: str, look: SignWords) -> str:
    """The sign that a note begins with, where a cell of the table has it."""
    has = look.signs and any(mark_of(cell) == mark for row in table.rows for cell in row.cells.values())
    return f"{MARKS[mark]} " if has else ""
