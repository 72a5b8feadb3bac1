"""The list of metrics for the documentation, each with its value on a set of ten questions.

Gold `ABCDABCDAB`, English `ABCDABDDCA`, X `ABCAABD_CB`, a third language `ABCDBBDDCB`; `_` is no answer, four choices.
For metrics of choice probabilities two questions with three options (gold A): English .5 .3 .2 and .1 .3 .6, X
.3 .5 .2 and .6 .1 .3. As a second asking stands the language before: English for X. The item's own language, where one
is needed, is English for the first five, X for the rest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clika_client.common.answer_codes import NO_ANSWER, Answers
from clika_client.scoring.answer_grid import AnswerGrid, RowKey
from clika_client.scoring.measure import measure
from clika_client.scoring.metrics.catalogue import CELL_METRICS, SUMMARY_METRICS
from clika_client.scoring.metrics.confidence import DESCRIBED as CONFIDENCE
from clika_client.scoring.metrics.confidence import confidence
from clika_client.scoring.metrics.row_figures import BesideOthers
from clika_client.scoring.model_scores import beside, row_summary
from clika_client.scoring.score_sets import Options, make_parts
from clika_client.sets.probes import Item, Probe, ProbeSet

LANGUAGES = ("en", "x", "third")


# Own consistency .4 beside .3 with other models, over two languages with five such models.
BESIDE = BesideOthers(np.array([0.4]), np.array([0.3]), 2, 5)


def coded(letters: str) -> Answers:
    """Letters as answers."""
    return np.array([NO_ANSWER if c == "_" else "ABCD".index(c) for c in letters], np.int8)


GOLD, EN, X, THIRD = map(coded, ("ABCDABCDAB", "ABCDABDDCA", "ABCAABD_CB", "ABCDBBDDCB"))
PROBABILITIES = np.array([[[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]], [[0.3, 0.5, 0.2], [0.6, 0.1, 0.3]]])


def toy_values() -> tuple[dict[str, float], dict[str, float]]:
    """(figures of X beside English, figures of the row of three) by field."""
    grid = np.stack([EN, X, THIRD])
    cells, row = _measured(grid, GOLD, 4, LANGUAGES)
    ranked, _ = _measured(np.zeros((2, 2), np.int8), np.zeros(2, np.int8), 3, LANGUAGES[:2], np.log(PROBABILITIES))
    cells |= {name: value for name, value in ranked.items() if name in ("rankc", "rankc_chance_corrected", "capa")}
    sure = confidence(np.log(PROBABILITIES[1]), np.zeros(2, np.int8))
    return cells | {figure.field: getattr(sure, figure.field) for figure in CONFIDENCE}, row


def _measured(
    answers: Answers, gold: Answers, k: int, languages: tuple[str, ...], scores: np.ndarray | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    options = Options(bootstrap=1000)
    choices = tuple("ABCD"[:k])
    probes = {t: tuple(Probe(str(i), t, "?", choices, int(g)) for i, g in enumerate(gold)) for t in languages}
    items = tuple(Item(str(i), {"original_lang": "en" if i < 5 else "x"}) for i in range(len(gold)))
    probe_set = ProbeSet("toy", items, probes, reference=0.97)
    key = RowKey("toy", 0, "plain", "text", "standard")
    asked = np.ones(answers.shape, np.bool_)
    again = (answers, np.roll(answers, 1, axis=0))
    block = AnswerGrid(key, languages, answers, asked, np.zeros(answers.shape, np.uint8), scores=scores, again=again)
    part = next(make_parts([block], {0: probe_set}, options))
    measured = measure(part, block, options)
    cells = {field: float(found.value[1]) for field, found in measured.figures.figures.items()}
    summary = beside(row_summary(part, block, measured, options), BESIDE)
    return cells, {field: figure.value for field, figure in summary.figures.items()}


def metric_table() -> list[dict[str, str]]:
    """One row per metric: its name, JSON field, formula, when it is null, and its value on the ten questions."""
    cells, row = toy_values()
    entries: list[tuple[Any, str, float]] = [(m, m.field, cells[m.field]) for m in CELL_METRICS]
    entries += [(m, m.field, cells[m.field]) for m in CONFIDENCE]
    entries += [(m, f"rows.{m.field}", row[m.field]) for m in SUMMARY_METRICS]
    return [
        {
            "metric": metric.name,
            "JSON field": f"`{field}`",
            "formula": metric.formula,
            "null when": metric.null_when,
            "toy value": "null" if math.isnan(value) else f"{value:.6f}",
        }
        for metric, field, value in entries
    ]
