"""How sure a model is, and whether that tells right from wrong: from a score per choice, one language at a time.

A choice's probability is its share among the choices of the question: exp(score) over the sum of all. Figures of two
languages can be compared, where the questions are parallel; those of two ways of asking cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clika_client.common.answer_codes import Answers, Bools, Floats

BINS = 10


@dataclass(frozen=True, slots=True)
class Confidence:
    """Figures of one language; NaN where there is nothing to say."""

    margin: float
    """Mean difference between the probabilities of the first and the second choice."""
    brier: float
    """Mean over questions of the sum over choices of (probability - 1 if right, else 0) squared (Brier 1950): 0 is
    best, 1 - 1/k is that of equal probabilities."""
    auc: float
    """Probability that a right answer was given with more confidence than a wrong one, ties counting half; .5 tells
    nothing. NaN where all answers are right, or all wrong."""
    calibration_error: float
    """Mean difference between confidence and accuracy over ten bins of confidence, weighted by their size (ECE of Guo
    et al. 2017); for few questions it is above 0 by chance alone."""


@dataclass(frozen=True, slots=True)
class Described:
    """What documents and tables say of a figure of `Confidence`."""

    field: str
    name: str
    title: str
    formula: str
    null_when: str


_NO_SHARES = "no choice probabilities"

DESCRIBED: tuple[Described, ...] = (
    Described(
        "auc", "AUC of confidence", "AUC",
        "P(s of a right answer > s of a wrong one) + P(equal) / 2, s = max_c P(c); .5 tells nothing",
        f"{_NO_SHARES}, all right, or all wrong",
    ),
    Described(
        "brier", "Brier score", "Brier", "mean Σ_c (P(c) - [c is right])²; 1 - 1/k with equal probabilities", _NO_SHARES
    ),
    Described(
        "calibration_error", "expected calibration error", "calibration error",
        "Σ_b n_b / n |accuracy in b - mean s in b|, b ten bins of s of equal width", _NO_SHARES,
    ),
    Described("margin", "margin", "margin", "mean of the largest P(c) - the second largest", _NO_SHARES),
)  # fmt: skip
"""P(c): a choice's share of the probability of the item's choices. These figures have no interval."""

NOTHING = Confidence(math.nan, math.nan, math.nan, math.nan)


def confidence(scores: Floats, gold: Answers) -> Confidence:
    """Figures from log scores (items, choices), NaN where a choice was not offered, and the right choice (items,)."""
    known = (~np.isnan(scores)).sum(-1) > 1
    if not known.any():
        return NOTHING
    shares, right_one = _shares(scores[known]), gold[known].astype(np.int64)
    ordered = np.sort(shares, axis=-1)
    sure = ordered[:, -1]
    right = np.asarray(shares.argmax(-1) == right_one)
    target = np.zeros_like(shares)
    target[np.arange(len(shares)), right_one] = 1.0
    return Confidence(
        margin=float((sure - ordered[:, -2]).mean()),
        brier=float(((shares - target) ** 2).sum(-1).mean()),
        auc=_auc(sure, right),
        calibration_error=_calibration_error(sure, right),
    )


def _shares(scores: Floats) -> Floats:
    filled = np.where(np.isnan(scores), -np.inf, scores)
    raw = np.exp(filled - filled.max(-1, keepdims=True))
    return np.asarray(raw / raw.sum(-1, keepdims=True))


def _auc(sure: Floats, right: Bools) -> float:
    """Mann and Whitney's U over the number of pairs, by ranks that ties share; equal but for rounding is equal."""
    first, last = int(right.sum()), int((~right).sum())
    if not first or not last:
        return math.nan
    _, place, counts = np.unique(sure.round(12), return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    above = float(rank[place.reshape(-1)][right].sum()) - first * (first + 1) / 2
    return above / (first * last)


def _calibration_error(sure: Floats, right: Bools) -> float:
    bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    confident, correct = (np.bincount(bins, weights=w, minlength=BINS) for w in (sure, right.astype(np.float64)))
    return float(np.abs(confident - correct).sum() / len(sure))
