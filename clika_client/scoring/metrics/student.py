"""Student's t distribution: p-values and quantiles for figures whose uncertainty rests on few clusters."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_ALMOST_NORMAL = 1e6
"""From this many degrees of freedom on the normal distribution is the same to ten places."""


def two_sided_p(t: float, df: float = math.inf) -> float:
    """P(|T| >= |t|) with `df` degrees of freedom (infinite: the normal distribution)."""
    if math.isnan(t):
        return math.nan
    if df >= _ALMOST_NORMAL:
        return math.erfc(abs(t) / math.sqrt(2))
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t), t * t / (df + t * t))


@lru_cache(maxsize=4096)
def quantile(level: float, df: float = math.inf) -> float:
    """The t with P(|T| <= t) = `level`: 1.96 for 95 % and infinite `df`. Raises ValueError for df < 1."""
    if df < 1:
        raise ValueError(f"Student's t needs at least one degree of freedom, got {df}")
    if df >= _ALMOST_NORMAL:
        return _NORMAL.inv_cdf(0.5 + level / 2)
    low, high = 0.0, 1.0
    while two_sided_p(high, df) > 1 - level:
        low, high = high, 2 * high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided_p(middle, df) > 1 - level else (low, middle)
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """Regularised I_x(a, b) by Lentz's continued fraction (Press et al., Numerical Recipes, section 6.4).

    `rest` is 1 - x, given by the caller: beside an x of nearly 1 a difference would keep half of its digits.
    """
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, rest, x)
    # The logarithm of the larger of the two is taken from the smaller, which has all its digits.
    log_x, log_rest = (math.log(x), math.log1p(-x)) if x < rest else (math.log1p(-rest), math.log(rest))
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * log_x + b * log_rest)
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 500):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / _not_zero(1 + step * d), _not_zero(1 + step / c)
            value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return front * value / a


def _not_zero(value: float) -> float:
    return value if abs(value) > 1e-300 else 1e-300
