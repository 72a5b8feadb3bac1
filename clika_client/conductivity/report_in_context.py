"""In-context conductivity as a terminal shows it: a line per language, and what has to be known to read it."""

from __future__ import annotations

import math

from rich.console import Console

from clika_client.common.ink import FAINT, WARNING
from clika_client.conductivity.in_context import Result
from clika_client.scoring.records import Figure


def render(result: Result, console: Console) -> None:
    """Print the table."""
    from rich.table import Table
    from rich.text import Text

    from clika_client.common.safe_text import shown
    from clika_client.conductivity.report import difference_text, p_text

    setting = result.setting
    console.print(
        Text(
            f"In-context conductivity of {shown(result.model)}: {setting.facts} facts told in English in each prompt, "
            f"chance {result.chance:z.3f}",
            style="bold",
        )
    )
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold", pad_edge=False)
    columns = ("asked in", "n", "right", "in English", "ratio", "if right in English", "> chance", "p", "copying")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in result.languages:
        found = row.found
        figures = (row.asked.figure, row.control.figure, found.ratio, found.conditional, found.above_chance)
        table.add_row(
            row.language, str(row.asked.n), *map(_cell, figures), p_text(row.p_chance), _cell(row.copying.figure)
        )
    console.print(table)
    for row in result.languages:
        against = f"against copying {difference_text(row.above_copying)} p {p_text(row.above_copying.p)}"
        console.print(Text(f"{row.language} {row.verdict}: {shown(row.answerer.why)}; {against}"))
        if row.splits:
            sides = ", ".join(f"{side} {count.right} of {count.n}" for side, count in row.splits.items())
            console.print(Text(f"{row.language} by likeness of the place's name to the English one: {sides}"))
    console.print(
        Text(
            "This is not XRR: nothing was taught, the facts stand in the prompt. Intervals: 95 %. copying: what "
            f"comparing spellings gets right; figures on other material than {setting.names} names do not compare.",
            style=FAINT,
        )
    )
    if any(row.control.figure.value < 0.9 for row in result.languages):
        console.print(
            Text("The control is below 90 %: the model does not use the prompt well even in English.", style=WARNING)
        )


def _cell(figure: Figure) -> str:
    if math.isnan(figure.value):
        return "–"
    ends = "" if math.isnan(figure.low) else f"\n{figure.low:z.2f}–{figure.high:z.2f}"
    return f"{figure.value:z.3f}{ends}"
