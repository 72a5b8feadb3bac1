"""The second level: does the model know the same items in two languages? Every measure here is a function
of one 2x2 table, right or wrong in the anchor against right or wrong in the other language."""

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


def independence_jaccard(t: Table) -> Floats:
    """Jaccard expected if the two languages were right independently: pq / (p + q - pq)."""
    p, q = divide(t.anchor, t.n), divide(t.other, t.n)
    return _known(divide(p * q, p + q - p * q, empty=0.0), t)


def independence_recall(t: Table) -> Floats:
    """Recall expected under independence: q, and 0 where the anchor knows nothing."""
    return _known(np.where(t.anchor > 0, divide(t.other, t.n), 0.0), t)


def independence_dice(t: Table) -> Floats:
    """Dice expected under independence: 2pq / (p + q)."""
    p, q = divide(t.anchor, t.n), divide(t.other, t.n)
    return _known(divide(2 * p * q, p + q, empty=0.0), t)


class Variant(NamedTuple):
    """One way to measure overlap, with what blind coincidence would give."""

    measure: Callable[[Table], Floats]
    expected: Callable[[Table], Floats]


VARIANTS: Mapping[str, Variant] = {
    "jaccard": Variant(jaccard, independence_jaccard),
    "recall": Variant(recall, independence_recall),
    "dice": Variant(dice, independence_dice),
}
"""The paper's code does not contain en-CO, so every output names the variant it used."""


def chance_corrected(t: Table, variant: str = "jaccard") -> Floats:
    """(J - E) / (1 - E) with E the independence expectation of the variant; NaN where E = 1."""
    chosen = VARIANTS[variant]
    expected = chosen.expected(t)
    return divide(chosen.measure(t) - expected, 1.0 - expected)


def kappa_correct(t: Table) -> Floats:
    """Cohen's kappa on right/wrong; NaN where expected agreement is 1."""
    p, q = divide(t.anchor, t.n), divide(t.other, t.n)
    expected = p * q + (1 - p) * (1 - q)
    return divide(divide(t.both + t.neither, t.n) - expected, 1.0 - expected)


def all_pairs(answers: Answers, gold: Answers, variant: str = "jaccard") -> Floats:
    """The measure between every two languages; `answers` is (languages, items), the result (languages, languages).

    Row: anchor. Symmetric for jaccard and dice.
    """
    return VARIANTS[variant].measure(table_of(answers[:, None, :], answers[None, :, :], gold))


def _known(value: Floats, t: Table) -> Floats:
    """NaN where the pair has no item at all."""
    return np.where(t.n > 0, value, np.nan)
