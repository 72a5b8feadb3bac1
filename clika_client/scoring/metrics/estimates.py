"""Figures with their intervals, and the intervals of sums and differences of them. Nothing here has zero width.

A share gets Wilson's interval; where items come in clusters, n is divided by the design effect. A rescaled share (RA,
a kappa, a corrected overlap) is (share - floor) / (top - floor): Wilson's ends go through the same formula, with the n
that the jackknife's error of the whole expression stands for. Means over languages and differences of models keep the
ends of their parts, not symmetric near 0 and 1, and the correlation of the parts, which answer the same items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from clika_client.common.answer_codes import Floats, divide
from clika_client.scoring.metrics.distances import distance_ends
from clika_client.scoring.metrics.intervals import LEVEL, wilson_ends
from clika_client.scoring.metrics.jackknife import correlations, variance
from clika_client.scoring.metrics.student import quantile, two_sided_p


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure made from a share; arrays (..., 1 + G), the full sample first, then without each unit."""

    share: Floats
    """Between 0 and 1."""
    n: Floats
    """What the share is a share of."""
    floor: Floats | float = 0.0
    """The share that counts as 0."""
    top: Floats | float = 1.0
    """The share that counts as 1."""
    counted: bool = True
    """The share is a count of items over a count of items; False where items contribute parts."""
    parts: Floats | None = None
    """(..., choices, 1 + G): what the share is half the absolute sum of, for a distance between distributions."""

    @property
    def value(self) -> Floats:
        """(share - floor) / (top - floor); NaN where that is undefined."""
        if isinstance(self.floor, float) and self.floor == 0.0 and self.top == 1.0:
            return self.share
        return divide(self.share - self.floor, np.subtract(self.top, self.floor))

    @property
    def exact(self) -> bool:
        """Wilson's n is known without the jackknife: a plain count, rescaled by constants at most."""
        return self.counted and isinstance(self.floor, float)


class Interval(NamedTuple):
    """A figure and the ends of its 95 % interval, arrays or numbers."""

    value: Floats
    low: Floats
    high: Floats


def intervals(by_item: Estimate, by_unit: Estimate | None = None, level: float = LEVEL) -> Interval:
    """The figure's interval; `by_unit` has the replicates without each cluster, None where items stand alone."""
    robust = by_item if by_unit is None else by_unit
    if robust.parts is not None:
        df = math.inf if by_unit is None else robust.parts.shape[-1] - 2
        return Interval(by_item.value[..., 0], *distance_ends(robust.parts, level, df))
    units = robust.share.shape[-1] - 1
    share, n = by_item.share[..., 0], by_item.n[..., 0]
    floor, top = (np.asarray(end)[..., 0] if np.ndim(end) else end for end in (by_item.floor, by_item.top))
    scale = np.subtract(top, floor)
    z, t = quantile(level), z_or_t(level, units if by_unit is not None else None)
    items = by_item.share.shape[-1] - 1
    # Where nothing varies, a cluster tells no more than one item of it.
    unknown_effect = items / max(units, 1)
    if by_item.exact and by_unit is None:
        effective = n
    elif by_item.exact:
        effect = divide(variance(robust.value), variance(by_item.value))
        effect = np.where(np.isnan(effect), unknown_effect, np.minimum(effect, unknown_effect))
        effective = n / np.maximum(1.0, effect * (t / z) ** 2)
    else:
        error = variance(by_item.value)
        if by_unit is not None:
            error = np.fmax(error, variance(robust.value))
        told = divide(share * (1 - share), error * scale**2)
        sure = np.isnan(told) | (told <= 0) | (share <= 0) | (share >= 1)
        effective = np.where(sure, n / unknown_effect, np.minimum(told, _MOST * n))
        small = np.asarray(quantile(level, units - 1) if units > 1 else math.inf, np.float64)
        if not isinstance(by_item.floor, float):
            small = np.maximum(small, _few(level, n * (1 - share), np.asarray(floor)))
        effective = effective * (z / small) ** 2
    low, high = wilson_ends(share, effective, z)
    value = by_item.value[..., 0]
    ends = divide(low - floor, scale), divide(high - floor, scale)
    undefined = np.isnan(value)
    return Interval(value, *(np.where(undefined, np.nan, end) for end in ends))


_MANY = 60
"""Errors from which on Student's t is left out."""


def _few(level: float, errors: Floats, floor: Floats) -> Floats:
    """Student's t where a rescaled figure rests on few errors: where most of the share is expected anyway.

    What is left of a share above a high floor is told by the items that are not right in both alone.
    """
    counts = np.where(np.isnan(errors) | (floor < _HIGH), _MANY, np.clip(np.round(errors), 1, _MANY)).astype(np.int64)
    table = np.array([0.0, *(quantile(level, df) for df in range(1, _MANY)), 0.0], np.float64)
    return np.asarray(np.take(table, counts), np.float64)


_HIGH = 0.5
"""A floor above which less than half of the share is left to tell."""
_MOST = 4.0
"""An effective n never exceeds the real one by more: a small sample can vary too little by luck."""


def z_or_t(level: float, clusters: int | None) -> float:
    """The normal quantile for items, Student's for clusters; with a single cluster nothing can be said."""
    if clusters is None:
        return quantile(level)
    return quantile(level, clusters - 1) if clusters > 1 else math.inf


def combined(parts: Interval, replicates: Floats, weights: Floats) -> tuple[float, float, float]:
    """The weighted sum of figures (m,), with its interval; `replicates` (m, 1 + G) give how their errors go together.

    MOVER, the method of variance estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008; for two
    proportions it is Newcombe's method 10 of 1998). Where a figure does not vary, its correlation is unknown: taken as
    1 in a mean and as 0 in a difference, whichever is wider.
    """
    value = float(weights @ parts.value)
    value = 0.0 if abs(value) < 1e-12 else value
    if math.isnan(value):
        return value, math.nan, math.nan
    signs = np.outer(np.sign(weights), np.sign(weights))
    together = signs * correlations(replicates)
    together = np.where(np.isnan(together), np.maximum(signs, 0.0), together)
    down = np.abs(weights) * np.where(weights > 0, parts.value - parts.low, parts.high - parts.value)
    up = np.abs(weights) * np.where(weights > 0, parts.high - parts.value, parts.value - parts.low)
    below, above = (math.sqrt(max(float(side @ together @ side), 0.0)) for side in (down, up))
    return value, value - below, value + above


def p_value(value: float, low: float, high: float, clusters: int | None = None, level: float = LEVEL) -> float:
    """Two-sided p-value of "the difference is 0" that agrees with its interval: below .05 when that leaves out 0."""
    if value == 0:
        return 1.0
    reach = value - low if value > 0 else high - value
    if math.isnan(reach) or math.isinf(reach):
        return math.nan
    t = z_or_t(level, clusters)
    df = math.inf if clusters is None else clusters - 1
    return two_sided_p(abs(value) / reach * t, df) if reach > 0 else math.nan
