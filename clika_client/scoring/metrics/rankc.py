"""RankC: do two languages rank the choices alike? Needs a score per choice.

Source: Qi, Fernández and Bisazza, "Cross-Lingual Consistency of Factual Knowledge", EMNLP 2023, section 3.
"""

from __future__ import annotations

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
