"""Conductivity in a terminal: the gate of every language, then XRR where the gate was passed, then the controls."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.cli.plain_text import shown
from clika_client.metrics.conductivity import GATE_LIMIT
from clika_client.teach.score import NOT_INTERPRETABLE, Count, Figure, PairScore, Score

READS = {"text": "free-text answers", "choice": "multiple choice"}
PARTS = {
    "translation": "names",
    "taught_type0": "{taught} type 0",
    "taught_type1": "{taught} type 1",
    "asked_type0": "{asked} type 0",
}


def render(scores: Sequence[Score], console: Console) -> None:
    """Print every reading's tables."""
    for number, score in enumerate(scores):
        if number:
            console.print()
        first = score.pairs[0]
        title = f"Conductivity of {shown(score.model)} · {READS[first.reading]} · chance {first.chance:.3f}"
        console.print(Text(title, style="bold"))
        console.print(_gates(score))
        console.print(_results(score))
        for note in (*_legend(score), *score.notes):
            console.print(Text(shown(note), style="dim"))


def part_name(row: PairScore, part: str) -> str:
    """A part of the gate in words: `names`, `en type 0`."""
    return PARTS[part].format(taught=row.pair.taught, asked=row.pair.asked)


def _gates(score: Score) -> Table:
    """One line per language: accuracy of each part, and whether teaching counts as complete."""
    table = _table(
        f"gate: each above {GATE_LIMIT:.0%}", "names", "taught, type 0", "taught, type 1", "asked, type 0", ""
    )
    for row in score.pairs:
        cells = [_gate_cell(part.count, part.passed) for part in row.gate]
        verdict = Text("passed", style="green") if not row.failed else Text("failed", style="red")
        table.add_row(_direction(row), *cells, verdict)
    return table


def _gate_cell(count: Count, passed: bool) -> Text:
    value = count.figure.value
    shown_value = "not asked" if math.isnan(value) else f"{value:.1%}"
    return Text(f"{'✓' if passed else '✗'} {shown_value}", style="" if passed else "red")


def _results(score: Score) -> Table:
    columns = ("XRR", "raw", "if right when taught", "above chance", "before", "shuffled", "alike", "unlike")
    table = _table("type 1, asked in the other language", *columns)
    for row in score.pairs:
        controls = [_count(row.baseline), _count(row.shuffled)]
        if row.xrr is None:
            failed = ", ".join(part_name(row, part) for part in row.failed)
            table.add_row(
                _direction(row), Text(f"{NOT_INTERPRETABLE}: {failed}", style="yellow"), "", "", "", *controls
            )
            continue
        figures = (row.xrr.ratio, row.xrr.raw, row.xrr.conditional, row.xrr.above_chance)
        split = [_count(row.splits["alike"]), _count(row.splits["unlike"])]
        table.add_row(_direction(row), *map(_figure, figures), *controls, *split)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def _direction(row: PairScore) -> Text:
    return Text(f"{row.pair.taught}→{row.pair.asked}")


def _figure(figure: Figure) -> str:
    if math.isnan(figure.value):
        return "–"
    return f"{figure.value:.3f}\n{figure.low:.2f}–{figure.high:.2f}"


def _count(count: Count | None) -> str:
    if count is None or count.n == 0:
        return "–"
    return f"{count.figure.value:.3f}\n{count.right}/{count.n}"


def _legend(score: Score) -> list[str]:
    lines = ["XRR = raw / accuracy on the same facts in the language they were taught in. Intervals: 95 %."]
    lines.append(
        "before: the same questions to the untaught model. shuffled: the same replies against continents dealt at "
        "random. alike, unlike: accuracy by similarity of the place's name to the taught one."
    )
    identical = sum(row.splits["identical"].n for row in score.pairs if row.xrr)
    if identical:
        right = sum(row.splits["identical"].right for row in score.pairs if row.xrr)
        lines.append(f"{right} of {identical} questions with a name identical to the taught one are right: copied?")
    for name, figure in score.by_script.items():
        if figure is not None:
            lines.append(f"{name}: mean XRR {figure.value:.3f} (languages {figure.low:.3f} to {figure.high:.3f})")
    return lines
