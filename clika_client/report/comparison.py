"""Comparisons of models, and changes between groups of them, as terminal tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.report.terminal import cleaned
from clika_client.scoring.compare import Comparison, Difference, summary
from clika_client.scoring.compare_groups import Change
from clika_client.scoring.compare_groups import summary as group_summary

_FAINT = {"cannot tell": "dim", "not ranked": "grey50 italic", "not defined": "dim"}


def render_comparison(comparison: Comparison, console: Console) -> None:
    """One table per set, then what can be said in words."""
    for name, split in dict.fromkeys((d.set, d.split) for d in comparison.differences):
        rows = [d for d in comparison.differences if (d.set, d.split) == (name, split)]
        title = f"{name} · {split}" if split else name
        console.print(Text(cleaned(f"{title}: A = {comparison.a}, B = {comparison.b}", console), style="bold"))
        console.print(_accuracy(rows, console))
        if any(d.en_co_diff == d.en_co_diff for d in rows):
            console.print(_en_co(rows, console))
        console.print()
    for sentence in summary(comparison):
        console.print(Text(cleaned(sentence, console)))
    for note in (*comparison.notes, *_method(comparison.bootstrap, comparison.seed, comparison.variant)):
        console.print(Text(cleaned(note, console), style="dim"))


def render_changes(changes: Sequence[Change], console: Console, bootstrap: int, seed: int, variant: str) -> None:
    """One table per set and pair of groups, then what can be said in words."""
    for name, split, base, group in dict.fromkeys((c.set, c.split, c.base, c.group) for c in changes):
        rows = [c for c in changes if (c.set, c.split, c.base, c.group) == (name, split, base, group)]
        title = f"{name} · {split}" if split else name
        console.print(Text(cleaned(f"{title}: from {base} to {group}", console), style="bold"))
        for field, title in (("ra", "RA"), ("en_co", "en-CO")):
            console.print(_changes(rows, field, title, console))
        console.print()
    for sentence in group_summary(changes):
        console.print(Text(cleaned(sentence, console)))
    method = (
        f"Means over each group's models; 95 % intervals and p-values by paired bootstrap over items "
        f"({bootstrap:,} draws, seed {seed}); Holm over all languages and sets of a pair of groups; en-CO: {variant}."
    )
    console.print(Text(cleaned(method, console), style="dim"))


def _accuracy(rows: Sequence[Difference], console: Console) -> Table:
    grid = _grid("accuracy", "n", "A", "B", "B - A", "95 %", "only A", "only B", "p Holm", "")
    for d in rows:
        said = _who(d.verdict)
        grid.add_row(
            cleaned(d.language, console),
            str(d.n),
            _share(d.accuracy_a),
            _share(d.accuracy_b),
            _signed(d.accuracy_diff),
            _range(d.accuracy_diff_low, d.accuracy_diff_high),
            str(d.only_a),
            str(d.only_b),
            _p(d.p_holm),
            Text(said, style=_FAINT.get(said, "bold")),
        )
    return grid


def _en_co(rows: Sequence[Difference], console: Console) -> Table:
    grid = _grid("en-CO", "n", "A", "B", "B - A", "95 %", "p Holm", "")
    for d in (d for d in rows if d.en_co_diff == d.en_co_diff):
        said = _who(d.en_co_verdict)
        grid.add_row(
            cleaned(d.language, console),
            str(d.n),
            _share(d.en_co_a),
            _share(d.en_co_b),
            _signed(d.en_co_diff),
            _range(d.en_co_diff_low, d.en_co_diff_high),
            _p(d.en_co_p_holm),
            Text(said, style=_FAINT.get(said, "bold")),
        )
    return grid


def _changes(rows: Sequence[Change], field: str, title: str, console: Console) -> Table:
    grid = _grid(title, "before", "after", "change", "95 %", "p Holm", "")
    for change in rows:
        before, after, value, low, high, p, verdict = (
            getattr(change, f"{field}_{end}") for end in ("base", "group", "change", "low", "high", "p_holm", "verdict")
        )
        if value != value:
            continue
        mark = " (one letter: " + ", ".join(change.degenerate) + ")" if change.degenerate else ""
        grid.add_row(
            cleaned(change.language + mark, console),
            _share(before),
            _share(after),
            _signed(value),
            _range(low, high),
            _p(p),
            Text(verdict, style=_FAINT.get(verdict, "bold")),
        )
    return grid


def _grid(*headers: str) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for i, header in enumerate(headers):
        grid.add_column(header, justify="right" if i else "left", no_wrap=i > 0, overflow="fold")
    return grid


def _who(verdict: str) -> str:
    return {"a": "A better", "b": "B better"}.get(verdict, verdict)


def _method(bootstrap: int, seed: int, variant: str) -> tuple[str, ...]:
    return (
        "Accuracy: McNemar's exact test on the items only one of the two has right. en-CO "
        f"({variant}): paired bootstrap over items, {bootstrap:,} draws, seed {seed}. Holm over all languages and sets "
        "of this comparison; a difference is stated below p = .05.",
    )


def _share(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"


def _signed(value: float) -> str:
    return "-" if value != value else f"{value:+.3f}"


def _range(low: float, high: float) -> str:
    return "" if low != low else f"{low:+.2f} {high:+.2f}"


def _p(value: float) -> str:
    return "-" if value != value else "<.001" if value < 0.001 else f"{value:.3f}"
