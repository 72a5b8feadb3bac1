"""Is a difference more than luck? McNemar's exact test, and Holm's correction for asking often."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from clika_client.common.answer_codes import Bools


def discordant(a_right: Bools, b_right: Bools) -> tuple[int, int]:
    """(right in a only, right in b only) of two paired boolean arrays."""
    return int((a_right & ~b_right).sum()), int((b_right & ~a_right).sum())


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact p-value of McNemar's test on `b` and `c` discordant items; 1 when there are none."""
    n = b + c
    tail = sum(comb(n, i) for i in range(min(b, c) + 1))
    # Big integers: exact for any n, where 0.5 ** n would run out of float range.
    return min(1.0, 2 * tail / (1 << n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given."""
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = worst
    return adjusted
