"""By how much must a design effect that few clusters tell be raised, so that 95 % intervals hold the truth so often?

Student's t would be right if design effects below 1 were believed; they are not, as items that belong together never
tell more than items that do not. So t makes intervals too wide where items hardly go together: the mean of twenty items
in ten pairs is held .97 of the time. The factor here gives what is promised in the mean over all intraclass
correlations from 0 to 1, where errors are normal and the effect found is the true one times chi-square over its degrees
of freedom.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from clika_client.common.answer_codes import Floats
from clika_client.scoring.metrics.jackknife import Units
from clika_client.scoring.metrics.student import quantile

_CORRELATIONS = (np.arange(20) + 0.5) / 20
_SIZES = np.geomspace(1.05, 100, 16)
"""Cluster sizes the factor is computed for; between them it is interpolated."""
_QUANTILES, _HALVINGS = 200, 30
_X = np.linspace(0.0, 8.0, 4001)
_INSIDE = np.array([math.erf(x / math.sqrt(2)) for x in _X])
"""P(|Z| <= x)."""


def equal_clusters(units: Units) -> float:
    """How many clusters of equal size tell as much about how items go together: n² / Σ m² (Kish, 1965).

    Half of the items in one of forty clusters leave less than four: Satterthwaite's degrees of freedom, and one, of a
    sum of independent errors in proportion to the sizes.
    """
    sizes = np.bincount(units).astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.sum() else 0.0


def raised(effect: Floats, size: Floats, clusters: float, level: float) -> Floats:
    """Design effects as found, times what their uncertainty adds; `size` is the largest each can be.

    `clusters` are those of equal size; infinite for a single one, of which nothing can be said.
    """
    if clusters <= 1:
        return np.full(np.shape(effect), math.inf)
    factors = _factors(round(max(clusters - 1, 1.0), 2), level)
    return np.asarray(effect * np.interp(np.log(size), np.log(_SIZES), factors))


def coverage(effect: Floats, factor: float, df: float, level: float) -> Floats:
    """How often an interval holds the truth, its effect being the found one times `factor`, and 1 at least."""
    found = effect[..., None] * _chi_square(df) / df
    told = quantile(level) * np.sqrt(np.maximum(1.0, factor * found) / effect[..., None])
    return np.asarray(np.interp(told, _X, _INSIDE).mean(-1))


@lru_cache(maxsize=256)
def _factors(df: float, level: float) -> Floats:
    """Per cluster size the factor with which coverage is `level` in the mean over intraclass correlations."""
    found = []
    for size in _SIZES:
        effects = 1 + (size - 1) * _CORRELATIONS
        low, high = 0.1, 2000.0
        for _ in range(_HALVINGS):
            middle = math.sqrt(low * high)
            enough = coverage(effects, middle, df, level).mean() >= level
            low, high = (low, middle) if enough else (middle, high)
        found.append(high)
    return np.array(found)


@lru_cache(maxsize=256)
def _chi_square(df: float) -> Floats:
    """Quantiles of chi-square, each standing for as much of it; from its density, summed up."""
    x = np.linspace(0.0, df + 12 * math.sqrt(2 * df) + 20, 20_001)[1:]
    log_density = (df / 2 - 1) * np.log(x) - x / 2
    below = np.cumsum(np.exp(log_density - log_density.max()))
    return np.asarray(np.interp((np.arange(_QUANTILES) + 0.5) / _QUANTILES, below / below[-1], x))
