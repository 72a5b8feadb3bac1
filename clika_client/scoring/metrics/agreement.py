"""Do two languages give the same answer, right or wrong?"""

from __future__ import annotations

import numpy as np

from clika_client.common.answer_codes import Answers, Bools, Floats, divide
from clika_client.scoring.metrics.performance import correct, received


def pair_items(a: Answers, b: Answers) -> Bools:
    """Items that both languages replied to."""
    return received(a) & received(b)


def agreement(a: Answers, b: Answers) -> Floats:
    """Share of items with the same choice; a reply that names no choice never agrees. NaN without items."""
    return divide(((a == b) & (a >= 0)).sum(-1), pair_items(a, b).sum(-1))


def kappa_answer(a: Answers, b: Answers, k: int) -> Floats:
    """Cohen's kappa on the choices, pe = sum over choices of p_c q_c over all n; NaN where pe = 1."""
    valid = pair_items(a, b)
    n = valid.sum(-1)
    expected = np.zeros(n.shape)
    for choice in range(k):
        expected = expected + divide(((a == choice) & valid).sum(-1), n) * divide(((b == choice) & valid).sum(-1), n)
    return divide(agreement(a, b) - expected, 1.0 - expected)


def same_wrong(a: Answers, b: Answers, gold: Answers) -> Floats:
    """Among items right in neither language, the share with the same wrong choice; NaN without such items.

    Two independent wrong guesses coincide 1/(k-1) of the time.
    """
    both_wrong = pair_items(a, b) & ~correct(a, gold) & ~correct(b, gold)
    return divide((both_wrong & (a == b) & (a >= 0)).sum(-1), both_wrong.sum(-1))
