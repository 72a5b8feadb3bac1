"""How far apart are the languages? Their gap and standard deviation, which luck alone makes larger than 0.

Ten languages that are equally good never get equal accuracies: at 125 items the best and the worst are .12 apart by
luck. So the interval is found the other way round: for true accuracies that lie apart in the pattern observed, but
closer or further, one asks how often a gap as small, or as large, as the one found would come out. The value for which
it is the median is the debiased figure. Errors are normal with the jackknife's covariance: the questions are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from clika_client.common.answer_codes import Floats
from clika_client.scoring.metrics.estimates import Interval
from clika_client.scoring.metrics.intervals import LEVEL
from clika_client.scoring.metrics.row_figures import NOTHING, RowFigures

_STEPS = 16
"""Halvings of the search: finer than a thousandth of the figure."""
Statistic = Callable[[Floats], Floats]
"""Of accuracies (languages, ...), one for each of what follows."""


def gap(row: RowFigures) -> Interval:
    """Largest minus smallest accuracy over the languages without a flag, and the interval of the true one."""
    return _found(row, _range)


def gap_debiased(row: RowFigures) -> Interval:
    """The true gap for which the one found is the median."""
    return _debiased(row, _range)


def sd(row: RowFigures) -> Interval:
    """Standard deviation of accuracy over the languages without a flag, and the interval of the true one."""
    return _found(row, _sd)


def sd_debiased(row: RowFigures) -> Interval:
    """The true standard deviation for which the one found is the median."""
    return _debiased(row, _sd)


def true_values(values: Floats, covariance: Floats, statistic: Statistic, draws: int, seed: int) -> Floats:
    """(2.5 %, median, 97.5 %) of the true statistic behind `values` (languages,) with errors of `covariance`."""
    found = float(statistic(values))
    spread, vectors = np.linalg.eigh(covariance)
    noise = _standard(draws, len(values), seed) * np.sqrt(np.clip(spread, 0, None)) @ vectors.T
    noise = np.ascontiguousarray(noise.T)  # (languages, draws): numpy is ten times as fast along a long last axis
    centred = (values - values.mean())[:, None]
    pattern = centred / found if found > 0 else np.zeros(centred.shape)
    limits = np.array([0.5 + LEVEL / 2, 0.5, 0.5 - LEVEL / 2])
    low, high = np.zeros(3), np.full(3, 2 * found + 8 * float(np.sqrt(np.max(spread, initial=0.0))))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        smaller = np.array([(statistic(size * pattern + noise) <= found).mean() for size in middle])
        low, high = np.where(smaller > limits, middle, low), np.where(smaller > limits, high, middle)
    return np.asarray(low)


def _found(row: RowFigures, statistic: Statistic) -> Interval:
    values = row.figures["accuracy"].value[_known(row)]
    if not values.size:
        return NOTHING
    low, _, high = _truth(row, statistic)
    return Interval(statistic(values), np.asarray(low), np.asarray(high))


def _debiased(row: RowFigures, statistic: Statistic) -> Interval:
    low, middle, high = _truth(row, statistic)
    return Interval(np.asarray(middle), np.asarray(low), np.asarray(high))


def _truth(row: RowFigures, statistic: Statistic) -> Floats:
    """Searched once for the statistic as found and as debiased."""
    if statistic not in row.worked_out:
        row.worked_out[statistic] = _searched(row, statistic)
    return row.worked_out[statistic]


def _searched(row: RowFigures, statistic: Statistic) -> Floats:
    rows = _known(row)
    if len(rows) < 2 or not row.draws:
        return np.full(3, np.nan)
    replicates = row.replicates["accuracy"][rows]
    if np.isnan(replicates).any():  # a language whose questions are one cluster: without it nothing is left to vary
        return np.full(3, np.nan)
    deviations = replicates[:, 1:] - replicates[:, :1]
    units = deviations.shape[1]
    # Everything right in a language: its error is that of half an item, not 0.
    covariance = deviations @ deviations.T * (units - 1) / units + np.eye(len(rows)) * (0.5 / units) ** 2
    return true_values(row.figures["accuracy"].value[rows], covariance, statistic, min(row.draws, _ENOUGH), row.seed)


_ENOUGH = 1000


def _known(row: RowFigures) -> list[int]:
    values = row.figures["accuracy"].value
    return [i for i in row.sound if not np.isnan(values[i])]


def _range(values: Floats) -> Floats:
    return np.asarray(values.max(0) - values.min(0))


def _sd(values: Floats) -> Floats:
    return np.asarray(values.std(0))


@lru_cache(maxsize=64)
def _standard(draws: int, count: int, seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((draws, count))
