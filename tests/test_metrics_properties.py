"""What must hold for any answers: ranges, symmetry, order of items and languages, and where a value is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from figures import of_language, of_pair, of_row
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clika_client.scoring.metrics import (
    MISSING,
    NO_ANSWER,
    consistency,
    performance,
    position,
)

K = 4
UNIT = [
    consistency.jaccard,
    consistency.recall,
    consistency.dice,
    consistency.forward_transfer,
    consistency.reverse_transfer,
]
SAME_BOTH_WAYS = ["agreement", "kappa_answer", "same_wrong", "ac3"]
OF_ROWS = ["ac3", "ac3_3", "fleiss_kappa"]
SYMMETRIC = [consistency.jaccard, consistency.dice]


@st.composite
def answer_sets(draw: st.DrawFn, languages: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """(answers: languages x items, gold: items), with no-answers and missing replies."""
    items = draw(st.integers(1, 25))
    answers = draw(hnp.arrays(np.int8, (languages, items), elements=st.integers(MISSING, K - 1)))
    return answers, draw(hnp.arrays(np.int8, items, elements=st.integers(0, K - 1)))


def same(a: object, b: object) -> None:
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=0, atol=1e-12)


def in_range(value: object, low: float, high: float) -> None:
    known = np.asarray(value, float)
    known = known[~np.isnan(known)]
    assert ((known >= low - 1e-12) & (known <= high + 1e-12)).all()


def corrected(a: np.ndarray, b: np.ndarray, gold: np.ndarray, variant: str = "jaccard") -> np.ndarray:
    table = consistency.table_of(a, b, gold)
    return consistency.chance_corrected(table, consistency.strata_of(a, b, gold), variant)[..., 0]


def every_metric(answers: np.ndarray, gold: np.ndarray) -> list[float]:
    table = consistency.table_of(answers[0], answers[1], gold)
    values = [*(f(table) for f in [*UNIT, *SYMMETRIC]), corrected(answers[0], answers[1], gold)]
    values += [of_pair(field, *answers[:2], gold) for field in (*SAME_BOTH_WAYS, "kappa_correct")]
    values += [of_row(field, answers, gold) for field in OF_ROWS]
    values += [of_language("no_answer_rate", answers[0], gold), position.total_variation(answers[0], gold, K)]
    return [float(value) for value in values]


@given(answer_sets())
def test_every_metric_stays_in_its_range(case: tuple[np.ndarray, np.ndarray]) -> None:
    answers, gold = case
    table = consistency.table_of(answers[:1], answers[1:], gold)
    for measure in UNIT:
        in_range(measure(table), 0, 1)
    in_range(of_pair("kappa_correct", *answers[:2], gold), -np.inf, 1)
    in_range(corrected(answers[0], answers[1], gold), -np.inf, 1)
    in_range(of_pair("agreement", *answers[:2], gold), 0, 1)
    in_range(of_pair("kappa_answer", *answers[:2], gold), -1e9, 1)
    in_range(of_pair("same_wrong", *answers[:2], gold), 0, 1)
    in_range(of_pair("ac3", *answers[:2], gold), 0, 1)
    in_range(performance.accuracy(answers, gold), 0, 1)
    in_range(position.total_variation(answers, gold, K), 0, 1)
    in_range(position.top_choice_share(answers, K), 1 / K, 1)
    in_range(of_row("ac3", answers, gold), 0, 1)
    in_range(of_row("fleiss_kappa", answers, gold), -1, 1)


@given(answer_sets())
def test_swapping_the_two_languages_changes_no_symmetric_metric(case: tuple[np.ndarray, np.ndarray]) -> None:
    (a, b, _), gold = case
    for measure in SYMMETRIC:
        same(measure(consistency.table_of(a, b, gold)), measure(consistency.table_of(b, a, gold)))
    same(corrected(a, b, gold), corrected(b, a, gold))
    for field in (*SAME_BOTH_WAYS, "kappa_correct"):
        same(of_pair(field, a, b, gold), of_pair(field, b, a, gold))
    swapped = consistency.table_of(b, a, gold)
    same(consistency.forward_transfer(consistency.table_of(a, b, gold)), consistency.reverse_transfer(swapped))


@given(answer_sets(), st.randoms(use_true_random=False))
def test_the_order_of_items_changes_nothing(case: tuple[np.ndarray, np.ndarray], random: object) -> None:
    answers, gold = case
    order = list(range(len(gold)))
    random.shuffle(order)  # type: ignore[attr-defined]
    same(every_metric(answers, gold), every_metric(answers[:, order], gold[order]))


@given(answer_sets(languages=4), st.permutations(range(4)))
def test_the_order_of_languages_only_permutes_the_matrix(case: tuple[np.ndarray, np.ndarray], order: list[int]) -> None:
    answers, gold = case
    matrix = consistency.all_pairs(answers, gold)
    same(consistency.all_pairs(answers[order], gold), matrix[np.ix_(order, order)])
    same(matrix, matrix.T)
    for field in OF_ROWS:
        same(of_row(field, answers, gold), of_row(field, answers[order], gold))


@given(answer_sets())
def test_renaming_the_choices_changes_nothing(case: tuple[np.ndarray, np.ndarray]) -> None:
    answers, gold = case
    renamed = np.array([2, 0, 3, 1, NO_ANSWER], np.int8)
    moved = np.where(answers >= 0, renamed[answers], answers).astype(np.int8)
    same(every_metric(answers, gold), every_metric(moved, renamed[gold]))


@given(answer_sets(languages=2))
def test_an_item_missing_in_one_language_leaves_the_pair(case: tuple[np.ndarray, np.ndarray]) -> None:
    answers, gold = case
    kept = (answers != MISSING).all(0)
    whole, part = consistency.table_of(*answers, gold), consistency.table_of(*answers[:, kept], gold[kept])
    assert [float(count) for count in whole] == [float(count) for count in part]
    same(of_pair("kappa_answer", *answers, gold), of_pair("kappa_answer", *answers[:, kept], gold[kept]))


@given(answer_sets(languages=1))
def test_a_language_agrees_fully_with_itself_where_it_answers(case: tuple[np.ndarray, np.ndarray]) -> None:
    answers, gold = case
    table = consistency.table_of(answers[0], answers[0], gold)
    if table.both > 0:
        assert consistency.jaccard(table) == consistency.recall(table) == consistency.dice(table) == 1
    if table.n > 0:
        itself = of_pair("agreement", answers[0], answers[0], gold)
        same(itself, 1 - of_language("no_answer_rate", answers[0], gold))


@given(
    hnp.arrays(np.float64, (6, 5), elements=st.floats(-9, 0)), hnp.arrays(np.float64, (6, 5), elements=st.floats(-9, 0))
)
def test_rankc_is_symmetric_in_range_and_one_for_equal_rankings(a: np.ndarray, b: np.ndarray) -> None:
    said, gold = np.zeros(6, np.int8), np.zeros(6, np.int8)

    def found(*scores: np.ndarray) -> float:
        return of_pair("rankc", said, said, gold, 5, scores=(scores[0], scores[1]))

    in_range(found(a, b), 0, 1)
    same(found(a, b), found(b, a))
    same(found(a, a * 2), 1.0)


def test_en_co_of_an_empty_union_is_zero_and_of_no_items_is_undefined() -> None:
    wrong, gold = np.ones(3, np.int8), np.zeros(3, np.int8)
    nowhere = consistency.table_of(wrong, wrong, gold)
    for variant in consistency.VARIANTS.values():
        assert variant.measure(nowhere) == 0
    assert np.isnan(consistency.forward_transfer(nowhere))
    nothing = consistency.table_of(np.full(3, MISSING, np.int8), wrong, gold)
    for variant in consistency.VARIANTS.values():
        assert np.isnan(variant.measure(nothing))
    assert np.isnan(performance.accuracy(np.full(3, MISSING, np.int8), gold))


@pytest.mark.parametrize("variant", consistency.VARIANTS)
def test_chance_corrected_en_co_and_kappa_are_undefined_for_two_perfect_languages(variant: str) -> None:
    gold = np.array([0, 1, 2], np.int8)
    assert np.isnan(corrected(gold, gold, gold, variant))
    assert np.isnan(of_pair("kappa_correct", gold, gold, gold))
    assert np.isnan(of_pair("same_wrong", gold, gold, gold))


def test_kappa_on_answers_is_undefined_when_both_always_say_the_same_letter() -> None:
    always = np.zeros(5, np.int8)
    assert np.isnan(of_pair("kappa_answer", always, always, always))
    assert np.isnan(of_row("fleiss_kappa", np.stack([always, always]), always))


def test_no_answer_agrees_with_nothing_but_stays_in_the_denominator() -> None:
    silent = np.full(4, NO_ANSWER, np.int8)
    assert of_pair("agreement", silent, silent, np.zeros(4, np.int8)) == 0
    assert performance.accuracy(silent, np.zeros(4, np.int8)) == 0
    assert np.isnan(position.top_choice_share(silent, K))


@pytest.mark.parametrize("variant", consistency.VARIANTS)
@pytest.mark.parametrize("habit", [0.0, 0.5, 0.9])
def test_answerers_who_share_only_a_favourite_letter_have_no_corrected_consistency(variant: str, habit: float) -> None:
    """Two languages that know different things, and say A where they know nothing `habit` of the time."""
    random = np.random.default_rng(7)
    gold = random.integers(0, K, 200_000).astype(np.int8)
    answers = []
    for knows in (0.6, 0.3):
        guess = np.where(random.random(gold.size) < habit, 0, random.integers(0, K, gold.size))
        answers.append(np.where(random.random(gold.size) < knows, gold, guess).astype(np.int8))
    assert float(corrected(*answers, gold, variant)) == pytest.approx(0, abs=0.01)


@given(hnp.arrays(np.bool_, (3, 8)), hnp.arrays(np.int64, 8, elements=st.integers(-1, 2)))
def test_eclektic_counts_each_pair_as_a_plain_loop_does(right: np.ndarray, source: np.ndarray) -> None:
    pairs = [(right[s, i], right[t, i]) for i, s in enumerate(source) if s >= 0 for t in range(3) if t != s]
    answers, gold = (~right).astype(np.int8), np.zeros(8, np.int8)
    overall, moved = (of_row(f"source_{part}", answers, gold, origins=source) for part in ("overall", "transfer"))
    known = [target for origin, target in pairs if origin]
    same(overall, np.mean([a and b for a, b in pairs]) if pairs else np.nan)
    same(moved, np.mean(known) if known else np.nan)
    assert not overall > moved
