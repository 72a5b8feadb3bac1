"""The one table of metrics is complete: nothing computed stands outside it, and nothing in it is half there."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import sys
from pathlib import Path

import pytest

from clika_client.report.scores_csv import to_csv
from clika_client.report.terminal import FIGURES
from clika_client.scoring.metrics.catalogue import CELL_METRICS, OF_PAIRS, SUMMARY_METRICS
from clika_client.scoring.metrics.cell_metrics import PAIR_METRICS
from clika_client.scoring.metrics.confidence import DESCRIBED as CONFIDENCE
from clika_client.scoring.metrics.confidence import Confidence
from clika_client.scoring.metrics.metric import Metric
from clika_client.scoring.records import Record, RowSummary, Scores

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from metric_examples import toy_values  # noqa: E402

METRICS = [*CELL_METRICS, *SUMMARY_METRICS]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.field)
def test_an_entry_has_every_part(metric: Metric) -> None:  # type: ignore[type-arg]
    assert metric.field.isidentifier(), "`field` is a name in JSON"
    for part in ("name", "title", "formula", "null_when"):
        assert getattr(metric, part).strip(), f"metric {metric.field!r} has no {part}; the docs and tables need it"
    assert callable(metric.function)


@pytest.mark.parametrize("entries", [CELL_METRICS, SUMMARY_METRICS])
def test_no_two_entries_share_a_field_or_a_title(entries: tuple[Metric, ...]) -> None:  # type: ignore[type-arg]
    for part in ("field", "title"):
        names = [getattr(metric, part) for metric in entries]
        assert len(set(names)) == len(names), f"two metrics share a {part}: {sorted(names)}"


# Right of ten: English .7, X .6, the third .7. Corrected by what accuracies at each gold position alone would give:
# English and X .355469, English and the third .397727. With English as both askings' other, X agrees as with English.
OF_X = {
    "accuracy": 0.6, "ra": 0.486111, "ra_unclipped": 0.486111, "no_answer_rate": 0.1, "right_elsewhere": 0.0,
    "right_anywhere": 0.6, "top_choice_share": 3 / 9, "position_bias": 0.088889, "self_agreement": 0.7,
    "self_consistency": 0.355469, "en_co": 0.625, "en_co_chance_corrected": 0.355469,
    # The most that can be shared at each gold position, 2, 2, 1 and 0, is what is shared.
    "en_co_ceiling": 0.355469,
    "kappa_correct": 0.347826, "agreement": 0.7, "kappa_answer": 0.615385, "same_wrong": 1.0,
    # Same choice .305; by accuracies .3 and .45 and even guesses .3275.
    "capa": (0.305 - 0.3275) / (1 - 0.3275),
    "ac3": 0.674074, "transfer": 5 / 7, "reverse_transfer": 5 / 6,
    # Orders ABC and BAC, CBA and ACB, weights .665241, .244728, .090031; by habits alone .409296.
    "rankc": 0.273577, "rankc_chance_corrected": (0.273577 - 0.409296) / (1 - 0.409296),
}  # fmt: skip
OF_THE_ROW = {
    "anchor_ra": 0.625, "other_ra": 0.555556, "other_en_co": 0.6875, "other_en_co_chance_corrected": 0.376598,
    "all_other_ra": 0.555556, "paper_anchor_ra": 0.625, "paper_other_ra": 0.555556, "paper_other_en_co": 0.6875,
    "language_gap": 0.1, "language_sd": 0.047140,
    # Three languages that know as much differ by more than this in ten questions, more often than not.
    "language_gap_debiased": 0.0, "language_sd_debiased": 0.0,
    "ac3": 0.698413, "ac3_3": 0.631579, "fleiss_kappa": 0.649123,
    # English's five: 8 of 10 pairs; X's five, two of them right in X: 3 of 10.
    "source_transfer": 11 / 14, "source_overall": 11 / 20,
    # Errors: .3 on a language's own questions, .35 on others'.
    "factual_recall": 0.409091, "knowledge_transferability": 0.904762, "x_fakt": 0.563427,
    "between_models": 0.3, "shared_by_models": 0.75,
}  # fmt: skip
"""Worked out by hand on the ten questions of tools/metric_examples.py."""


def test_every_metric_has_the_value_that_was_worked_out_for_the_ten_questions() -> None:
    cells, row = toy_values()
    for metrics, found, expected in ((CELL_METRICS, cells, OF_X), (SUMMARY_METRICS, row, OF_THE_ROW)):
        missing = [m.field for m in metrics if m.field not in expected]
        assert not missing, f"no value worked out by hand or by another program: {missing}; add it in {__file__}"
        told = {field: found.get(field, math.nan) for field in expected}
        assert told == pytest.approx(expected, abs=2e-6)


def test_the_figures_of_confidence_are_those_of_the_record_and_of_a_hand_calculation() -> None:
    cells, _ = toy_values()
    assert {figure.field for figure in CONFIDENCE} == {field.name for field in dataclasses.fields(Confidence)}
    assert {figure.field for figure in CONFIDENCE} <= {field.name for field in dataclasses.fields(Record)}
    # Wrong with .5 before .3, right with .6 before .3.
    assert cells["auc"] == 1.0
    assert cells["brier"] == pytest.approx((0.7**2 + 0.5**2 + 0.2**2 + 0.4**2 + 0.1**2 + 0.3**2) / 2)
    assert cells["calibration_error"] == pytest.approx((0.5 + 0.4) / 2)
    assert cells["margin"] == pytest.approx((0.2 + 0.3) / 2)


def test_every_metric_stands_in_the_documentation() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    missing = [
        m.field for m in (*METRICS, *CONFIDENCE) if f"`{m.field}`" not in page and f"`rows.{m.field}`" not in page
    ]
    assert not missing, f"run `make docs`: docs/metrics.md does not know {missing}"


def test_records_rows_columns_and_marks_come_from_the_table() -> None:
    assert set(Record.FIELDS) == {m.field for m in CELL_METRICS}
    assert set(RowSummary.FIELDS) == {m.field for m in SUMMARY_METRICS}
    assert set(FIGURES) >= set(Record.FIELDS)
    assert {m.field for m in PAIR_METRICS} == OF_PAIRS
    header = next(csv.reader(io.StringIO(to_csv(Scores((), (), "en", "jaccard", 0, 0, {})))))
    assert {name + end for name in Record.FIELDS for end in ("", "_low", "_high")} <= set(header)


def test_a_figure_that_does_not_exist_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="acuracy"):
        _ = Record.__new__(Record).acuracy
