"""Our statistics against other people's implementations, and against their definitions written out."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from figures import of_pair, of_row
from heavy import later
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clika_client.scoring.metrics import significance, student
from clika_client.scoring.metrics.cell_metrics import PAIR_METRICS
from clika_client.scoring.metrics.counting import pair_counts
from clika_client.scoring.metrics.counts import ScoredItems
from clika_client.scoring.metrics.estimates import Estimate, combined, intervals
from clika_client.scoring.metrics.intervals import wilson
from clika_client.scoring.metrics.jackknife import leave_out, variance

special, stats = later("scipy.special"), later("scipy.stats")

RANDOM = np.random.default_rng(11)
GOLD = RANDOM.integers(0, 4, 60).astype(np.int8)
ANSWERS = np.where(RANDOM.random((4, 60)) < 0.6, GOLD, RANDOM.integers(-1, 4, (4, 60))).astype(np.int8)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(counts: tuple[int, int]) -> None:
    expected = stats.binomtest(*counts).proportion_ci(method="wilson")
    assert wilson(*counts) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test_of_scipy(b: int, c: int) -> None:
    p = significance.mcnemar_exact(b, c)
    if b + c:
        assert p == pytest.approx(stats.binomtest(b, b + c).pvalue, abs=1e-12)
        assert p == pytest.approx(min(1.0, 2 * stats.binom.cdf(min(b, c), b + c, 0.5)), abs=1e-9)


def test_mcnemar_is_exact_far_beyond_float_range() -> None:
    assert significance.mcnemar_exact(2000, 2100) == pytest.approx(stats.binomtest(2000, 4100).pvalue, rel=1e-9)


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_rejects_what_every_bonferroni_test_of_hypotheses_with_it_rejects(p_values: list[float]) -> None:
    """Holm's procedure as the closure of Bonferroni's (Marcus, Peritz and Gabriel 1976), all subsets looked at."""
    sets = [one for size in range(len(p_values)) for one in combinations(range(len(p_values)), size + 1)]
    p = {one: min(1.0, len(one) * min(p_values[i] for i in one)) for one in sets}
    expected = [max(p[one] for one in sets if i in one) for i in range(len(p_values))]
    assert significance.holm(p_values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.2, 0.2, 0.0001, 1.0, 0.03, 0.03], [0.6, 0.6, 0.0006, 1.0, 0.15, 0.15]),
    ],
)
def test_holm_equals_statsmodels(p_values: list[float], expected: list[float]) -> None:
    """Values computed with statsmodels 0.15.0, multipletests(method="holm")."""
    assert significance.holm(p_values) == pytest.approx(expected, abs=1e-12)


def _codes(written: str) -> npt.NDArray[np.int8]:
    return np.array([-1 if one == "-" else int(one) for one in written], np.int8)


KEY = _codes("003122201013202033323102123130130212333233001231313220233330")
GIVEN = np.array(
    [
        _codes("003022-00013202333313-02223130110212331223001333313230231330"),
        _codes("0--130--111311-0331231012231-0130-1-3332-30000-12132202-0320"),
        _codes("0031302-1112203030323100-3323313022--3323302-1313232-02-3030"),
        _codes("00312220-023202-333-3100223130130-2233-033100231333020321320"),
    ]
)
"""Answers of four to the questions of KEY; a dash is none."""


def test_cohens_kappas_equal_statsmodels() -> None:
    """Values computed with statsmodels 0.15.0, cohens_kappa of the tables of right answers and of chosen letters."""
    a, b = GIVEN[:2]
    assert of_pair("kappa_correct", a, b, KEY) == pytest.approx(-0.044776119402985114, abs=1e-12)
    kept = (a >= 0) & (b >= 0)
    assert of_pair("kappa_answer", a[kept], b[kept], KEY[kept]) == pytest.approx(0.4405594405594406, abs=1e-12)


def test_fleiss_kappa_equals_statsmodels() -> None:
    """Value computed with statsmodels 0.15.0, fleiss_kappa of aggregate_raters."""
    assert of_row("fleiss_kappa", GIVEN, KEY) == pytest.approx(0.3570854540583981, abs=1e-12)


@given(arrays(np.int8, (2, 25), elements=st.integers(0, 3)))
def test_cohens_kappas_are_agreement_beyond_that_of_shuffled_answers(both: npt.NDArray[np.int8]) -> None:
    """By the definition: each answer of the one beside each of the other is what chance agrees on."""
    a, b = both
    for one, other, ours in (
        (a, b, of_pair("kappa_answer", a, b, np.zeros(25, np.int8))),
        (a == 0, b == 0, of_pair("kappa_correct", a, b, np.zeros(25, np.int8))),
    ):
        observed, chance = np.mean(one == other), np.mean(one[:, None] == other[None])
        if chance < 1:
            assert float(ours) == pytest.approx((observed - chance) / (1 - chance), abs=1e-12)


@given(st.floats(0, 60), st.one_of(st.integers(1, 300), st.just(math.inf)))
def test_students_t_equals_scipy(t: float, df: float) -> None:
    # Beside t = 0 scipy's own t distribution loses half of its digits (1.0 at t = 2e-9 with one degree of freedom,
    # where 1 - 2/pi atan(t) is .9999999988); its incomplete beta function of the small argument does not.
    small = 1 - special.betainc(0.5, df / 2, t * t / (df + t * t)) if t < 0.1 and not math.isinf(df) else None
    expected = 2 * (stats.norm.sf(t) if math.isinf(df) else stats.t.sf(t, df)) if small is None else small
    assert student.two_sided_p(t, df) == pytest.approx(expected, rel=1e-9, abs=1e-14)


@given(st.floats(0.5, 0.999), st.integers(1, 300))
def test_quantiles_of_student_equal_scipy(level: float, df: int) -> None:
    assert student.quantile(level, df) == pytest.approx(stats.t.ppf(0.5 + level / 2, df), rel=1e-8)


def test_the_jackknife_error_of_a_share_is_the_textbook_one_and_that_of_clusters_the_bootstraps() -> None:
    right = ANSWERS[0] == GOLD
    share = leave_out(right) / leave_out(np.ones(60))
    p = right.mean()
    assert float(variance(share)) == pytest.approx(p * (1 - p) / 59)
    units = np.arange(60) // 5
    clustered = leave_out(right, units) / leave_out(np.ones(60), units)
    taken = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), 20_000)
    drawn = taken @ np.bincount(units, right) / 60
    # The bootstrap divides by G where the jackknife divides by G - 1.
    assert float(variance(clustered)) == pytest.approx(float(drawn.var()) * 12 / 11, rel=0.04)


def test_the_difference_of_two_paired_shares_is_newcombes() -> None:
    """Newcombe 1998, method 10, written out with the correlation of the two columns."""
    right = (ANSWERS[:2] == GOLD).astype(float)
    replicates = leave_out(right) / leave_out(np.ones(60))
    found = intervals(Estimate(replicates, np.full(replicates.shape, 60.0)))
    (p, q), (low_p, low_q), (high_p, high_q) = found
    r = np.corrcoef(right)[0, 1]
    value, low, high = combined(found, replicates, np.array([1.0, -1.0]))
    below = ((p - low_p) ** 2 - 2 * r * (p - low_p) * (high_q - q) + (high_q - q) ** 2) ** 0.5
    above = ((high_p - p) ** 2 - 2 * r * (high_p - p) * (q - low_q) + (q - low_q) ** 2) ** 0.5
    assert (value, low, high) == pytest.approx((p - q, p - q - below, p - q + above), abs=1e-9)


def test_capa_equals_the_authors_package() -> None:
    """Values computed with lm-sim 0.1.1, CAPA(prob=True)."""
    a = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
    b = np.array([[0.3, 0.5, 0.2], [0.6, 0.1, 0.3]])
    assert capa(a, b, [0, 0]) == pytest.approx(-0.033457249070632)
    a = np.array(
        [[0.03, 0.1, 0.34, 0.53], [0.3, 0.23, 0.38, 0.09], [0.21, 0.01, 0.09, 0.69],
         [0.06, 0.31, 0.13, 0.5], [0.32, 0.52, 0.1, 0.06], [0.0, 0.36, 0.27, 0.37]]
    )  # fmt: skip
    b = np.array(
        [[0.27, 0.24, 0.25, 0.24], [0.01, 0.59, 0.38, 0.02], [0.27, 0.56, 0.04, 0.13],
         [0.03, 0.28, 0.48, 0.21], [0.27, 0.23, 0.15, 0.35], [0.06, 0.29, 0.63, 0.02]]
    )  # fmt: skip
    assert capa(a, b, [0, 1, 2, 3, 0, 1]) == pytest.approx(-0.008098335877183893, abs=1e-9)


def capa(a: np.ndarray, b: np.ndarray, right: list[int]) -> float:
    n, k = a.shape
    answers = np.zeros(n, np.int8)
    questions = ScoredItems(np.array(right, np.int8), np.full(n, k))
    with np.errstate(divide="ignore"):
        counts = pair_counts(answers, answers, questions, "jaccard", leave_out, np.log(a), np.log(b))
    metric = next(m for m in PAIR_METRICS if m.field == "capa")
    return float(metric.function(counts).value[0])


def test_corrected_rankc_is_zero_for_two_rankings_that_share_only_a_habit() -> None:
    """Both favour the first option whatever is asked; by plain RankC they look alike."""
    random = np.random.default_rng(5)
    scores = [np.log(random.dirichlet((4, 2, 1, 1), 20_000)) for _ in range(2)]
    gold, answers = random.integers(0, 4, 20_000).astype(np.int8), np.zeros(20_000, np.int8)
    first, second = scores
    plain, corrected = (
        of_pair(field, answers, answers, gold, scores=(first, second)) for field in ("rankc", "rankc_chance_corrected")
    )
    # 0.376837 is that of two random rankings of four.
    assert plain > 0.376837 + 0.1
    assert corrected == pytest.approx(0, abs=0.01)
