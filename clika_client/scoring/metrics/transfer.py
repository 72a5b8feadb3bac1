"""Transfer from the language a fact comes from: ECLeKTic's, X-FaKT's scores, and the mother-tongue effect.

Sources: Goldman et al., "ECLeKTic", 2025; Aggarwal et al., "Language Models' Factuality Depends on the Language of
Inquiry" (X-FaKT), 2025. An item's source language is its tag `original_lang`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Bools, Floats, divide


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


def factual_recall(foreign: npt.ArrayLike, native: npt.ArrayLike) -> Floats:
    """X-FaKT's Factual Recall Score, 0 to 1: `native` and `foreign` are the mean error rates m2 and m1, 0 to 1.

    The means go over pairs of a language and a country: m2 over those that belong together, m1 over all others.
    """
    m1, m2 = np.asarray(foreign, np.float64), np.asarray(native, np.float64)
    return np.asarray(1.5 * (1 / (m1 + m2 + 1) - 1 / 3))


def transferability(foreign: npt.ArrayLike, native: npt.ArrayLike) -> Floats:
    """X-FaKT's Knowledge Transferability Score, 0 to 1: 1 where errors do not depend on the language of asking."""
    m1, m2 = np.asarray(foreign, np.float64), np.asarray(native, np.float64)
    return np.asarray(2 * (1 / (np.abs(m1 - m2) + 1) - 0.5))


def x_fakt(foreign: npt.ArrayLike, native: npt.ArrayLike) -> Floats:
    """X-FAKT, the harmonic mean of the two; 0 where both are 0."""
    recall, moved = factual_recall(foreign, native), transferability(foreign, native)
    both = recall + moved
    return np.where(np.isnan(both), np.nan, divide(2 * recall * moved, both, empty=0.0))


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
