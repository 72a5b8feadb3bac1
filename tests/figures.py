"""What the metrics of the table say of answers given as arrays, through the counts that every score is made from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Answers, Floats
from clika_client.scoring.metrics.cell_metrics import LANGUAGE_METRICS, PAIR_METRICS
from clika_client.scoring.metrics.counting import language_counts, pair_counts, row_counts
from clika_client.scoring.metrics.counts import ScoredItems
from clika_client.scoring.metrics.row_metrics import ROW_METRICS

_LANGUAGE = {metric.field: metric for metric in LANGUAGE_METRICS}
_PAIR = {metric.field: metric for metric in PAIR_METRICS}
_ROW = {metric.field: metric for metric in ROW_METRICS}


def of_language(field: str, answers: Answers, gold: Answers, k: int = 4, reference: float = 1.0) -> Floats:
    """A figure of one language, or of several: `answers` is (items,) or (languages, items)."""
    counts = language_counts(answers, answers, _items(gold, k), reference, _total)
    return np.asarray(np.maximum(_LANGUAGE[field].function(counts).value[..., 0], _LANGUAGE[field].smallest))


def of_pair(
    field: str,
    anchor: Answers,
    other: Answers,
    gold: Answers,
    k: int = 4,
    *,
    scores: tuple[Floats, Floats] | None = None,
) -> float:
    """A figure of a language beside the anchor; `scores` are the log probabilities of both, (items, choices)."""
    counts = pair_counts(anchor, other, _items(gold, k), "jaccard", _total, *(scores or (None, None)))
    return float(_PAIR[field].function(counts).value[..., 0])


def of_row(
    field: str, answers: Answers, gold: Answers, k: int = 4, origins: npt.NDArray[np.int64] | None = None
) -> float:
    """A figure of all languages, (languages, items); `origins` is the row of each item's own language, -1 for none."""
    nowhere = np.full(answers.shape[1], -1, np.int64)
    counts = row_counts(answers, _items(gold, k), nowhere if origins is None else origins, _total)
    return float(_ROW[field].function(counts).value[0])


def _items(gold: Answers, k: int) -> ScoredItems:
    return ScoredItems(gold, np.full(len(gold), k))


def _total(columns: npt.NDArray[np.generic]) -> Floats:
    return np.asarray(columns.astype(np.float64).sum(-1, keepdims=True))
