"""The intervals hold the truth about as often as they say, and the tests stay quiet about as often; simulated answers.

400 data sets tell a coverage to within .02 (two standard errors); discrete counts and few clusters move it further.
"""

from __future__ import annotations

import numpy as np
import pytest
from heavy import later
from simulated import (
    ACCURACIES,
    CORRELATIONS,
    HABITS,
    SIZES,
    coverage,
    coverage_of_position_bias,
    false_alarms,
    null_of_consistency,
)

from clika_client.scoring.metrics.intervals import wilson
from clika_client.scoring.metrics.spread import true_values

stats = later("scipy.stats")

LOW, HIGH, NOISE = 0.93, 0.97, 0.022


def _sets(n: int) -> int:
    """Fewer of the large ones, which cost most and vary least."""
    return 200 if n == 500 else 400


def exact_coverage(n: int, p: float) -> float:
    """Of Wilson's interval, summed over all counts."""
    held = [k for k in range(n + 1) if wilson(k, n)[0] <= p <= wilson(k, n)[1]]
    return float(stats.binom.pmf(held, n, p).sum())


def test_a_share_is_covered_as_promised_wherever_whole_counts_allow_it() -> None:
    """Between .93 and .97, unless no set of counts that misses at most .05 on either side has such a coverage."""
    outside = {(n, p) for n in SIZES for p in ACCURACIES if not LOW <= round(exact_coverage(n, p), 4) <= HIGH}
    assert outside == {(n, p) for n in SIZES for p in ACCURACIES if not any(LOW <= c <= HIGH for c in _possible(n, p))}


def _possible(n: int, p: float) -> list[float]:
    """Coverages of all sets of neighbouring counts."""
    counts = np.arange(n + 1)
    below, above = stats.binom.cdf(counts - 1, n, p), stats.binom.sf(counts, n, p)
    return [1 - below[a] - above[b] for a in counts[below <= 0.05] for b in counts[above <= 0.05] if a <= b]


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("accuracy", ACCURACIES)
def test_intervals_of_accuracy_ra_and_en_co_cover(accuracy: float, correlation: float) -> None:
    for n in SIZES:
        found = coverage(n, accuracy, correlation, _sets(n))
        assert found["ra_unclipped"] == found["accuracy"]
        if correlation == 0:
            # Counts are whole: Wilson's own coverage is .91 for 25 items of which one in fifty is missed.
            assert found["accuracy"] == pytest.approx(exact_coverage(n, accuracy), abs=NOISE + 0.01)
        else:
            assert found["accuracy"] >= LOW - NOISE
        errors = n * (1 - accuracy)
        assert found["en_co"] >= (LOW if errors >= 5 or accuracy == 0.25 else 0.91) - NOISE
        # With ten clusters and more, and enough errors to count, they are not too wide either.
        if n >= 125 and errors >= 5:
            assert found["accuracy"] <= HIGH + NOISE
            assert found["en_co"] <= HIGH + NOISE


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_intervals_of_corrected_figures_cover_also_where_there_are_few_errors_to_count(correlation: float) -> None:
    for accuracy in (0.25, 0.5, 0.85, 0.98):
        for n in (10, 25, 50):
            found = coverage(n, accuracy, correlation, 400)
            many = n >= 50 and accuracy < 0.98
            for field in ("en_co_chance_corrected", "kappa_correct", "agreement", "kappa_answer", "ac3", "transfer"):
                if field != "transfer" or many:
                    assert found[field] >= LOW - NOISE, (field, accuracy, n)
                assert found[field] <= 0.995 or not many, (field, accuracy, n)


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_the_interval_of_position_bias_holds_it_also_where_there_is_none(correlation: float) -> None:
    for habit in HABITS:
        for n in (25, 125):
            # Whole clusters of a habit, of which there are 5 or 25, make it .92 of the time rather than .95.
            lowest = 0.85 if correlation else LOW - NOISE
            assert coverage_of_position_bias(n, habit, correlation, 200) >= lowest, (habit, n)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6])
def test_models_of_the_same_strength_are_told_apart_no_more_often_than_promised(correlation: float) -> None:
    for n in (25, 125):
        accuracy, consistency = false_alarms(n, correlation, 400)
        assert accuracy <= 0.05 + NOISE
        assert consistency <= 0.05 + NOISE


def test_habits_without_shared_knowledge_give_no_corrected_consistency_and_easy_items_give_some() -> None:
    for what, _, value in null_of_consistency(60_000):
        if "letter" in what:
            assert abs(value) < 0.03, what
        else:
            assert value > 0.02, what


def test_the_gap_of_equal_languages_is_debiased_and_its_interval_holds_zero() -> None:
    """Ten languages of accuracy .6 on 125 items: the largest of ten normal errors is 3.08 sd above the smallest."""
    random = np.random.default_rng(3)
    raw, debiased, held = [], [], []
    for _ in range(60):
        right = random.random((10, 125)) < 0.6
        values, covariance = right.mean(1), np.cov(right) / 125
        low, middle, _ = true_values(values, covariance, lambda v: v.max(-1) - v.min(-1), 300, 1)
        raw.append(float(np.ptp(values)))
        debiased.append(middle)
        held.append(low == 0)
    assert np.mean(raw) == pytest.approx(3.08 * (0.6 * 0.4 / 125) ** 0.5, abs=0.015)
    assert np.median(debiased) < 0.06
    assert np.mean(held) >= 0.9


def test_the_interval_of_a_true_gap_holds_it() -> None:
    random = np.random.default_rng(4)
    true = np.linspace(0.45, 0.75, 8)
    held = []
    for _ in range(120):
        right = random.random((8, 200)) < true[:, None]
        low, _, high = true_values(right.mean(1), np.cov(right) / 200, lambda v: v.max(-1) - v.min(-1), 300, 1)
        held.append(low <= 0.3 <= high)
    assert np.mean(held) >= 0.88
