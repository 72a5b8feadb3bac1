"""How sure is a share? Wilson's interval, and the settings that all intervals have in common."""

from __future__ import annotations

import math
from math import sqrt
from statistics import NormalDist

import numpy as np

from clika_client.common.answer_codes import Floats

DRAWS = 10_000
LEVEL = 0.95


def wilson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval for a proportion, as fractions; NaN for n = 0."""
    if n == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p = successes / n
    centre, spread = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # Rounding must not push a bound past the figure it bounds.
    return min(max(0.0, (centre - spread) / scale), p), max(min(1.0, (centre + spread) / scale), p)


def wilson_ends(share: Floats, n: Floats, z: float) -> tuple[Floats, Floats]:
    """Ends of Wilson's interval for shares of `n`, which need not be whole; NaN where n is 0 or the share is."""
    n = np.where(n > 0, n, np.nan)
    centre, spread = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return np.clip((centre - spread) / scale, 0.0, share), np.clip((centre + spread) / scale, share, 1.0)
