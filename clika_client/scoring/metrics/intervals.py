"""How sure is a figure? Wilson's interval for proportions, a paired bootstrap over items for the rest.

One set of draws serves every language and model of a probe set, so that differences between them are
paired. A draw is a vector of how often each unit (item, or cluster of items) was taken; the sum of any
item-wise count over all draws is then one matrix product, which is why 1,840 cells x 10,000 draws take seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Floats
from clika_client.scoring.metrics.jackknife import unit_numbers

DRAWS = 10_000
LEVEL = 0.95
_CHUNK = 1000


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


class Resampler:
    """Draws over the items of one probe set, made once from a seed and used for every model and language."""

    def __init__(self, items: int, draws: int = DRAWS, seed: int = 0, clusters: Sequence[object] | None = None) -> None:
        """`clusters` names each item's cluster (None: the item is its own); clusters are resampled as units."""
        self.draws, self.seed = draws, seed
        self.unit_of = unit_numbers(items, clusters)
        units = int(self.unit_of.max()) + 1 if items else 0
        self.counts = _draw_counts(units, draws, np.random.default_rng(seed))

    def sums(self, columns: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
        """Resampled sums of item-wise counts: (columns, items) → (columns, draws), exact below 2^24."""
        per_unit = self._per_unit(columns)
        out = np.empty((len(columns), self.draws), np.float32)
        for start in range(0, self.draws, _CHUNK):
            part = self.counts[start : start + _CHUNK].astype(np.float32)
            np.matmul(per_unit, part.T, out=out[:, start : start + _CHUNK])
        return out

    def _per_unit(self, columns: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
        if len(self.unit_of) == self.counts.shape[1]:
            return columns.astype(np.float32)
        indicator = np.zeros((len(self.unit_of), self.counts.shape[1]), np.float32)
        indicator[np.arange(len(self.unit_of)), self.unit_of] = 1.0
        return np.asarray(columns.astype(np.float32) @ indicator)


def percentile_interval(values: npt.NDArray[np.floating], level: float = LEVEL) -> tuple[Floats, Floats]:
    """Percentile interval along the last axis, NaN draws left out; NaN where every draw is NaN.

    A statistic that is undefined in some draws (nothing left to divide by) is described by the others.
    """
    tails = [0.5 - level / 2, 0.5 + level / 2]
    undefined = np.isnan(values).any(-1)
    low, high = np.quantile(values, tails, axis=-1).astype(np.float64)
    for index in zip(*np.nonzero(np.atleast_1d(undefined)), strict=True):
        row = np.atleast_2d(values)[index]
        known = row[~np.isnan(row)]
        pair = np.quantile(known, tails) if known.size else (np.nan, np.nan)
        np.atleast_1d(low)[index], np.atleast_1d(high)[index] = pair
    return low, high


def slices(total: int, size: int) -> Iterator[slice]:
    """Consecutive slices that cover `total`, so that memory stays bounded."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def _draw_counts(units: int, draws: int, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """How often each unit was taken per draw; (draws, units). A unit taken 256 times in one draw does not happen."""
    counts = np.empty((draws, units), np.uint8)
    for part in slices(draws, _CHUNK):
        rows = part.stop - part.start
        taken = random.integers(0, units, (rows, units)) + np.arange(rows)[:, None] * units
        counts[part] = np.bincount(taken.ravel(), minlength=rows * units).reshape(rows, units)
    return counts
