"""What is said of all languages of a row at once, as terminal tables under the scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.common.safe_text import shown
from clika_client.common.wording import counted
from clika_client.report.table_layout import ScoreTable, TableRow
from clika_client.scoring.metrics.catalogue import SUMMARY_METRICS
from clika_client.scoring.records import Figure, Record

_Line: TypeAlias = "tuple[tuple[str, ...], Sequence[str]]"
"""What a line is about, and its figures."""


def render_details(table: ScoreTable, console: Console) -> None:
    """Spread over languages, agreement of all, transfer from the source language, and en-CO of all pairs."""
    console.print(Text("All languages: gap and sd of accuracy, AC3, Fleiss' kappa", style="bold"))
    _summary(table, console)
    sure = [(row, cell) for row in table.rows for cell in row.cells.values() if not math.isnan(cell.brier)]
    if sure:
        title = "Confidence: does the probability of the options tell right from wrong? (AUC .5: no)"
        console.print(Text(title, style="bold"))
        _confidence(sure, console)
    mother = [(row, language) for row in table.rows for language in row.summary.mother_tongue]
    if mother:
        title = "Mother tongue: accuracy on the items of a language, in it and in the anchor (Holm over the row)"
        console.print(Text(title, style="bold"))
        _mother_tongue(mother, console)
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
        f"{counted(len(known), 'pair')}, from {_number(known[0][0])} to {_number(known[-1][0])}, half of them below "
        f"{_number(middle)}; least in common: {listed}. The whole matrix: clika report FILE.html, or --json."
    )


def _say(console: Console, keys: Sequence[str], titles: Sequence[str], lines: Sequence[_Line]) -> None:
    """A table whose figures stand in as many blocks below one another as the width asks for: none is broken."""
    names = [_widest([key], (shown(words[i]) for words, _ in lines)) for i, key in enumerate(keys)]
    names[0] = min(names[0], console.width // 3)  # a longer name goes on in the line below
    left = console.width - sum(names) - len(names)
    widths = [_widest(title.split(), (figures[i] for _, figures in lines)) for i, title in enumerate(titles)]
    for block in _blocks(widths, left):
        grid = _grid()
        for key, width in zip(keys, names, strict=True):
            grid.add_column(key, width=width, overflow="fold")
        for i in block:
            grid.add_column(titles[i], width=widths[i], justify="right")
        for words, figures in lines:
            grid.add_row(*(Text(shown(word)) for word in words), *(figures[i] for i in block))
        console.print(grid)


def _grid() -> Table:
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")


def _widest(words: Sequence[str], values: Iterable[str]) -> int:
    return max(cell_len(line) for text in (*words, *values) for line in text.split("\n"))


def _blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Positions of the columns that stand beside one another, block by block."""
    blocks: list[list[int]] = []
    left = 0
    for i, width in enumerate(widths):
        if not blocks or width + 1 > left:
            blocks.append([])
            left = room
        blocks[-1].append(i)
        left -= width + 1
    return blocks


def _summary(table: ScoreTable, console: Console) -> None:
    metrics = [m for m in SUMMARY_METRICS if any(_known(row.summary.figures[m.field]) for row in table.rows)]
    lines = [((row.label,), [_with_ends(row.summary.figures[m.field]) for m in metrics]) for row in table.rows]
    _say(console, ["model"], [m.title for m in metrics], lines)


def _confidence(rows: Iterable[tuple[TableRow, Record]], console: Console) -> None:
    lines = []
    for row, cell in rows:
        values = (cell.accuracy, cell.auc, cell.brier, 1 - cell.chance, cell.calibration_error, cell.margin)
        lines.append(((row.label, cell.language), list(map(_number, values))))
    titles = ["accuracy", "AUC", "Brier", "equal odds", "calibration error", "margin"]
    _say(console, ["model", "language"], titles, lines)


def _mother_tongue(rows: Iterable[tuple[TableRow, str]], console: Console) -> None:
    lines = []
    for row, language in rows:
        found = row.summary.mother_tongue[language]
        own, anchor, effect, low, high, p = (
            _number(found[name]) for name in ("own", "anchor", "effect", "effect_low", "effect_high", "p_holm")
        )
        figures = [f"{found['n']:z.0f}", own, anchor, effect, f"{low} {high}", p]
        lines.append(((row.label, language), figures))
    _say(console, ["model", "language"], ["items", "own", "anchor", "effect", "95 %", "p Holm"], lines)


def _pairs(row: TableRow) -> Table:
    grid = _grid()
    grid.add_column("")
    for language in row.summary.languages:
        grid.add_column(shown(language), justify="right")
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
