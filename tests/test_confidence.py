"""Confidence figures: hand calculations, scipy's AUC, and simulation with known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clika_client.scoring.metrics.confidence import confidence

logs = np.log


def test_three_questions_by_hand() -> None:
    shares = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.7, 0.1]])
    found = confidence(logs(shares) - 4.0, np.array([0, 1, 1], np.int8))  # a common factor is no part of it
    assert found.margin == pytest.approx((0.3 + 0.1 + 0.5) / 3)
    first, second, third = 0.4**2 + 0.3**2 + 0.1**2, 0.5**2 + 0.6**2 + 0.1**2, 0.2**2 + 0.3**2 + 0.1**2
    assert found.brier == pytest.approx((first + second + third) / 3)
    assert found.auc == 1.0  # right with .6 and .7, wrong with .5
    assert found.calibration_error == pytest.approx((abs(0.6 - 1) + abs(0.5 - 0) + abs(0.7 - 1)) / 3)


def test_equal_odds_tell_nothing_and_a_missing_option_is_not_counted() -> None:
    even = confidence(np.zeros((5, 4)), np.array([0, 1, 2, 3, 0], np.int8))
    assert (even.margin, even.brier, even.auc) == (0.0, pytest.approx(0.75), 0.5)
    short = confidence(np.array([[0.0, 0.0, np.nan]]), np.array([0], np.int8))
    assert short.brier == pytest.approx(0.5)
    nothing = confidence(np.full((2, 3), np.nan), np.array([0, 1], np.int8))
    assert math.isnan(nothing.brier)
    assert math.isnan(confidence(np.array([[1.0, 0.0]]), np.array([0], np.int8)).auc)


@given(st.integers(0, 10_000))
def test_auc_is_mann_and_whitneys_statistic(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(0, 1, (30, 3)), 1)
    gold = rng.integers(0, 3, 30).astype(np.int8)
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    sure, right = shares.max(-1).round(12), scores.argmax(-1) == gold
    found = confidence(scores, gold)
    if 0 < right.sum() < 30:
        wanted = stats.mannwhitneyu(sure[right], sure[~right]).statistic / (right.sum() * (~right).sum())
        assert found.auc == pytest.approx(wanted, abs=1e-9)


def test_answers_drawn_from_the_probabilities_are_calibrated_and_sharper_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 1.5, (20_000, 4))
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    gold = (shares.cumsum(-1) < rng.random((20_000, 1))).sum(-1).astype(np.int8)
    assert confidence(scores, gold).calibration_error < 0.01
    assert confidence(3 * scores, gold).calibration_error > 0.1
    assert confidence(scores, gold).brier < confidence(3 * scores, gold).brier
