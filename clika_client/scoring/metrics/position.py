"""Position bias: a model that always says the same letter looks consistent while knowing nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clika_client.common.answer_codes import MISSING, Answers, Floats, divide

FLAG_LIMITS: Mapping[str, float] = {"biased": 0.80, "degenerate": 0.95}
"""Share of the top choice, among answered items, from which a flag is raised."""


def choice_counts(answers: Answers, k: int) -> Floats:
    """How often each choice was given; shape (..., k)."""
    return np.stack([(answers == choice).sum(-1) for choice in range(k)], axis=-1).astype(np.float64)


def top_choice_share(answers: Answers, k: int) -> Floats:
    """Share of the most frequent choice among answered items; NaN when nothing was answered."""
    counts = choice_counts(answers, k)
    return divide(counts.max(-1), counts.sum(-1))


def total_variation(answers: Answers, gold: Answers, k: int) -> Floats:
    """Half the L1 distance between the choices given (of answered items) and the gold choices, 0 to 1.

    The gold distribution is over the items that have a reply.
    """
    counts = choice_counts(answers, k)
    truth = choice_counts(np.where(answers != MISSING, gold, MISSING).astype(np.int8), k)
    given = divide(counts, counts.sum(-1, keepdims=True))
    wanted = divide(truth, truth.sum(-1, keepdims=True))
    return np.asarray(0.5 * np.abs(given - wanted).sum(-1))


def flags(share: float) -> tuple[str, ...]:
    """The flags a top-choice share raises, mildest first; none for NaN."""
    return tuple(name for name, limit in FLAG_LIMITS.items() if share >= limit)
