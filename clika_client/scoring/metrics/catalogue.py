"""The one table of metrics: from it come the fields of records and rows, the report's columns and marks, and the docs.

A metric is a function of counts (`counts.py`), so that the same function gives its value and, from the counts without
each item, its interval. To add one: write its function and its entry, in `cell_metrics.py` or in `row_metrics.py`.
"""

from __future__ import annotations

from clika_client.scoring.metrics.cell_metrics import LANGUAGE_METRICS, PAIR_METRICS
from clika_client.scoring.metrics.metric import BesideMetric, LanguageMetric, MeanMetric, PairMetric, RowMetric
from clika_client.scoring.metrics.row_metrics import BESIDE_METRICS, MEAN_METRICS, ROW_METRICS

CELL_METRICS: tuple[LanguageMetric | PairMetric, ...] = (*LANGUAGE_METRICS, *PAIR_METRICS)
SUMMARY_METRICS: tuple[MeanMetric | RowMetric | BesideMetric, ...] = (*MEAN_METRICS, *ROW_METRICS, *BESIDE_METRICS)
CELL_FIELDS: tuple[str, ...] = tuple(m.field for m in CELL_METRICS)
"""Figures of a record."""
ROW_FIELDS: tuple[str, ...] = tuple(m.field for m in SUMMARY_METRICS)
"""Figures of a row."""
OF_PAIRS: frozenset[str] = frozenset(m.field for m in PAIR_METRICS)
"""Figures that say nothing where the anchor's answers say nothing."""
TITLES: dict[str, str] = {m.field: m.title for m in CELL_METRICS}
