"""The metrics of all languages of a row together: each an entry of the table and its function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clika_client.common.answer_codes import divide
from clika_client.scoring.metrics import spread, transfer
from clika_client.scoring.metrics.counts import RowCounts
from clika_client.scoring.metrics.estimates import Estimate, Interval
from clika_client.scoring.metrics.metric import BesideMetric, MeanMetric, Metric, RowMetric
from clika_client.scoring.metrics.row_figures import RowFigures


def _ac3_of(s: int) -> Callable[[RowCounts], Estimate]:
    def ac3(c: RowCounts) -> Estimate:
        agree = divide(c.agreeing[s - 2], c.sets_of[s - 2])
        value = divide(2 * c.accuracy * agree, c.accuracy + agree, empty=0.0)
        return Estimate(value if c.languages >= s else np.full(value.shape, np.nan), c.items, counted=False)

    return ac3


def _fleiss(c: RowCounts) -> Estimate:
    total = np.where(c.items * (c.languages - 1) > 0, c.items * c.languages, np.nan)
    blind = ((c.said / total) ** 2).sum(-2)
    return Estimate(divide(c.alike, c.items), c.items, blind, counted=False)


def _source_transfer(c: RowCounts) -> Estimate:
    return Estimate(divide(c.moved, c.source_right), c.source_right, counted=False)


def _source_overall(c: RowCounts) -> Estimate:
    return Estimate(divide(c.moved, c.sources), c.sources, counted=False)


def _factual_recall(c: RowCounts) -> Estimate:
    return Estimate(transfer.factual_recall(c.foreign_error, c.native_error), c.items, counted=False)


def _transferability(c: RowCounts) -> Estimate:
    return Estimate(transfer.transferability(c.foreign_error, c.native_error), c.items, counted=False)


def _x_fakt(c: RowCounts) -> Estimate:
    return Estimate(transfer.x_fakt(c.foreign_error, c.native_error), c.items, counted=False)


def _mean(field: str, everything: bool = False) -> Callable[[RowFigures], Interval]:
    return lambda row: row.mean(field, everything)


ROW_METRICS: tuple[RowMetric, ...] = (
    Metric(
        "ac3", "AC3 of two", "AC3", "2 Acc Cons_2 / (Acc + Cons_2), all languages", "fewer than 2 languages", _ac3_of(2)
    ),
    Metric("ac3_3", "AC3 of three", "AC3 of 3", "the same with Cons_3", "fewer than 3 languages", _ac3_of(3)),
    Metric(
        "fleiss_kappa", "Fleiss' kappa", "Fleiss", "languages as raters, k choices and no answer", "Pe = 1", _fleiss
    ),
    Metric(
        "source_transfer", "source transfer", "transfer from source",
        "P(right in target given right in the item's own language)", "no `original_lang`", _source_transfer,
    ),
    Metric(
        "source_overall", "source and target", "right in both", "P(right in target and in the item's own language)",
        "no `original_lang`", _source_overall,
    ),
    Metric(
        "factual_recall", "factual recall (X-FaKT's FRS)", "FRS",
        "1.5 (1 / (m1 + m2 + 1) - 1/3), m2 and m1 the mean error rates on items asked in their own language and in "
        "others, right in another language being no error", "no `original_lang`, or of one language only",
        _factual_recall,
    ),
    Metric(
        "knowledge_transferability", "knowledge transferability (X-FaKT's KTS)", "KTS",
        "2 (1 / (|m1 - m2| + 1) - 1/2)", "as factual recall", _transferability,
    ),
    Metric(
        "x_fakt", "X-FAKT", "X-FAKT", "2 FRS KTS / (FRS + KTS)", "as factual recall", _x_fakt,
    ),
)  # fmt: skip
"""What is said of all languages of a row at once."""

_COUNTED = "most other languages are flagged, or none is left"

MEAN_METRICS: tuple[MeanMetric, ...] = (
    Metric("anchor_ra", "RA of the anchor", "anchor", "RA of the anchor, not cut off", "no anchor",
           lambda row: row.of_anchor("ra_unclipped")),
    Metric("other_ra", "mean RA of the others", "RA, others",
           "mean of RA, not cut off, over the other languages without a flag", _COUNTED, _mean("ra_unclipped")),
    Metric("other_en_co", "mean en-CO of the others", "en-CO, others",
           "mean of en-CO over the other languages without a flag", _COUNTED, _mean("en_co")),
    Metric("other_en_co_chance_corrected", "mean corrected en-CO of the others", "corrected, others",
           "mean of chance-corrected en-CO over the other languages without a flag", _COUNTED,
           _mean("en_co_chance_corrected")),
    Metric("all_other_ra", "mean RA of all others", "RA, all others",
           "mean of RA, not cut off, over all other languages, flagged ones too", "no other language",
           _mean("ra_unclipped", everything=True)),
    Metric("paper_anchor_ra", "RA of the anchor as in the paper", "anchor, paper", "RA of the anchor, cut off at 0",
           "no anchor", lambda row: row.of_anchor("ra")),
    Metric("paper_other_ra", "mean RA as in the paper", "RA, paper",
           "mean of RA, cut off at 0, over all other languages", "no other language", _mean("ra", everything=True)),
    Metric("paper_other_en_co", "mean en-CO as in the paper", "en-CO, paper",
           "mean of en-CO over all other languages", "no other language", _mean("en_co", everything=True)),
    Metric("language_gap", "language gap", "gap",
           "max - min accuracy; the interval is that of the true gap", "no reply", spread.gap),
    Metric("language_gap_debiased", "language gap, debiased", "gap debiased",
           "the true gap for which the one found is the median", "no reply", spread.gap_debiased),
    Metric("language_sd", "sd over languages", "sd",
           "population sd of accuracy; the interval is that of the true sd", "no reply", spread.sd),
    Metric("language_sd_debiased", "sd over languages, debiased", "sd debiased",
           "the true sd for which the one found is the median", "no reply", spread.sd_debiased),
)  # fmt: skip
"""What is said of a row from the figures of its languages."""

BESIDE_METRICS: tuple[BesideMetric, ...] = (
    Metric(
        "between_models", "corrected en-CO with other models", "with others",
        "chance-corrected overlap of the anchor with language x of other models whose accuracy there is within .05, "
        "mean over languages", "no such model", lambda c: c.interval(c.others),
    ),
    Metric(
        "shared_by_models", "share explained by other models", "shared",
        "that figure / the row's own, over the same languages", "no such model, or none of its own",
        lambda c: c.interval(np.where(c.own > 0, divide(c.others, c.own), np.nan)),
    ),
)  # fmt: skip
"""What is said of a row beside other models on the same items: how much of its consistency is which items are easy."""
