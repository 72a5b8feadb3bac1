"""RankC: do two languages rank the choices alike? Needs a score per choice.

Source: Qi, Fernández and Bisazza, "Cross-Lingual Consistency of Factual Knowledge", EMNLP 2023, section 3.
"""

from __future__ import annotations

import math

import numpy as np

from clika_client.common.answer_codes import Bools, Floats


def weights(n: int) -> Floats:
    """w_j = softmax over j = 1..N of N - j + 1; shape (N,)."""
    powers = np.exp(np.arange(n, 0, -1, dtype=np.float64) - n)
    return np.asarray(powers / powers.sum())


def rankings(scores: Floats) -> Floats:
    """Choices from best to worst, items x N; ties keep the order of the choices, NaN ranks last."""
    filled = np.where(np.isnan(scores), -np.inf, scores)
    return np.argsort(-filled, axis=-1, kind="stable").astype(np.float64)


def among_first(ranked: Floats) -> Bools:
    """Rankings (..., N) as (..., j, choice): does the choice stand among the first j?"""
    n = ranked.shape[-1]
    place = np.argsort(ranked, axis=-1)
    return np.asarray(place[..., None, :] < np.arange(1, n + 1)[:, None])


def rankc_items(ranked_a: Floats, ranked_b: Floats) -> Floats:
    """Per item, sum over j of w_j |top_j(a) and top_j(b) shared| / j; inputs (..., N), best choice first."""
    n = ranked_a.shape[-1]
    shared = (among_first(ranked_a) & among_first(ranked_b)).sum(-1) / np.arange(1, n + 1)
    return np.asarray(shared @ weights(n))


def rankc(scores_a: Floats, scores_b: Floats) -> float:
    """Mean RankC over items from choice scores (items x N); items scored in only one language are left out."""
    valid = ~np.isnan(scores_a).all(-1) & ~np.isnan(scores_b).all(-1)
    if not valid.any():
        return math.nan
    return float(rankc_items(rankings(scores_a[valid]), rankings(scores_b[valid])).mean())


def expected_rankc(n: int) -> float:
    """RankC of two random rankings of N choices: two top-j lists share j/N of their places on average."""
    return float(weights(n) @ (np.arange(1, n + 1) / n))


def corrected_rankc(value: float, n: int) -> float:
    """(R - E) / (1 - E)."""
    expected = expected_rankc(n)
    return (value - expected) / (1.0 - expected)
