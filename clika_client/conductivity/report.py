"""Conductivity in a terminal: the gate of every language, then XRR where the gate was passed, then the controls."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.common.safe_text import shown
from clika_client.conductivity.score import NOT_INTERPRETABLE, Count, Figure, PairScore, Score
from clika_client.scoring.metrics.conductivity import GATE_LIMIT

FORM_TITLES = {"text": "free-text answers", "choice": "multiple choice"}
PARTS = {
    "translation": "names",
    "taught_type0": "{taught} type 0",
    "taught_type1": "{taught} type 1",
    "asked_type0": "{asked} type 0",
}


def render(scores: Sequence[Score], console: Console) -> None:
    """Print every form's tables."""
    for number, score in enumerate(scores):
        if number:
            console.print()
        first = score.pairs[0]
        title = f"Conductivity of {shown(score.model)} · {FORM_TITLES[first.form]} · chance {first.chance:.3f}"
        console.print(Text(title, style="bold"))
        console.print(_gates(score))
        console.print()
        console.print(_results(score))
        for line in _verdicts(score):
            console.print(line)
        for note in (*_legend(score), *score.notes):
            console.print(Text(shown(note), style="dim"))


def part_name(row: PairScore, part: str) -> str:
    """A part of the gate in words: `names`, `en type 0`."""
    return PARTS[part].format(taught=row.pair.taught, asked=row.pair.asked)


def _gates(score: Score) -> Table:
    """One line per language: accuracy of each part, and whether teaching counts as complete."""
    columns = ("names", "taught, type 0", "taught, type 1", "asked, type 0", f"each > {GATE_LIMIT:.0%}")
    table = _table("gate", *columns)
    for row in score.pairs:
        cells = [_gate_cell(part.count, part.passed) for part in row.gate]
        verdict = Text("passed", style="green") if not row.failed else Text("failed", style="red")
        table.add_row(_direction(row), *cells, verdict)
    return table


def _gate_cell(count: Count, passed: bool) -> Text:
    return Text(_percent(count.figure.value), style="" if passed else "red")


def _results(score: Score) -> Table:
    """One line per language: XRR where it can be interpreted, and the controls always."""
    table = _table("type 1", "XRR", "raw", "cond.", "> chance", "before", "shuffled", "alike", "unlike")
    for row in score.pairs:
        figures = (
            (None,) * 4 if row.xrr is None else (row.xrr.ratio, row.xrr.raw, row.xrr.conditional, row.xrr.above_chance)
        )
        split = ("", "") if row.xrr is None else (_count(row.splits["alike"]), _count(row.splits["unlike"]))
        table.add_row(_direction(row), *map(_figure, figures), _count(row.baseline), _count(row.shuffled), *split)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def _direction(row: PairScore) -> Text:
    return Text(f"{row.pair.taught}→{row.pair.asked}")


def _figure(figure: Figure | None) -> str:
    if figure is None or math.isnan(figure.value):
        return "–"
    return f"{figure.value:.3f}\n{_short(figure.low)}–{_short(figure.high)}"


def _short(value: float) -> str:
    """Two decimals without the zero before the point: an interval has to fit under its figure."""
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"


def _count(count: Count | None) -> str:
    if count is None or count.n == 0:
        return "–"
    return f"{count.figure.value:.3f}\n{count.right}/{count.n}"


def _verdicts(score: Score) -> list[Text]:
    """What failed, in words: a result that cannot be interpreted is no zero."""
    lines = []
    for row in score.pairs:
        if row.failed:
            parts = {part.part: part.count.figure.value for part in row.gate}
            failed = ", ".join(f"{part_name(row, part)} {_percent(parts[part])}" for part in row.failed)
            lines.append(Text(f"{row.pair.taught}→{row.pair.asked} {NOT_INTERPRETABLE}: {failed}", style="yellow"))
    return lines


def _percent(value: float) -> str:
    return "not asked" if math.isnan(value) else f"{value:.1%}"


def _legend(score: Score) -> list[str]:
    lines = [
        "XRR: raw / accuracy of the same facts in the language they were taught in. cond.: right where that is right. "
        "> chance: (raw - c) / (taught - c). before: asked of the untaught model. shuffled: the same replies against "
        "continents dealt at random. alike, unlike: by the place's name beside the taught one. Intervals: 95 %."
    ]
    identical = sum(row.splits["identical"].n for row in score.pairs if row.xrr)
    if identical:
        right = sum(row.splits["identical"].right for row in score.pairs if row.xrr)
        lines.append(f"{right} of {identical} questions with a name identical to the taught one are right: copied?")
    for name, figure in score.by_script.items():
        if figure is not None and len(score.pairs) > 1:
            lines.append(f"{name}: mean XRR {figure.value:.3f} (languages {figure.low:.3f} to {figure.high:.3f})")
    return lines
