"""Figures with their intervals, and the intervals of sums and differences of them. Nothing here has zero width.

A share gets Wilson's interval; where items come in clusters, n is divided by the design effect (Korn and Graubard,
Survey Methodology 24, 1998), raised as `design_effect.py` says, for few clusters tell it badly. A rescaled share (RA,
a kappa, a corrected overlap) is (share - floor) / (top - floor): Wilson's ends go through the same formula, with the n
that the jackknife's error of the whole expression stands for. Means over languages and differences of models keep the
ends of their parts, not symmetric near 0 and 1, and the correlation of the parts, which answer the same items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from clika_client.common.answer_codes import Floats, divide
from clika_client.scoring.metrics.design_effect import raised
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
    largest_of: int = 1
    """The share is the largest of so many that add up to 1."""
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


def intervals(
    by_item: Estimate, by_unit: Estimate | None = None, clusters: float | None = None, level: float = LEVEL
) -> Interval:
    """The figure's interval; `by_unit` has the replicates without each cluster, None where items stand alone.

    `clusters` is how many of equal size tell as much (`design_effect.equal_clusters`); None: all are of one size.
    """
    robust = by_item if by_unit is None else by_unit
    if robust.parts is not None:
        told = None if by_unit is None else clusters or robust.parts.shape[-1] - 1
        return Interval(
            by_item.value[..., 0], *distance_ends(robust.parts, level, z_or_t(level, told) / quantile(level))
        )
    value = by_item.value[..., 0]
    undefined = np.isnan(value)
    if undefined.all():  # of a table's metrics many do not apply
        return Interval(value, *(np.full(value.shape, np.nan) for _ in range(2)))
    share, n = by_item.share[..., 0], by_item.n[..., 0]
    floor, top = (np.asarray(end)[..., 0] if np.ndim(end) else end for end in (by_item.floor, by_item.top))
    scale, z = np.subtract(top, floor), quantile(level)
    effective = n if by_item.exact and by_unit is None else _effective(by_item, by_unit, clusters, level, scale)
    low, high = wilson_ends(share, effective, z)
    # An overlap of nothing with nothing is 0 by agreement, and says nothing.
    nothing = (n == 0) & ~np.isnan(share)
    low, high = np.where(nothing, 0.0, low), np.where(nothing, 1.0, high)
    if by_item.largest_of > 1:
        low = _largest_low(share, effective, by_item.largest_of, level)
    ends = divide(low - floor, scale), divide(high - floor, scale)
    return Interval(value, *(np.where(undefined, np.nan, end) for end in ends))


def _effective(
    by_item: Estimate, by_unit: Estimate | None, clusters: float | None, level: float, scale: Floats
) -> Floats:
    """How many independent items would tell the figure as well."""
    share, n = by_item.share[..., 0], by_item.n[..., 0]
    z, wider, most = quantile(level), 1.0, np.ones(n.shape)
    if by_unit is not None:
        clusters = clusters or by_unit.share.shape[-1] - 1
        wider = z_or_t(level, clusters) / z
        # Items that all go with their cluster tell as much as one of it: no design effect is larger than this.
        inside = by_unit.n[..., :1] - by_unit.n[..., 1:]
        most = np.fmax(1.0, divide((inside**2).sum(-1), n))
        if by_item.exact:
            effect = divide(variance(by_unit.value), variance(by_item.value))
            # Where nothing varies, a cluster tells no more than one item of it.
            effect = np.where(np.isnan(effect), most, np.minimum(effect, most))
            return np.asarray(n / np.maximum(1.0, raised(effect, most, clusters, level)))
    error, items = variance(by_item.value), by_item.share.shape[-1] - 1
    high_floor = np.asarray(by_item.floor)[..., 0] >= _HIGH if np.ndim(by_item.floor) else np.zeros(n.shape, np.bool_)
    if by_unit is not None:
        robust = variance(by_unit.value)
        # Few errors lie apart by luck: that is no sign that clusters tell more than their items.
        error = np.where(np.isnan(robust) | (high_floor & (error > robust)), error, robust)
    elif not by_item.counted:
        wider = (quantile(level, items - 1) if items > 1 else math.inf) / z
    told = divide(share * (1 - share), error * scale**2)
    sure = np.isnan(told) | (told <= 0) | (share <= 0) | (share >= 1)
    widest = np.maximum(wider, np.where(high_floor, _few(level, n * (1 - share)) / z, 1.0))
    return np.asarray(np.where(sure, n / most, np.minimum(told, _MOST * n)) / widest**2)


def _largest_low(share: Floats, n: Floats, of: int, level: float) -> Floats:
    """Lower end for the largest of several shares: so many may be as large that one of them came out largest by luck.

    A true largest share s leaves room for 1 / s of that size; s is kept unless one of so many would be as large as the
    one found in less than half of what may be missed (Bonferroni).
    """
    low = np.ones(np.shape(share))
    for many in range(1, of + 1):
        end, _ = wilson_ends(share, n, quantile(1 - (1 - level) / many))
        least = 1 / (many + 1) if many < of else 0.0
        low = np.where(end <= 1 / many, np.minimum(low, np.maximum(end, least)), low)
    return np.minimum(np.maximum(low, 1 / of), share)


_MANY = 60
"""Errors from which on Student's t is left out."""


