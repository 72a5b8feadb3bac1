"""The second level: does the model know the same items in two languages?

Overlap is a function of one 2x2 table, right or wrong in the anchor against right or wrong in the other language. What
overlap two answerers reach who know nothing of each other is a matter of their accuracies, and of their habits: one who
always says A is right exactly where the gold is A. So the expectation is taken among items whose gold stands at the
same place (a stratum), and two people with the same favourite letter are expected to agree as much as they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from clika_client.common.answer_codes import Answers, Bools, Floats, divide
from clika_client.scoring.metrics.performance import correct, received


class Table(NamedTuple):
    """Items counted by where they are right; items without a reply in either language are in no count."""

    both: Floats
    anchor_only: Floats
    other_only: Floats
    neither: Floats

    @property
    def n(self) -> Floats:
        """Items of the pair."""
        return self.both + self.anchor_only + self.other_only + self.neither

    @property
    def anchor(self) -> Floats:
        """Items right in the anchor, |C_en|."""
        return self.both + self.anchor_only

    @property
    def other(self) -> Floats:
        """Items right in the other language, |C_x|."""
        return self.both + self.other_only

    def with_both(self, both: Floats) -> Table:
        """The table with the same two accuracies, and `both` items right in both."""
        return Table(both, self.anchor - both, self.other - both, self.n - self.anchor - self.other + both)


class Strata(NamedTuple):
    """Items by where their gold stands; arrays (..., strata, replicates)."""

    n: Floats
    anchor: Floats
    """Right in the anchor."""
    other: Floats
    """Right in the other language."""

    @property
    def expected_both(self) -> Floats:
        """Items right in both if, given the gold's position, the languages had nothing to do with each other."""
        return np.asarray(divide(self.anchor * self.other, self.n, empty=0.0).sum(-2))

    @property
    def most_both(self) -> Floats:
        """Items right in both if they overlapped as far as the accuracies at each position allow."""
        return np.asarray(np.minimum(self.anchor, self.other).sum(-2))


def tabulate(anchor_right: Bools, other_right: Bools, valid: Bools | None = None) -> Table:
    """The 2x2 table of two boolean arrays, items last; `valid` marks the items both languages replied to."""
    valid = np.ones(anchor_right.shape[-1], np.bool_) if valid is None else valid
    anchor, other = anchor_right & valid, other_right & valid
    both = (anchor & other).sum(-1)
    anchor_only, other_only = anchor.sum(-1) - both, other.sum(-1) - both
    neither = valid.sum(-1) - both - anchor_only - other_only
    return Table(*(np.asarray(count, np.float64) for count in (both, anchor_only, other_only, neither)))


def table_of(anchor: Answers, other: Answers, gold: Answers) -> Table:
    """The 2x2 table of two answer arrays."""
    return tabulate(correct(anchor, gold), correct(other, gold), received(anchor) & received(other))


def strata_of(anchor: Answers, other: Answers, gold: Answers, by: Answers | None = None) -> Strata:
    """Items by the gold's position, or by any other labels `by` (items,); arrays (..., strata, 1)."""
    valid = received(anchor) & received(other)
    labels = gold if by is None else by
    members = np.unique(labels)[:, None] == labels
    parts = (valid, correct(anchor, gold) & valid, correct(other, gold) & valid)
    return Strata(*((p[..., None, :] & members).sum(-1, keepdims=True).astype(np.float64) for p in parts))


def jaccard(t: Table) -> Floats:
    """en-CO as the paper cites it: right in both / right in either; 0 when right in neither, NaN without items."""
    return _known(divide(t.both, t.both + t.anchor_only + t.other_only, empty=0.0), t)


def recall(t: Table) -> Floats:
    """Share of what the anchor knows that the other language knows too; 0 when the anchor knows nothing."""
    return _known(divide(t.both, t.anchor, empty=0.0), t)


def dice(t: Table) -> Floats:
    """2 * right in both / (right in anchor + right in other); 0 when right in neither."""
    return _known(divide(2 * t.both, t.anchor + t.other, empty=0.0), t)


def forward_transfer(t: Table) -> Floats:
    """P(other right given anchor right); NaN when the anchor is right nowhere."""
    return divide(t.both, t.anchor)


def reverse_transfer(t: Table) -> Floats:
    """P(anchor right given other right); NaN when the other language is right nowhere."""
    return divide(t.both, t.other)


class Variant(NamedTuple):
    """One way to measure overlap, and what it is a share of."""

    measure: Callable[[Table], Floats]
    out_of: Callable[[Table], Floats]


VARIANTS: Mapping[str, Variant] = {
    "jaccard": Variant(jaccard, lambda t: t.both + t.anchor_only + t.other_only),
    "recall": Variant(recall, lambda t: t.anchor),
    "dice": Variant(dice, lambda t: (t.anchor + t.other) / 2),
}
"""The paper's code does not contain en-CO, so every output names the variant it used."""


def expected(t: Table, strata: Strata, variant: str = "jaccard") -> Floats:
    """The overlap expected of two answerers with these accuracies at each gold position, and nothing in common."""
    return VARIANTS[variant].measure(t.with_both(strata.expected_both))


def ceiling(t: Table, strata: Strata, variant: str = "jaccard") -> Floats:
    """Chance-corrected overlap if the smaller knowledge lay wholly within the larger; NaN as `chance_corrected`."""
    blind = expected(t, strata, variant)
    most = VARIANTS[variant].measure(t.with_both(strata.most_both))
    return divide(most - blind, _room(most, blind))


def chance_corrected(t: Table, strata: Strata, variant: str = "jaccard") -> Floats:
    """(overlap - E) / (1 - E) with E the expectation; NaN where nothing can be told.

    Nothing can be told where the accuracies leave no choice: with the anchor (or the other language) right everywhere
    or nowhere at each gold position, overlap can only be what is expected.
    """
    blind = expected(t, strata, variant)
    most = VARIANTS[variant].measure(t.with_both(strata.most_both))
    return divide(VARIANTS[variant].measure(t) - blind, _room(most, blind))


def _room(most: Floats, blind: Floats) -> Floats:
    """1 - E, or 0 where the overlap could not be anything but E."""
    return np.where(most - blind > 1e-12, 1.0 - blind, 0.0)


def all_pairs(answers: Answers, gold: Answers, variant: str = "jaccard") -> Floats:
    """The measure between every two languages; `answers` is (languages, items), the result (languages, languages).

    Row: anchor. Symmetric for jaccard and dice.
    """
    return VARIANTS[variant].measure(table_of(answers[:, None, :], answers[None, :, :], gold))


def _known(value: Floats, t: Table) -> Floats:
    """NaN where the pair has no item at all."""
    return np.where(t.n > 0, value, np.nan)
