"""What a figure would be without each item, or each cluster of items: the source of every standard error.

All metrics are functions of sums over items. `leave_out` turns item-wise columns into those sums, once for all items
and once without each unit, so that one call of a metric gives its value and all its replicates. A unit is an item, or
a cluster of items that share what they ask about (a person, a country): then the error allows for it.
Source: the delete-a-cluster jackknife, CV3 of MacKinnon, Nielsen and Webb, "Cluster-robust inference", 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Floats

Units = npt.NDArray[np.int64]
"""Per item the number of its unit, 0 to G - 1."""


def unit_numbers(items: int, clusters: Sequence[object] | None) -> Units:
    """Each item's unit, in order of first appearance; an item whose cluster is None is a unit of its own."""
    if clusters is None:
        return np.arange(items)
    number: dict[object, int] = {}
    names = [("item", i) if name is None else ("cluster", name) for i, name in enumerate(clusters)]
    return np.array([number.setdefault(name, len(number)) for name in names], np.int64)


def leave_out(columns: npt.NDArray[np.generic], units: Units | None = None) -> Floats:
    """Sums of item-wise columns (..., items) → (..., 1 + G): over all items, then without each unit in turn."""
    return leaving_out(units)(columns)


def leaving_out(units: Units | None) -> Callable[[npt.NDArray[np.generic]], Floats]:
    """`leave_out` for many columns of the same items: which items make a unit is worked out once."""
    grouped = units is not None and len(units) > 0
    order = np.argsort(units, kind="stable") if units is not None and grouped else np.zeros(0, np.int64)
    starts = np.flatnonzero(np.diff(units[order], prepend=-1)) if units is not None and grouped else order

    def left_out(columns: npt.NDArray[np.generic]) -> Floats:
        values = columns.astype(np.float64)
        by_unit = np.add.reduceat(values[..., order], starts, axis=-1) if grouped and values.shape[-1] else values
        total = values.sum(-1, keepdims=True)
        return np.concatenate([total, total - by_unit], axis=-1)

    return left_out


def variance(replicates: Floats) -> Floats:
    """Jackknife variance of a figure from its replicates (..., 1 + G); NaN where fewer than two are defined.

    Replicates that are undefined are left out and the rest is scaled up for them.
    """
    value, others = replicates[..., :1], replicates[..., 1:]
    deviations = others - value
    known = ~np.isnan(deviations)
    count = known.sum(-1)
    total = np.where(known, deviations, 0.0) ** 2
    scale = np.where(count > 1, (others.shape[-1] - 1) / np.maximum(count, 1), np.nan)
    return np.asarray(total.sum(-1) * scale)


def correlations(replicates: Floats) -> Floats:
    """(figures, 1 + G) → (figures, figures): how the errors of figures on the same items go together.

    NaN beside a figure that does not vary at all (everything right, or undefined).
    """
    deviations = replicates[:, 1:] - replicates[:, :1]
    deviations = np.where(np.isnan(deviations), 0.0, deviations)
    size = np.sqrt((deviations**2).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        result = (deviations @ deviations.T) / np.outer(size, size)
    result = np.where(np.outer(size, size) > 0, np.clip(result, -1.0, 1.0), np.nan)
    np.fill_diagonal(result, 1.0)
    return np.asarray(result)