def _few(level: float, errors: Floats) -> Floats:
    """Student's t, one degree of freedom for each error but the first, where most of the share is expected anyway.

    What is left of a share above a high floor is told by the items that are not right in both alone.
    """
    counts = np.where(np.isnan(errors), _MANY, np.clip(np.round(errors) - 1, 1, _MANY)).astype(np.int64)
    return np.asarray(np.take(_by_errors(level), counts), np.float64)


@lru_cache(maxsize=8)
def _by_errors(level: float) -> Floats:
    """Student's t by degrees of freedom up to _MANY, where it is the normal quantile."""
    return np.array([0.0, *(quantile(level, df) for df in range(1, _MANY)), quantile(level)], np.float64)


_HIGH = 0.6
"""A floor above which little of the share is left to tell."""
_MOST = 4.0
"""An effective n never exceeds the real one by more: a small sample can vary too little by luck."""


def z_or_t(level: float, clusters: float | None) -> float:
    """The normal quantile for items, Student's for clusters; with a single cluster nothing can be said."""
    if clusters is None:
        return quantile(level)
    return quantile(level, max(clusters - 1, 1.0)) if clusters > 1 else math.inf


def combined(
    parts: Interval, replicates: Floats, weights: Floats, clusters: float | None = None
) -> tuple[float, float, float]:
    """The weighted sum of figures (m,), with its interval; `replicates` (m, 1 + G) give how their errors go together.

    MOVER, the method of variance estimates recovery (Zou and Donner, Statistics in Medicine 27, 2008; for two
    proportions it is Newcombe's method 10 of 1998). Where a figure does not vary, its correlation is unknown: taken as
    1 in a mean and as 0 in a difference, whichever is wider. Where `clusters` of items vary, a difference is no surer
    than Student's t says of it: two figures' design effects do not tell its own.
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
    if clusters is not None and (weights < 0).any():
        own = z_or_t(LEVEL, clusters) * math.sqrt(float(np.nan_to_num(variance(weights @ replicates))))
        below, above = max(below, own), max(above, own)
    return value, value - below, value + above


def p_value(value: float, low: float, high: float, clusters: float | None = None, level: float = LEVEL) -> float:
    """Two-sided p-value of "the difference is 0" that agrees with its interval: below .05 when that leaves out 0."""
    if value == 0:
        return 1.0
    reach = value - low if value > 0 else high - value
    if math.isnan(reach) or math.isinf(reach):
        return math.nan
    t = z_or_t(level, clusters)
    df = math.inf if clusters is None else max(clusters - 1, 1.0)
    return two_sided_p(abs(value) / reach * t, df) if reach > 0 else math.nan
