"""Many experiments in a terminal: a row for each model, way and direction, then what differs from what."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.common.ink import FAINT
from clika_client.common.safe_text import shown
from clika_client.conductivity.answerer import ALPHA
from clika_client.conductivity.between import FAMILIES
from clika_client.conductivity.report import count_cell, difference_text, figure_cell, p_text, table
from clika_client.conductivity.taught_models import Between, TaughtModel, TeachingComparison

TITLES = {
    "language": "Between languages",
    "direction": "Between directions",
    "model": "Between models",
    "way": "Between ways of teaching",
}


def render(found: Between, console: Console) -> None:
    """Print the table, what each row differs from, and the comparisons."""
    worlds = list(dict.fromkeys(row.world for row in found.rows))
    for number, world in enumerate(worlds):
        if number:
            console.print()
        console.print(Text(f"Conductivity on {shown(world)}", style="bold"))
        rows = [row for row in found.rows if row.world == world]
        console.print(_rows(rows))
        for row in rows:
            console.print(Text(f"{_name(row)} {row.answerer.kind}: {shown(row.answerer.why)}{_against(row)}"))
    for family in FAMILIES:
        lines = list(_compared(family, found))
        if lines:
            console.print()
            console.print(Text(f"{TITLES[family]} (XRR, paired by fact; p by Holm over {len(lines)})", style="bold"))
            for line in lines:
                console.print(Text(line))
    for note in _legend(found, len(worlds)):
        console.print(Text(shown(note), style=FAINT))


def _rows(rows: list[TaughtModel]) -> Table:
    ways = any(row.way for row in rows)
    made = table(
        "model", *(("way",) if ways else ()), "asked", "gate passed", "XRR", "> chance", "p", "copying", "of each seed"
    )
    for row in rows:
        xrr = row.xrr
        each = " ".join(f"{score.xrr.ratio.value:z.2f}" if score.xrr else "–" for _, score in row.teachings)
        made.add_row(
            shown(row.model),
            *((shown(row.way),) if ways else ()),
            row.direction,
            f"{len(row.passed)} of {len(row.teachings)}",
            figure_cell(xrr.ratio if xrr else None),
            figure_cell(xrr.above_chance if xrr else None),
            p_text(row.p_chance) if xrr else "–",
            count_cell(row.ceiling),
            each,
        )
    return made


def _name(row: TaughtModel) -> str:
    way = f" ({shown(row.way)})" if row.way else ""
    return f"{shown(row.model)}{way} {row.direction}"


def _against(row: TaughtModel) -> str:
    """What XRR differs from, of a row that can be interpreted."""
    if row.xrr is None:
        return ""
    told = [f"chance p {p_text(row.p_chance)}"]
    for what, one in (("copying", row.above_ceiling), ("before", row.above_before)):
        if one is not None:
            told.append(f"{what} {difference_text(one)} p {p_text(one.p)}")
    return "; against " + ", ".join(told)


def _compared(family: str, found: Between) -> Iterator[str]:
    for one in found.compared:
        if one.family == family:
            yield _line(one, found)


def _line(one: TeachingComparison, found: Between) -> str:
    verdict = "cannot be told apart" if not one.adjusted < ALPHA else "differ"
    names = f"{_name(found.rows[one.one])} and {_name(found.rows[one.other])}"
    return f"{names}: {difference_text(one.found)} p {p_text(one.adjusted)}, {verdict}"


def _legend(found: Between, worlds: int) -> list[str]:
    lines = [
        "XRR is over the teachings whose gate was passed. Intervals: 95 %, over facts by continent and over seeds. "
        "p: as good on shuffled facts, by Holm over all rows. copying: what comparing spellings gets right. before: "
        "the untaught model."
    ]
    if any(len(row.passed) == 1 for row in found.rows):
        lines.append("Where one teaching passed, the interval does not say what another seed would give.")
    if worlds > 1:
        lines.append("Figures on different materials do not compare: each has its own ceiling of copying.")
    for path in found.unfinished:
        lines.append(f"not asked after teaching yet: {path}")
    return lines
