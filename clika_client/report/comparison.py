"""Comparisons of models, and changes between groups of them: what can be said first, then the tables it rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.common.ink import FAINT
from clika_client.report.terminal import cleaned
from clika_client.scoring.compare_groups import OTHERS, GroupChange
from clika_client.scoring.compare_groups import summary as group_summary
from clika_client.scoring.differences import Comparison, Difference
from clika_client.scoring.paired import CANNOT_TELL, NOT_DEFINED, NOT_RANKED, PairedEstimate

_FAINT = {CANNOT_TELL: FAINT, NOT_RANKED: f"{FAINT} italic", NOT_DEFINED: FAINT}
_WHOLE = 24
"""Languages, over all tables, up to which each has its lines; of more only those in which something can be told."""


def render_comparison(comparison: Comparison, console: Console, details: bool = False) -> None:
    """What can be said in words, then two tables per set: accuracy and consistency.

    With many languages and sets the tables have only those in which something can be told, unless `details`.
    """
    everything = details or len(comparison.differences) <= _WHOLE
    first, *others = comparison.summary
    console.print(Text(cleaned(first, console), style="bold"))
    for sentence in others:
        console.print(Text(cleaned(sentence, console)))
    for mean in comparison.means:
        rows = [d for d in comparison.differences if (d.set, d.split) == (mean.set, mean.split)]
        title = f"{mean.set} · {mean.split}" if mean.split else mean.set
        console.print()
        console.print(Text(cleaned(f"{title}: A = {comparison.a}, B = {comparison.b}", console), style="bold"))
        console.print(_accuracy([d for d in rows if everything or _told(d.accuracy)] + [mean], console))
        if any(d.en_co.defined for d in rows):
            console.print(
                Text(f"Consistency, corrected for chance; beside it en-CO ({comparison.variant})", style="bold")
            )
            told = [d for d in rows if everything or _told(d.en_co_chance_corrected)]
            console.print(_consistency([*told, mean], console))
    console.print()
    for note in (*comparison.notes, *_method(comparison), *([] if everything else [_LEFT_OUT])):
        console.print(Text(cleaned(note, console), style=FAINT))


_LEFT_OUT = (
    "The tables leave out languages in which the data cannot tell or that are not ranked: --details has them all."
)


def _told(estimate: PairedEstimate) -> bool:
    """Whether a difference is stated."""
    return estimate.verdict not in _FAINT


def render_changes(changes: Sequence[GroupChange], console: Console, variant: str, details: bool = False) -> None:
    """What can be said in words, then one table per set and pair of groups; `details` as in `render_comparison`."""
    everything = details or len(changes) <= _WHOLE
    for sentence in group_summary(changes):
        console.print(Text(cleaned(sentence, console)))
    for name, split, base, group in dict.fromkeys((c.set, c.split, c.base, c.group) for c in changes):
        rows = [c for c in changes if (c.set, c.split, c.base, c.group) == (name, split, base, group)]
        grids = [
            _changes([c for c in rows if everything or _stated(c, field)], field, beside, title, console)
            for field, beside, title in (("ra", "", "RA"), ("en_co_chance_corrected", "en_co", "consistency"))
        ]
        if not any(grid.row_count for grid in grids):
            continue  # the sentence above says that nothing changed
        title = f"{name} · {split}" if split else name
        console.print()
        console.print(Text(cleaned(f"{title}: from {base} to {group}", console), style="bold"))
        for grid in grids:
            if grid.row_count and grid is grids[-1]:
                console.print(Text("Consistency, corrected for chance; beside it en-CO", style="bold"))
            if grid.row_count:
                console.print(grid)
    console.print()
    if not everything:
        console.print(Text(cleaned(_LEFT_OUT, console), style=FAINT))
    method = (
        "Means over each group's models, RA not cut off at 0; 95 % intervals and p-values by jackknife over items or "
        f"their clusters; Holm over all languages and sets of a pair of groups; en-CO ({variant}) stands beside its "
        "chance-corrected form and is not judged."
    )
    console.print(Text(cleaned(method, console), style=FAINT))


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
