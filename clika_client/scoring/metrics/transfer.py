"""Transfer from the language a fact comes from: ECLeKTic-style transfer and the mother-tongue effect.

Source of the first: Goldman et al., "ECLeKTic", 2025. An item's source language is its tag `original_lang`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Bools, divide


class Eclektic(NamedTuple):
    """Both are shares over (item, target language) pairs, the source cell itself never being a target."""

    overall: float
    """Right in the source and in the target."""
    transfer: float
    """P(target right given source right); NaN when no source is right."""


def eclektic(right: Bools, source: npt.NDArray[np.int64], valid: Bools | None = None) -> Eclektic:
    """`right` is (languages, items), `source` the row of each item's source language (-1: none, item left out).

    `valid` marks the cells with a reply; a pair needs a reply in source and target.
    """
    items = np.flatnonzero(source >= 0)
    right, source = right[:, items], source[items]
    valid = np.ones(right.shape, np.bool_) if valid is None else valid[:, items]
    columns = np.arange(len(items))
    target = np.ones(right.shape, np.bool_)
    target[source, columns] = False
    pairs = target & valid & valid[source, columns]
    known = pairs & right[source, columns]
    moved = (known & right).sum()
    return Eclektic(float(divide(moved, pairs.sum())), float(divide(moved, known.sum())))


class MotherTongue(NamedTuple):
    """Accuracy on the items that come from a language, asked in that language and asked in the anchor."""

    n: int
    own: float
    anchor: float
    own_only: int
    """Items right in their own language alone; with `anchor_only` the discordant pairs of McNemar's test."""
    anchor_only: int

    @property
    def effect(self) -> float:
        """acc(l on items of l) - acc(anchor on items of l)."""
        return self.own - self.anchor


def mother_tongue(own_right: Bools, anchor_right: Bools, from_language: Bools) -> MotherTongue:
    """Paired comparison over the items marked in `from_language` (replied to in both); arrays of shape (items,)."""
    own, anchor = own_right[from_language], anchor_right[from_language]
    n = int(from_language.sum())
    return MotherTongue(
        n,
        float(divide(own.sum(), n)),
        float(divide(anchor.sum(), n)),
        int((own & ~anchor).sum()),
        int((anchor & ~own).sum()),
    )
