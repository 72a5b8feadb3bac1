"""Our statistics against other people's implementations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from clika_client.scoring.metrics import agreement, consistency, multilingual, significance
from clika_client.scoring.metrics.intervals import Resampler, percentile_interval, wilson

RANDOM = np.random.default_rng(11)
GOLD = RANDOM.integers(0, 4, 60).astype(np.int8)
ANSWERS = np.where(RANDOM.random((4, 60)) < 0.6, GOLD, RANDOM.integers(-1, 4, (4, 60))).astype(np.int8)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_statsmodels(counts: tuple[int, int]) -> None:
    expected = proportion_confint(*counts, method="wilson")
    assert wilson(*counts) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_equals_statsmodels_and_the_binomial_test(b: int, c: int) -> None:
    p = significance.mcnemar_exact(b, c)
    if b + c:
        assert p == pytest.approx(stats.binomtest(b, b + c).pvalue, abs=1e-12)
        assert p == pytest.approx(min(1.0, mcnemar([[0, b], [c, 0]], exact=True).pvalue), abs=1e-9)


def test_mcnemar_is_exact_far_beyond_float_range() -> None:
    assert significance.mcnemar_exact(2000, 2100) == pytest.approx(stats.binomtest(2000, 4100).pvalue, rel=1e-9)


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    assert significance.holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]), abs=1e-12)


def test_cohens_kappas_equal_statsmodels() -> None:
    a, b = ANSWERS[:2]
    right = np.histogram2d(a == GOLD, b == GOLD, bins=2)[0]
    table = consistency.table_of(a, b, GOLD)
    assert float(consistency.kappa_correct(table)) == pytest.approx(cohens_kappa(right).kappa, abs=1e-12)
    kept = (a >= 0) & (b >= 0)
    chosen = np.histogram2d(a[kept], b[kept], bins=4, range=[[-0.5, 3.5]] * 2)[0]
    ours = agreement.kappa_answer(a[kept], b[kept], 4)
    assert float(ours) == pytest.approx(cohens_kappa(chosen).kappa, abs=1e-12)


def test_fleiss_kappa_equals_statsmodels() -> None:
    counts, _ = aggregate_raters(ANSWERS.T)
    assert multilingual.fleiss_kappa(ANSWERS, 4) == pytest.approx(fleiss_kappa(counts), abs=1e-12)


def test_bootstrap_interval_of_a_mean_agrees_with_scipy() -> None:
    right = (ANSWERS[0] == GOLD).astype(float)
    low, high = percentile_interval(Resampler(60).sums(right[None])[0] / 60)
    expected = stats.bootstrap((right,), np.mean, n_resamples=10_000, method="percentile", rng=3).confidence_interval
    assert float(low) == pytest.approx(expected.low, abs=0.02)
    assert float(high) == pytest.approx(expected.high, abs=0.02)


def test_the_same_seed_gives_the_same_draws_and_another_seed_others() -> None:
    column = (ANSWERS == GOLD)[:1]
    first = Resampler(60, draws=200, seed=5).sums(column)
    assert (first == Resampler(60, draws=200, seed=5).sums(column)).all()
    assert (first != Resampler(60, draws=200, seed=6).sums(column)).any()


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 30))
def test_every_draw_takes_as_many_units_as_there_are(items: int, draws: int) -> None:
    taken = Resampler(items, draws=draws).sums(np.ones((1, items)))
    assert (taken == items).all()


def test_resampled_sums_equal_a_plain_loop_over_the_drawn_items() -> None:
    resampler = Resampler(60, draws=50, seed=2)
    columns = (ANSWERS == GOLD).astype(np.int8)
    expected = [
        [sum(int(c) * int(v) for c, v in zip(draw, column, strict=True)) for draw in resampler.counts]
        for column in columns
    ]
    assert resampler.sums(columns).tolist() == expected


def test_clusters_are_taken_whole() -> None:
    clusters = ["p", "p", "q", "q", None, None]
    resampler = Resampler(6, draws=300, clusters=clusters)
    assert resampler.counts.shape == (300, 4)
    sums = resampler.sums(np.eye(6))
    assert (sums[0] == sums[1]).all()
    assert (sums[2] == sums[3]).all()
    assert (sums[4] != sums[5]).any()


def test_clustering_perfectly_paired_items_widens_the_interval_by_the_square_root_of_two() -> None:
    right = np.repeat(RANDOM.random(200) < 0.5, 2)[None]

    def width(clusters: list[int] | None) -> float:
        resampler = Resampler(400, clusters=clusters)
        low, high = percentile_interval(resampler.sums(right)[0] / resampler.sums(np.ones((1, 400)))[0])
        return float(high - low)

    assert width([i // 2 for i in range(400)]) / width(None) == pytest.approx(2**0.5, rel=0.08)


def test_undefined_draws_are_left_out_of_the_interval() -> None:
    low, high = percentile_interval(np.array([[np.nan, 1.0, 1.0], [np.nan, np.nan, np.nan], [0.0, 0.0, 0.0]]))
    assert (low[0], high[0], low[2], high[2]) == (1, 1, 0, 0)
    assert np.isnan([low[1], high[1]]).all()
