"""The reproduction of the paper's figures as terminal text: tables of scores, then its questions."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.report.terminal import cleaned, render
from clika_client.scoring.compare_groups import OTHERS, Change
from clika_client.scoring.reproduce import CONDUCTIVITY, Finding, Reproduction

HEADING = "Computed by clika from the responses published by the authors of CLiKA; not the authors' own figures."

_LEGEND = (
    "Change of RA and of en-CO, 95 % interval by paired bootstrap over items; the means are over the languages other "
    "than the target (without a target: than English). * holds after Holm's correction: for the means over the four "
    "sets, for the languages named over all languages and sets of the step. † one letter is nearly all that a model "
    "answers: no change can be read from it.",
    "Models differ in more than the step named: these are comparisons, not experiments.",
)


def render_reproduction(result: Reproduction, console: Console) -> None:
    """Everything the release lets one compute."""
    console.print(Text(HEADING, style="bold"))
    console.print()
    render(result.scores, console)
    for question in dict.fromkeys(finding.question for finding in result.findings):
        console.print()
        console.print(Text(f"{question} (computed by clika)", style="bold"))
        for finding in result.findings:
            if finding.question == question:
                console.print(_finding(finding, console))
    console.print()
    lines = [*_LEGEND, CONDUCTIVITY]
    if result.absent:
        lines.append(f"Not in this checkout: {'; '.join(result.absent)}.")
    for line in lines:
        console.print(Text(cleaned(line, console), style="dim"))


def _finding(finding: Finding, console: Console) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", title_justify="left")
    grid.title = Text(cleaned(f"{finding.base} to {finding.tuned}" + _aim(finding), console))
    for header in ("set", "RA, target", "RA, other languages", "en-CO, other languages", "RA gained in", "RA lost in"):
        grid.add_column(header, no_wrap=header.startswith(("set", "RA,", "en-CO")), overflow="fold")
    for name in dict.fromkeys(change.set for change in finding.changes):
        rows = {change.language: change for change in finding.changes if change.set == name}
        target, others = rows.get(finding.target or ""), rows.get(OTHERS)
        grid.add_row(
            cleaned(name, console),
            cleaned(_change(target, "ra"), console),
            cleaned(_change(others, "ra"), console),
            cleaned(_change(others, "en_co"), console),
            *(
                cleaned(
                    ", ".join(t for t, c in rows.items() if c.ra_verdict == verdict and t != OTHERS) or "-", console
                )
                for verdict in ("gain", "loss")
            ),
        )
    return grid


def _aim(finding: Finding) -> str:
    return f" (aimed at {finding.target})" if finding.target else ""


def _change(change: Change | None, field: str) -> str:
    if change is None:
        return "-"
    value, low, high = (getattr(change, f"{field}_{end}") for end in ("change", "low", "high"))
    if value != value:
        return "-"
    star = {"gain": "*", "loss": "*", "not ranked": "†"}.get(getattr(change, f"{field}_verdict"), "")
    return f"{value:+.3f}{star}" + ("" if low != low else f" [{low:+.2f} {high:+.2f}]")
