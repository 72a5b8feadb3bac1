"""What is said of all languages of a row at once, as terminal tables under the scores."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.common.safe_text import shown
from clika_client.report.table_layout import ScoreTable, TableRow
from clika_client.scoring.metrics.catalogue import SUMMARY_METRICS
from clika_client.scoring.records import Figure, Record


def render_details(table: ScoreTable, console: Console) -> None:
    """Spread over languages, agreement of all, transfer from the source language, and en-CO of all pairs."""
    console.print(Text("All languages: gap and sd of accuracy, AC3, Fleiss' kappa", style="bold"))
    console.print(_summary(table))
    sure = [(row, cell) for row in table.rows for cell in row.cells.values() if not math.isnan(cell.brier)]
    if sure:
        title = "Confidence: does the probability of the options tell right from wrong? (AUC .5: no)"
        console.print(Text(title, style="bold"))
        console.print(_confidence(sure))
    mother = [(row, language) for row in table.rows for language in row.summary.mother_tongue]
    if mother:
        title = "Mother tongue: accuracy on the items of a language, in it and in the anchor (Holm over the row)"
        console.print(Text(title, style="bold"))
        console.print(_mother_tongue(mother))
    for row in table.rows:
        console.print(Text(shown(f"{row.label}: en-CO of all pairs (row: anchor)"), style="bold"))
        if len(row.summary.languages) * _PAIR_WIDTH + _PAIR_WIDTH > console.width:
            console.print(Text(_worst_pairs(row)))
        else:
            console.print(_pairs(row))


_PAIR_WIDTH = 6
_WORST = 8


def _worst_pairs(row: TableRow) -> str:
    """What a matrix that does not fit comes to: its spread, and the pairs that share least."""
    tags = row.summary.languages
    pairs = [(v, tags[i], tags[j]) for i, line in enumerate(row.summary.pairs) for j, v in enumerate(line) if j < i]
    known = sorted(pair for pair in pairs if not math.isnan(pair[0]))
    if not known:
        return "no pair of languages is defined"
    middle = known[len(known) // 2][0]
    listed = ", ".join(f"{shown(a)}-{shown(b)} {_number(value)}" for value, a, b in known[:_WORST])
    return (
        f"{len(known)} pairs, from {_number(known[0][0])} to {_number(known[-1][0])}, half of them below "
        f"{_number(middle)}; least in common: {listed}. The whole matrix: clika report FILE.html, or --json."
    )


def _grid(headers: Iterable[str]) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for i, header in enumerate(headers):
        grid.add_column(Text(shown(header)), justify="right" if i else "left", overflow="fold")
    return grid


def _summary(table: ScoreTable) -> Table:
    metrics = [m for m in SUMMARY_METRICS if any(_known(row.summary.figures[m.field]) for row in table.rows)]
    grid = _grid(["model", *(m.title for m in metrics)])
    for row in table.rows:
        values = [_with_ends(row.summary.figures[m.field]) for m in metrics]
        grid.add_row(Text(shown(row.label)), *values)
    return grid


def _confidence(rows: Iterable[tuple[TableRow, Record]]) -> Table:
    grid = _grid(["model", "language", "accuracy", "AUC", "Brier", "equal odds", "calibration error", "margin"])
    for row, cell in rows:
        figures = (cell.accuracy, cell.auc, cell.brier, 1 - cell.chance, cell.calibration_error, cell.margin)
        grid.add_row(Text(shown(row.label)), Text(shown(cell.language)), *map(_number, figures))
    return grid


def _mother_tongue(rows: Iterable[tuple[TableRow, str]]) -> Table:
    grid = _grid(["model", "language", "items", "own", "anchor", "effect", "95 %", "p Holm"])
    for row, language in rows:
        found = row.summary.mother_tongue[language]
        own, anchor, effect, low, high, p = (
            _number(found[name]) for name in ("own", "anchor", "effect", "effect_low", "effect_high", "p_holm")
        )
        figures = [own, anchor, effect, f"{low} {high}", p]
        grid.add_row(Text(shown(row.label)), Text(shown(language)), f"{found['n']:z.0f}", *figures)
    return grid


def _pairs(row: TableRow) -> Table:
    grid = _grid(["", *row.summary.languages])
    for language, values in zip(row.summary.languages, row.summary.pairs, strict=True):
        grid.add_row(Text(shown(language)), *map(_number, values))
    return grid


def _known(figure: Figure) -> bool:
    return not math.isnan(figure.value)


def _with_ends(figure: Figure) -> str:
    ends = "" if math.isnan(figure.low) else f"\n{figure.low:z.2f} {figure.high:z.2f}"
    return _number(figure.value) + ends


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:z.3f}"
