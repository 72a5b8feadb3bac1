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


def test_every_metric_has_a_value_on_the_ten_questions() -> None:
    cells, row = toy_values()
    for metrics, values in ((CELL_METRICS, cells), (SUMMARY_METRICS, row)):
        missing = [m.field for m in metrics if math.isnan(values.get(m.field, math.nan))]
        assert not missing, f"no value on the toy questions, so the docs show none: {missing}"


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
