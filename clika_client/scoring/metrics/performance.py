"""The first level: accuracy, its re-scaled form RA, and the shares of replies that never were an answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import MISSING, Answers, Bools, Floats, answered, divide


def correct(answers: Answers, gold: Answers) -> Bools:
    """Which items were answered with the gold choice; shape of `answers`, items last."""
    return np.asarray(answers == gold)


def received(answers: Answers) -> Bools:
    """Which items have a reply, readable or not."""
    return np.asarray(answers != MISSING)


def accuracy(answers: Answers, gold: Answers) -> Floats:
    """Share of correct items among those with a reply, 0 to 1; NaN without any reply.

    A reply that names no choice stays in the denominator; a failed request does not.
    """
    return divide(correct(answers, gold).sum(-1), received(answers).sum(-1))


def rescaled_accuracy(accuracy: npt.ArrayLike, chance: float, reference: float = 1.0) -> Floats:
    """RA = max(0, (acc - r) / (A - r)); above 1 where the model beats the reference (Gao et al. 2024, section 3).

    `chance` is r = 1/k, `reference` the accuracy A that counts as 1. Raises ValueError when A <= r.
    """
    if not reference > chance:
        raise ValueError(f"reference accuracy {reference!r} must be above chance {chance!r}")
    return np.maximum(0.0, (np.asarray(accuracy, np.float64) - chance) / (reference - chance))


def no_answer_rate(answers: Answers) -> Floats:
    """Share of replies that hold no answer; NaN without any reply."""
    replies = received(answers)
    return divide((replies & ~answered(answers)).sum(-1), replies.sum(-1))


def coverage(answers: Answers, asked: Bools) -> Floats:
    """Share of the asked items that have a reply; NaN when nothing was asked."""
    return divide((received(answers) & asked).sum(-1), asked.sum(-1))
