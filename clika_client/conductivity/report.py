"""Conductivity in a terminal: the gate of every language, then XRR where the gate was passed, then the controls."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.common.ink import FAINT, GOOD, WARNING
from clika_client.common.safe_text import shown
from clika_client.conductivity.certainty import TeachingDifference
from clika_client.conductivity.chance import Shuffled
from clika_client.conductivity.forgetting import Kept
from clika_client.conductivity.gate import TRULY, Count, luck, surely
from clika_client.conductivity.loss import change, forgetful
from clika_client.conductivity.scored_pairs import NOT_INTERPRETABLE, PairScore, Score
from clika_client.scoring.metrics.conductivity import GATE_LIMIT
from clika_client.scoring.records import Figure

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
        title = f"Conductivity of {shown(score.model)} · {FORM_TITLES[first.form]} · chance {first.chance:z.3f}"
        console.print(Text(title, style="bold"))
        console.print(_gates(score))
        console.print()
        console.print(_results(score))
        for line in _verdicts(score):
            console.print(line)
        for note in (*_legend(score), *score.notes):
            console.print(Text(shown(note), style=FAINT))


def part_name(row: PairScore, part: str) -> str:
    """A part of the gate in words: `names`, `en type 0`."""
    return PARTS[part].format(taught=row.pair.taught, asked=row.pair.asked)


def _gates(score: Score) -> Table:
    """One line per language: accuracy of each part, and whether teaching counts as complete."""
    columns = (
        *("names", "taught, type 0", "taught, type 1", "asked, type 0"),
        *(f"each > {GATE_LIMIT:.0%}", "by interval"),
    )
    made = table("gate", *columns)
    for row in score.pairs:
        cells = [_gate_cell(part.count, part.passed) for part in row.gate]
        verdict = Text("passed", style=GOOD) if not row.failed else Text("failed", style=WARNING)
        made.add_row(_direction(row), *cells, verdict, surely(row.gate))
    return made


def _gate_cell(count: Count, passed: bool) -> Text:
    return Text(_percent(count.figure.value), style="" if passed else WARNING)


def _results(score: Score) -> Table:
    """One line per language: XRR where it can be interpreted, and beside it always what says nothing."""
    split = any(row.splits for row in score.pairs if row.xrr)
    names = ("type 1", "XRR", "raw", "cond.", "> chance", "p", "copying", "before", "shuffled")
    made = table(*names, *(("alike", "unlike") if split else ()))
    for row in score.pairs:
        found = row.xrr
        figures = (None,) * 4 if found is None else (found.ratio, found.raw, found.conditional, found.above_chance)
        sides = [count_cell(row.splits.get(side)) if found else "" for side in ("alike", "unlike")] if split else []
        p = "–" if found is None else p_text(row.tests.chance_p)
        controls = (count_cell(row.ceiling), count_cell(row.baseline), _range(row.shuffled))
        made.add_row(_direction(row), *map(figure_cell, figures), p, *controls, *sides)
    return made


def p_text(value: float) -> str:
    """A p-value without the zero before its point."""
    return "–" if math.isnan(value) else "<.001" if value < 0.001 else f"{value:z.3f}".removeprefix("0")


def _range(found: Shuffled) -> str:
    return f"{found.mean:z.3f}\n{_short(found.low)}–{_short(found.high)}"


def table(*columns: str) -> Table:
    """A table as this tool prints all of them."""
    made = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left", overflow="fold")
    return made


def _direction(row: PairScore) -> Text:
    return Text(f"{row.pair.taught}→{row.pair.asked}")


def figure_cell(figure: Figure | None) -> str:
    """A figure over its interval."""
    if figure is None or math.isnan(figure.value):
        return "–"
    return f"{figure.value:z.3f}\n{_short(figure.low)}–{_short(figure.high)}"


def _short(value: float) -> str:
    """Two decimals without the zero before the point: an interval has to fit under its figure."""
    return f"{value:z.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:z.2f}"


def count_cell(count: Count | None) -> str:
    """A share over what it is a share of."""
    if count is None or count.n == 0:
        return "–"
    return f"{count.figure.value:z.3f}\n{count.right}/{count.n}"


def _verdicts(score: Score) -> list[Text]:
    """Per language in words: what failed (a result that cannot be interpreted is no zero), or what XRR differs from."""
    lines = []
    for row in score.pairs:
        way = f"{row.pair.taught}→{row.pair.asked}"
        if row.failed:
            parts = {part.part: part.count.figure.value for part in row.gate}
            failed = ", ".join(f"{part_name(row, part)} {_percent(parts[part])}" for part in row.failed)
            lines.append(Text(f"{way} {NOT_INTERPRETABLE}: {failed}", style=WARNING))
        elif surely(row.gate) == "open":
            unsure = ", ".join(part_name(row, part.part) for part in row.gate if part.surely == "open")
            lines.append(Text(f"{way}: too few questions to be sure of the gate: {unsure}", style=WARNING))
        if row.answerer.kind != "under-taught":
            told = "" if row.failed else f"; {_differs(row)}"
            lines.append(Text(f"{way} {row.answerer.kind}: {shown(row.answerer.why)}{told}"))
        if row.other_language.right:
            lines.append(
                Text(
                    f"{way}: {row.other_language.right} of {row.other_language.n} replies give the right continent by "
                    f"its name in {row.pair.taught}; they count as wrong"
                )
            )
    for kept in score.forgetting:
        lines.append(Text(*_forgotten(kept)))
    return lines


def _differs(row: PairScore) -> str:
    """What XRR differs from: chance, copying, the model before teaching."""
    against = [f"chance p {p_text(row.tests.chance_p)}"]
    for what, found in (("copying", row.tests.ceiling), ("before", row.tests.before)):
        if found is not None:
            against.append(f"{what} {difference_text(found)} p {p_text(found.p)}")
    return "against " + ", ".join(against)


def difference_text(found: TeachingDifference) -> str:
    """A difference with its interval on one line."""
    ends = "" if math.isnan(found.low) else f" [{found.low:+z.2f}, {found.high:+z.2f}]"
    return f"{found.value:+z.3f}{ends}"


def _forgotten(row: Kept) -> tuple[str, str]:
    """What of the real world was known before and after, and whether that is a loss."""
    found = change(row.lost, row.gained, row.n)
    lost = forgetful(found)
    word = "forgetful" if lost else "nothing seen to be forgotten"
    line = f"atlas in {row.language}: {row.before} of {row.n} right before teaching, {row.after} after, "
    return f"{line}{difference_text(found)} p {p_text(found.p)}: {word}", WARNING if lost else ""


def _percent(value: float) -> str:
    return "not asked" if math.isnan(value) else f"{value:.1%}"


def _legend(score: Score) -> list[str]:
    lines = [
        "XRR: raw / accuracy of the same facts in the language they were taught in. cond.: right where that is right. "
        "> chance: (raw - c) / (taught - c). p: as good on shuffled facts. copying: who compares spellings "
        "and knows all facts in the language of teaching. before: asked of the untaught model. shuffled: the same "
        "replies against continents dealt at random, 95 % of the deals. Intervals: 95 %, over facts by continent; of "
        "one teaching, so they do not say what another seed would give.",
        "Figures on different materials do not compare: each has its own ceiling of copying.",
    ]
    for row in score.pairs[:1]:
        low, high = (f"{luck(row.gate, truly):.0%} of those that know {truly:.0%}" for truly in TRULY)
        lines.append(f"The gate of these sizes passes {low} of each part, and {high}.")
    for name, figure in score.by_script.items():
        if figure is not None and len(score.pairs) > 1:
            ends = "" if math.isnan(figure.low) else f" ({figure.low:z.3f} to {figure.high:z.3f})"
            lines.append(f"{name}: mean XRR {figure.value:z.3f}{ends}")
    return lines
