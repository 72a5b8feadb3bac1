"""Cells of the page's heat maps and matrices as markup: tens of thousands, too many for macros of a template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from clika_client.common.wording import counted
from clika_client.report.colours import step_of
from clika_client.report.page.facts import spell
from clika_client.report.signs import sign_of
from clika_client.report.table_layout import ScoreTable, TableRow

_UNDEFINED = '<td class="none">–</td>'
_NOT_ASKED = '<td class="none"><span aria-label="not asked">–</span></td>'


def heat_lines(table: ScoreTable, field: str) -> list[str]:
    """The cells of each row of the table, in the order of its rows; empty where the figure is defined nowhere."""
    if all(math.isnan(cell.figure(field).value) for row in table.rows for cell in row.cells.values()):
        return []
    return ["".join(_cell(row, tag, field) for tag in table.languages) for row in table.rows]


def _cell(row: TableRow, tag: str, field: str) -> str:
    record = row.cells.get(tag)
    if record is None:
        return _NOT_ASKED
    value, low, high = record.figure(field)
    if math.isnan(value):
        return _UNDEFINED
    said = spell(value) + sign_of(row, tag, field)
    if record.flags:
        return f'<td class="flag" title="{escape(", ".join(record.flags))}">{said}</td>'
    ends = "" if math.isnan(low) else f' title="{spell(low)} to {spell(high)}, {counted(record.n, "item")}"'
    return f'<td class="h{step_of(value)}"{ends}>{said}</td>'


def pair_line(values: Sequence[float], own: int) -> str:
    """The cells of one line of a matrix, the language beside itself (at `own`) left out."""
    return "".join(
        _UNDEFINED if i == own or math.isnan(value) else f'<td class="h{step_of(value)}">{spell(value)}</td>'
        for i, value in enumerate(values)
    )
