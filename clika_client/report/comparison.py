"""Comparisons of models, and changes between groups of them: what can be said first, then the tables it rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.common.ink import FAINT
from clika_client.report.terminal import cleaned
from clika_client.scoring.compare_groups import OTHERS, GroupChange
from clika_client.scoring.compare_groups import summary as group_summary
from clika_client.scoring.differences import Comparison, Difference
from clika_client.scoring.paired import CANNOT_TELL, NOT_DEFINED, NOT_RANKED, PairedEstimate
from clika_client.scoring.verdicts import summary

_FAINT = {CANNOT_TELL: FAINT, NOT_RANKED: f"{FAINT} italic", NOT_DEFINED: FAINT}
_WHOLE = 24
"""Languages, over all tables, up to which each has its lines; of more only those in which something can be told."""


_SHORT = 24
"""Letters of a name up to which sentences use it; of longer ones, such as a model with its run, A and B read better."""


def render_comparison(comparison: Comparison, console: Console, details: bool = False) -> None:
    """What can be said in words, then two tables per set: accuracy and consistency.

    With many languages and sets the tables have only those in which something can be told, unless `details`.
    """
    render_comparisons([comparison], console, details)


def render_comparisons(comparisons: Sequence[Comparison], console: Console, details: bool = False) -> None:
    """One after the other; what is to be noted of several stands once, under the last."""
    under: dict[str, None] = {}
    for number, comparison in enumerate(comparisons):
        everything = details or len(comparison.differences) <= _WHOLE
        if number:
            console.print()
        _render(comparison, console, everything)
        under |= dict.fromkeys((*comparison.notes, *_method(comparison), *([] if everything else [_LEFT_OUT])))
    console.print()
    for note in under:
        console.print(Text(cleaned(note, console), style=FAINT))


def _render(comparison: Comparison, console: Console, everything: bool) -> None:
    names = f"A = {comparison.a}, B = {comparison.b}"
    lettered = max(len(comparison.a), len(comparison.b)) > _SHORT and not comparison.languages_of_one
    for letter, name in (("A", comparison.a), ("B", comparison.b)) if lettered else ():
        console.print(Text(cleaned(f"{letter} = {name}", console), style="bold"))
    said = summary(replace(comparison, a="A", b="B")) if lettered else comparison.summary
    for i, sentence in enumerate(said):
        console.print(Text(cleaned(sentence, console), style="" if i else "bold"))
    for mean in comparison.means:
        rows = [d for d in comparison.differences if (d.set, d.split) == (mean.set, mean.split)]
        title = f"{mean.set} · {mean.split}" if mean.split else mean.set
        console.print()
        console.print(Text(cleaned(title if lettered else f"{title}: {names}", console), style="bold"))
        means = [mean] if mean.accuracy.defined else []
        console.print(_accuracy([*(d for d in rows if everything or _told(d.accuracy)), *means], console))
        # Where all of it is hollow its table would be one of dashes.
        if any(d.en_co.defined and d.en_co_chance_corrected.verdict != NOT_RANKED for d in rows):
            console.print(
                Text(f"Consistency, corrected for chance; beside it en-CO ({comparison.variant})", style="bold")
            )
            told = [d for d in rows if everything or _told(d.en_co_chance_corrected)]
            console.print(_consistency([*told, mean], console))


_LEFT_OUT = (
    "The tables leave out languages in which the data cannot tell or that are not ranked: --details has them all."
)


def _told(estimate: PairedEstimate) -> bool:
    """Whether a difference is stated."""
    return estimate.verdict not in _FAINT


_FIELDS = (("ra", "", "RA"), ("en_co_chance_corrected", "en_co", "consistency"))
"""What of a change has a table: the figure, what stands beside it, the head of its first column."""
_SCREENS = 110
"""Lines of a few screens: where everything changed, tables are of the largest changes, as sentences name all."""
_PARTS = 5
"""Lines of a set's two tables beside their rows: a gap, titles, heads."""


