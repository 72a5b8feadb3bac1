"""An entry of the table of metrics: what a figure is called, what it means, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np

from clika_client.scoring.metrics.counts import LanguageCounts, PairCounts, RowCounts
from clika_client.scoring.metrics.estimates import Estimate, Interval
from clika_client.scoring.metrics.row_figures import BesideOthers, RowFigures

C = TypeVar("C")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Metric(Generic[C, R]):
    """One figure: what it is called, what it means, when there is none, and how it is computed."""

    field: str
    """Name in JSON and CSV, `field_low` and `field_high` being the ends of its 95 % interval."""
    name: str
    """Name in documents."""
    title: str
    """Short name, for the head of a column."""
    formula: str
    null_when: str
    function: Callable[[C], R]
    smallest: float = -np.inf
    """A value below is given as this, as the paper cuts RA off at 0; its interval is not cut off, and reaches it."""


LanguageMetric: TypeAlias = Metric[LanguageCounts, Estimate]
PairMetric: TypeAlias = Metric[PairCounts, Estimate]
RowMetric: TypeAlias = Metric[RowCounts, Estimate]
BesideMetric: TypeAlias = Metric[BesideOthers, Interval]
MeanMetric: TypeAlias = Metric[RowFigures, Interval]
