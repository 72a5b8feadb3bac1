"""The reproduction of the paper's figures as terminal text: its questions answered, then every model on one line."""

from __future__ import annotations

import math

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
_NAME_AT_LEAST = 12

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
        console.print(_steps(answer, console))
    console.print()
    parts = tables(result.scores)
    for grid in overviews(parts, console.width):
        console.print(grid)
    lines = [*_LEGEND, *overview_notes(parts), *shared_notes(parts, result.scores), CONDUCTIVITY]
    if result.absent:
        lines.append(f"Not in this checkout: {'; '.join(result.absent)}.")
    for line in lines:
        console.print(Text(cleaned(line, console), style=FAINT))


def _steps(answer: PaperAnswer, console: Console) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style=FAINT)
    for header in ("from", "to", *_FIGURES):
        grid.add_column(header, no_wrap=header in _FIGURES, overflow="fold")
    steps = [[cleaned(cell, console) for cell in _step(effect)] for effect in answer.effects]
    figures = sum(max([len(title), *(len(step[i + 2]) for step in steps)]) + 1 for i, title in enumerate(_FIGURES))
    room = max((console.width - figures - 2) // 2, _NAME_AT_LEAST)
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