def render_changes(changes: Sequence[GroupChange], console: Console, variant: str, details: bool = False) -> None:
    """What can be said in words, then one table per set and pair of groups; `details` as in `render_comparison`."""
    everything = details or len(changes) <= _WHOLE
    said = [cleaned(sentence, console) for sentence in group_summary(changes)]
    for sentence in said:
        console.print(Text(sentence))
    parts = [
        [c for c in changes if (c.set, c.split, c.base, c.group) == key]
        for key in dict.fromkeys((c.set, c.split, c.base, c.group) for c in changes)
    ]
    most = None if details else _most(parts, everything, sum(1 + len(s) // (console.width - 8) for s in said))
    for rows in parts:
        grids = [
            _changes(_kept(rows, field, everything, most), field, beside, title, console)
            for field, beside, title in _FIELDS
        ]
        if not any(grid.row_count for grid in grids):
            continue  # the sentence above says that nothing changed
        first = rows[0]
        title = f"{first.set} · {first.split}" if first.split else first.set
        console.print()
        console.print(Text(cleaned(f"{title}: from {first.base} to {first.group}", console), style="bold"))
        for grid in grids:
            if grid.row_count and grid is grids[-1]:
                console.print(Text("Consistency, corrected for chance; beside it en-CO", style="bold"))
            if grid.row_count:
                console.print(grid)
    console.print()
    if most is not None:
        console.print(Text(cleaned(_LARGEST, console), style=FAINT))
    elif not everything:
        console.print(Text(cleaned(_LEFT_OUT, console), style=FAINT))
    method = (
        "Means over each group's models, RA not cut off at 0; 95 % intervals and p-values by jackknife over items or "
        f"their clusters; Holm over all languages and sets of a pair of groups; en-CO ({variant}) stands beside its "
        "chance-corrected form and is not judged."
    )
    console.print(Text(cleaned(method, console), style=FAINT))


_LARGEST = (
    "The tables have the largest changes alone; the sentences name all that can be told, --details has every figure."
)


def _most(parts: Sequence[Sequence[GroupChange]], everything: bool, words: int) -> int | None:
    """Languages that each table may have for everything to fit a few screens; None: all of them."""
    for most in (None, 6, 4, 3, 2, 1):
        rows = sum(len(_kept(part, field, everything, most)) for part in parts for field, *_ in _FIELDS)
        if words + rows + _PARTS * len(parts) <= _SCREENS:
            return most
    return 0


def _kept(rows: Sequence[GroupChange], field: str, everything: bool, most: int | None) -> list[GroupChange]:
    """The lines of a table: what is stated, of that the largest changes, and the mean."""
    kept = [c for c in rows if everything or _stated(c, field)]
    alone = [c for c in kept if c.language != OTHERS]
    if most is None or len(alone) <= most:
        return kept
    largest = sorted(alone, key=lambda c: -abs(c.estimates[field].diff))[:most]
    return [c for c in kept if c.language == OTHERS or c in largest]


def _stated(change: GroupChange, field: str) -> bool:
    """Whether a change is stated, or is the mean of the others where there is one."""
    estimate = change.estimates[field]
    return _told(estimate) or (change.language == OTHERS and estimate.defined)


def _accuracy(rows: Sequence[Difference], console: Console) -> Table:
    grid = _grid("accuracy", "n", "A", "B", "B - A", "95 %", "only A", "only B", "p Holm", "")
    for d in rows:
        grid.add_row(
            cleaned(d.language or "mean", console),
            str(d.n),
            *_estimate(d.accuracy),
            str(d.only_a),
            str(d.only_b),
            _p(d.accuracy.p_holm),
            _verdict(d.accuracy),
        )
    return grid


def _consistency(rows: Sequence[Difference], console: Console) -> Table:
    grid = _grid("", "n", "A", "B", "B - A", "95 %", "p Holm", "", "en-CO A", "B")
    for d in (d for d in rows if d.en_co.defined):
        grid.add_row(
            cleaned(d.language or "mean", console),
            str(d.n),
            *_estimate(d.en_co_chance_corrected),
            _p(d.en_co_chance_corrected.p_holm),
            _verdict(d.en_co_chance_corrected),
            _share(d.en_co.a),
            _share(d.en_co.b),
        )
    return grid


def _changes(rows: Sequence[GroupChange], field: str, beside: str, title: str, console: Console) -> Table:
    headers = ("en-CO", "after") if beside else ()
    grid = _grid(title, "before", "after", "change", "95 %", "p Holm", "", *headers)
    for change in rows:
        estimate = change.estimates[field]
        if not estimate.defined and estimate.verdict != NOT_RANKED:
            continue
        mark = " (hollow: " + ", ".join(change.hollow) + ")" if change.hollow else ""
        raw = (_share(change.en_co.a), _share(change.en_co.b)) if beside else ()
        grid.add_row(
            cleaned(change.language + mark, console),
            *_estimate(estimate),
            _p(estimate.p_holm),
            _verdict(estimate),
            *raw,
        )
    return grid


def _grid(*headers: str) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for i, header in enumerate(headers):
        grid.add_column(header, justify="right" if i else "left", no_wrap=i > 0, overflow="fold")
    return grid


def _estimate(e: PairedEstimate) -> tuple[str, str, str, str]:
    interval = "" if math.isnan(e.low) else f"{e.low:+z.2f} {e.high:+z.2f}"
    return _share(e.a), _share(e.b), "-" if math.isnan(e.diff) else f"{e.diff:+z.3f}", interval


def _verdict(e: PairedEstimate) -> Text:
    said = {"a": "A better", "b": "B better"}.get(e.verdict, e.verdict)
    return Text(said, style=_FAINT.get(said, "bold"))


def _method(comparison: Comparison) -> tuple[str, ...]:
    clustered = sorted({mean.set for mean in comparison.means if mean.clusters is not None})
    test = "McNemar's exact test on the items only one of the two has right"
    if clustered:
        test += f" ({', '.join(clustered)}: a test over the clusters of the items)"
    return (
        f"Accuracy: {test}; its interval is Newcombe's, and the two can disagree close to .05. Consistency is judged "
        f"by its chance-corrected form; en-CO ({comparison.variant}) rises with accuracy and is only shown. Means are "
        "over the languages that count in both. Holm over all languages and sets; a difference is stated below p = "
        ".05.",
    )


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:z.3f}"


def _p(value: float) -> str:
    return "-" if math.isnan(value) else "<.001" if value < 0.001 else f"{value:z.3f}"
