"""What a comparison says, as sentences: overall first, then where, then where nobody can tell and who is not ranked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clika_client.common.wording import counted
from clika_client.scoring.differences import Comparison, Difference
from clika_client.scoring.paired import CANNOT_TELL, PairedEstimate

_NOT_RANKED = "not ranked"
"""Begins the one clause that begins with neither a name nor a number."""


def summary(comparison: Comparison) -> list[str]:
    """The conclusions, most important first: one sentence over all sets, then one per set."""
    several = len(comparison.means) > 1
    said = [_overall(comparison, comparison.overall, "Over all sets" if several else _title(comparison.means[0]))]
    for mean in comparison.means:
        rows = [d for d in comparison.differences if (d.set, d.split) == (mean.set, mean.split)]
        clauses = _clauses(comparison, rows)
        if several:
            said.append(_overall(comparison, mean, _title(mean)) + (" " + _sentence(clauses) if clauses else ""))
        elif clauses:
            said.append(_sentence(clauses))
    return said


def _overall(comparison: Comparison, mean: Difference, where: str) -> str:
    accuracy, corrected = mean.accuracy, mean.en_co_chance_corrected
    over = (
        f"mean over {counted(len(mean.languages), 'language')}" if len(mean.languages) > 1 else "".join(mean.languages)
    )
    if comparison.languages_of_one:
        name = comparison.a.removesuffix(f" in {comparison.anchor}")
        if not accuracy.defined:
            return f"{where}: {name} cannot be judged: no language whose answers say anything."
        word = "behind" if accuracy.diff < 0 else "ahead of"
        tail = "" if accuracy.verdict in ("a", "b") else ", which these items cannot tell from none"
        return (
            f"{where}: the other languages of {name} are {_points(accuracy, absolute=True)} {word} {comparison.anchor} "
            f"({over}){tail}."
        )
    said = _who(comparison, accuracy, "is more accurate than", "accuracy")
    parts = [f"{where}: {said} ({over})" if over else f"{where}: {said}"]
    if corrected.defined:
        parts.append(_who(comparison, corrected, "is more consistent across languages than", "corrected consistency"))
    return "; ".join(parts) + "."


def _who(comparison: Comparison, estimate: PairedEstimate, verb: str, what: str) -> str:
    a, b = comparison.a, comparison.b
    if not estimate.defined:
        return f"no {what} to compare: no language whose answers say anything in both"
    if estimate.verdict == "b":
        return f"{b} {verb} {a} by {_points(estimate)}"
    if estimate.verdict == "a":
        return f"{a} {verb} {b} by {_points(estimate, turned=True)}"
    return f"which of {a} and {b} {verb.removesuffix(' than')} cannot be told ({_points(estimate)} for {b})"


def _points(e: PairedEstimate, turned: bool = False, absolute: bool = False) -> str:
    """A difference in points with its interval; `turned` for A - B."""
    turned = turned or (absolute and e.diff < 0)
    diff, low, high = (-e.diff, -e.high, -e.low) if turned else (e.diff, e.low, e.high)
    sign = "" if absolute else "+"
    return f"{100 * diff:{sign}z.1f} points [{100 * low:{sign}z.1f}, {100 * high:{sign}z.1f}]"


def _title(mean: Difference) -> str:
    return mean.set if mean.split is None else f"{mean.set} ({mean.split})"


def _sentence(clauses: Sequence[str]) -> str:
    text = "; ".join(clauses) + "."
    return text[0].upper() + text[1:] if text.startswith(_NOT_RANKED) else text


def _clauses(comparison: Comparison, rows: Sequence[Difference]) -> list[str]:
    return [*_accuracy(comparison, rows), *_unclear(rows), *_consistency(comparison, rows), *_hollow(comparison, rows)]


def _sides(comparison: Comparison) -> tuple[tuple[str, str, str], ...]:
    """(verdict, the better one, the worse one), B first: the one that is asked about."""
    return (("b", comparison.b, comparison.a), ("a", comparison.a, comparison.b))


def _accuracy(comparison: Comparison, rows: Sequence[Difference]) -> Iterator[str]:
    for side, better, worse in _sides(comparison):
        where = ", ".join(d.language for d in rows if d.accuracy.verdict == side)
        if where and comparison.languages_of_one:
            yield f"{where} {'ahead of' if side == 'b' else 'behind'} {comparison.anchor}"
        elif where:
            yield f"{better} is more accurate than {worse} in {where}"


def _unclear(rows: Sequence[Difference]) -> Iterator[str]:
    unclear = [d.language for d in rows if d.accuracy.verdict == CANNOT_TELL]
    if unclear:
        yield f"{counted(min(d.n for d in rows), 'item')} cannot tell the two apart in {', '.join(unclear)}"


def _consistency(comparison: Comparison, rows: Sequence[Difference]) -> Iterator[str]:
    for side, better, worse in _sides(comparison):
        where = ", ".join(d.language for d in rows if d.en_co_chance_corrected.verdict == side)
        if where:
            yield f"{better} is more consistent with {comparison.anchor} than {worse} in {where}"


def _hollow(comparison: Comparison, rows: Sequence[Difference]) -> Iterator[str]:
    """Answers that say nothing, such as one letter throughout: their languages are in no ranking."""
    flags_of = ((comparison.a, [d.flags_a for d in rows]), (comparison.b, [d.flags_b for d in rows]))
    for name, flags in flags_of:
        where = ", ".join(d.language for d, found in zip(rows, flags, strict=True) if found)
        if where:
            kinds = sorted({flag for found in flags for flag in found})
            yield f"{_NOT_RANKED} in {where}: the answers of {name} are {' or '.join(kinds)} there"
