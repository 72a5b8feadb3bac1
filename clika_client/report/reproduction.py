"""The reproduction of the paper's figures as terminal text: its questions answered, then every model on one line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.common.ink import FAINT
from clika_client.report.notes import shared_notes
from clika_client.report.overview import folded, overview_notes, overviews
from clika_client.report.table_layout import tables
from clika_client.report.terminal import cleaned
from clika_client.scoring.answers_to_paper import Effect, PaperAnswer, answers
from clika_client.scoring.compare_groups import GAIN, LOSS
from clika_client.scoring.paired import PairedEstimate
from clika_client.scoring.reproduce import CONDUCTIVITY, Reproduction

HEADING = "Computed by clika from the responses published by the authors of CLiKA; not the authors' own figures."

_FIGURES = ("RA, target", "RA, others", "consistency")
_NAME_AT_LEAST = 18
"""Letters that a name has before it breaks, or it stands on a line of its own."""

_LEGEND = (
    "Changes are means over the sets of RA that is not cut off at 0, and of chance-corrected en-CO; others: the "
    "languages other than the target (without a target: than English). * holds after Holm's correction over the steps "
    "of a question. Each set and language: --json.",
    "Models differ in more than the step named: these are comparisons, not experiments. Which model was trained on "
    "from which is what their makers say; ~ marks two that are not.",
)


def render_reproduction(result: Reproduction, console: Console) -> None:
    """Everything the release lets one compute."""
    console.print(Text(HEADING, style="bold"))
    for answer in answers(result.findings):
        console.print()
        console.print(Text(cleaned(answer.question, console), style="bold"))
        console.print(Text(cleaned(answer.text, console)))
        _render_steps(answer, console)
    console.print()
    parts = tables(result.scores)
    for grid in overviews(parts, console.width):
        console.print(grid)
    lines = [*_LEGEND, *overview_notes(parts), *shared_notes(parts, result.scores), CONDUCTIVITY]
    if result.absent:
        lines.append(f"Not in this checkout: {'; '.join(result.absent)}.")
    for line in lines:
        console.print(Text(cleaned(line, console), style=FAINT))


def _render_steps(answer: PaperAnswer, console: Console) -> None:
    """A line for each step, or its names above its figures where they would stand on top of each other."""
    steps = [[cleaned(cell, console) for cell in _step(effect)] for effect in answer.effects]
    widths = [max([len(title), *(len(step[i + 2]) for step in steps)]) for i, title in enumerate(_FIGURES)]
    room = (console.width - sum(width + 1 for width in widths) - 2) // 2
    if room >= _NAME_AT_LEAST:
        console.print(_grid(steps, room))
        return
    console.print(Text(_line(_FIGURES, widths), style=FAINT))
    for base, tuned, *figures in steps:
        console.print(Text(f"{base} to {tuned}"))
        console.print(Text(_line(figures, widths)))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"  {'  '.join(padded)}".rstrip()


def _grid(steps: Sequence[Sequence[str]], room: int) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style=FAINT)
    for header in ("from", "to", *_FIGURES):
        grid.add_column(header, no_wrap=header in _FIGURES, overflow="fold")
    for base, tuned, *rest in steps:
        grid.add_row(folded(base, room), folded(tuned, room), *rest)
    return grid


def _step(effect: Effect) -> tuple[str, ...]:
    finding = effect.finding
    mark = "" if finding.continued else "~"
    target = "-" if finding.target is None else f"{finding.target} {_change(effect.target)}"
    return finding.base, mark + finding.tuned, target, _change(effect.others), _change(effect.consistency)


def _change(e: PairedEstimate) -> str:
    if math.isnan(e.diff):
        return "-"
    star = "*" if e.verdict in (GAIN, LOSS) else ""
    return f"{e.diff:+z.2f}{star} [{e.low:+z.2f} {e.high:+z.2f}]"
