"""The reproduction of the paper's figures as terminal text: tables of scores, then its questions."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.report.terminal import cleaned, render
from clika_client.scoring.compare_groups import GAIN, LOSS, OTHERS, Change
from clika_client.scoring.paired import NOT_RANKED, PairedEstimate
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
    headers = ("set", "RA, target", "RA, other languages", "corrected, other languages", "RA gained in", "RA lost in")
    for header in headers:
        grid.add_column(header, no_wrap=header.startswith(("set", "RA,", "corrected")), overflow="fold")
    for name in dict.fromkeys(change.set for change in finding.changes):
        rows = {change.language: change for change in finding.changes if change.set == name}
        target, others = rows.get(finding.target or ""), rows.get(OTHERS)
        grid.add_row(
            cleaned(name, console),
            cleaned(_change(None if target is None else target.ra), console),
            cleaned(_change(None if others is None else others.ra), console),
            cleaned(_change(None if others is None else others.en_co_chance_corrected), console),
            *(
                cleaned(
                    ", ".join(t for t, c in rows.items() if c.ra.verdict == verdict and t != OTHERS) or "-", console
                )
                for verdict in (GAIN, LOSS)
            ),
        )
    return grid


def _where(rows: Mapping[str, Change], verdict: str) -> str:
    return ", ".join(t for t, change in rows.items() if t != OTHERS and change.ra.verdict == verdict) or "-"


def _aim(finding: Finding) -> str:
    return f" (aimed at {finding.target})" if finding.target else ""


def _change(e: PairedEstimate | None) -> str:
    if e is None or e.diff != e.diff:
        return "-"
    star = {GAIN: "*", LOSS: "*", NOT_RANKED: "†"}.get(e.verdict, "")
    return f"{e.diff:+.3f}{star}" + ("" if e.low != e.low else f" [{e.low:+.2f} {e.high:+.2f}]")
