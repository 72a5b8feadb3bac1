"""Which items are right and which have a reply, and the shares of both."""

from __future__ import annotations

import numpy as np

from clika_client.common.answer_codes import MISSING, Answers, Bools, Floats, divide


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


def coverage(answers: Answers, asked: Bools) -> Floats:
    """Share of the asked items that have a reply; NaN when nothing was asked."""
    return divide((received(answers) & asked).sum(-1), asked.sum(-1))
