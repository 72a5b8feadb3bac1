"""Worked examples whose numbers were computed independently of this project."""

from __future__ import annotations

import numpy as np
import pytest
from figures import of_language, of_pair, of_row

from clika_client.conductivity.certainty import xrr
from clika_client.conductivity.trials import Trial
from clika_client.scoring.metrics import (
    NO_ANSWER,
    conductivity,
    consistency,
    performance,
    position,
    rankc,
    significance,
)
from clika_client.scoring.metrics.intervals import wilson


def coded(letters: str) -> np.ndarray:
    return np.array([NO_ANSWER if c == "_" else "ABCD".index(c) for c in letters], np.int8)


GOLD, EN, X, THIRD = coded("ABCDABCDAB"), coded("ABCDABDDCA"), coded("ABCAABD_CB"), coded("ABCDBBDDCB")
TABLE = consistency.table_of(EN, X, GOLD)


def near(value: float | list[float]) -> object:
    return pytest.approx(value, abs=5e-7)


def test_toy_table_counts_items_by_where_they_are_right() -> None:
    assert [float(count) for count in TABLE] == [5, 2, 1, 2]


def test_toy_accuracy_and_ra() -> None:
    assert performance.accuracy(np.stack([EN, X]), GOLD).tolist() == near([0.7, 0.6])
    assert of_language("ra", np.stack([EN, X]), GOLD, reference=0.97).tolist() == near([0.625, 0.486111])


def test_ra_of_chatgpt_english_on_x_name_is_just_above_one() -> None:
    answers = np.repeat([0, 1], [166, 14]).astype(np.int8)
    assert of_language("ra", answers, np.zeros(180, np.int8), reference=0.922) == near(1.000331)


def test_ra_is_clipped_at_zero_and_not_above() -> None:
    gold = coded("AAAAAAAAAA")
    answers = np.stack([coded("ABBBBBBBBB"), gold])
    assert of_language("ra", answers, gold, reference=0.5).tolist() == near([0.0, 3.0])
    assert of_language("ra_unclipped", answers, gold, reference=0.5).tolist() == near([-0.6, 3.0])


def test_ra_is_undefined_where_the_reference_is_no_better_than_chance() -> None:
    assert np.isnan(of_language("ra", EN, GOLD, reference=0.25))


def test_toy_no_answer_rate_is_a_share_of_replies() -> None:
    assert of_language("no_answer_rate", X, GOLD) == near(0.1)


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (consistency.jaccard, 0.625),
        (consistency.recall, 0.714286),
        (consistency.forward_transfer, 0.714286),
        (consistency.dice, 0.769231),
        (consistency.reverse_transfer, 0.833333),
    ],
)
def test_toy_overlap(measure: object, value: float) -> None:
    assert float(measure(TABLE)) == near(value)  # type: ignore[operator]


def test_toy_overlap_is_corrected_among_items_whose_gold_stands_at_the_same_place() -> None:
    """By hand: right in en and x of the 3, 3, 2, 2 items with gold A to D: 2 and 2, 2 and 3, 1 and 1, 2 and 0."""
    strata = consistency.strata_of(EN, X, GOLD)
    both = 2 * 2 / 3 + 2 * 3 / 3 + 1 * 1 / 2 + 0
    expected = both / (7 + 6 - both)
    assert float(strata.expected_both[0]) == near(both)
    assert float(consistency.expected(TABLE, strata)[0]) == near(expected)
    assert float(consistency.chance_corrected(TABLE, strata)[0]) == near((0.625 - expected) / (1 - expected))


def test_two_answerers_of_one_letter_cannot_be_told_from_chance() -> None:
    gold, always = coded("AABBAABB"), coded("AAAAAAAA")
    table, strata = consistency.table_of(always, always, gold), consistency.strata_of(always, always, gold)
    assert float(consistency.jaccard(table)) == 1.0
    assert float(consistency.expected(table, strata)[0]) == near(1.0)
    assert np.isnan(consistency.chance_corrected(table, strata)[0])


def test_beside_an_anchor_that_is_always_right_consistency_cannot_be_told() -> None:
    table, strata = consistency.table_of(GOLD, X, GOLD), consistency.strata_of(GOLD, X, GOLD)
    assert np.isnan(consistency.chance_corrected(table, strata)[0])
    assert np.isnan(consistency.ceiling(table, strata)[0])


def test_knowledge_that_lies_within_the_anchors_is_at_its_ceiling() -> None:
    anchor, other = coded("ABCDABCDBA"), coded("ABCDDCBABA")
    table, strata = consistency.table_of(anchor, other, GOLD), consistency.strata_of(anchor, other, GOLD)
    ceiling = float(consistency.ceiling(table, strata)[0])
    assert 0 < ceiling < 1
    assert float(consistency.chance_corrected(table, strata)[0]) == near(ceiling)


def test_toy_agreement_kappa_and_same_wrong() -> None:
    expected = {"agreement": 0.7, "kappa_answer": 0.615385, "kappa_correct": 0.347826, "same_wrong": 1.0}
    assert {field: of_pair(field, EN, X, GOLD) for field in expected} == pytest.approx(expected, abs=5e-7)


def test_toy_ac3_over_two_and_three_languages() -> None:
    assert of_row("ac3", np.stack([EN, X]), GOLD) == near(0.674074)
    assert of_pair("ac3", EN, X, GOLD) == near(0.674074)
    three = np.stack([EN, X, THIRD])
    assert of_row("ac3", three, GOLD) == near(0.698413)
    assert of_row("ac3_3", three, GOLD) == near(0.631579)


def test_toy_fleiss_kappa_counts_no_answer_as_a_category() -> None:
    assert of_row("fleiss_kappa", np.stack([EN, X, THIRD]), GOLD) == near(0.649123)


def test_toy_position_bias() -> None:
    assert position.choice_counts(X, 4).tolist() == [3, 3, 2, 1]
    assert position.total_variation(X, GOLD, 4) == near(0.088889)
    assert position.top_choice_share(X, 4) == near(3 / 9)


@pytest.mark.parametrize(
    ("share", "flags"),
    [(0.7999, ()), (0.80, ("biased",)), (0.9499, ("biased",)), (0.95, ("biased", "degenerate")), (float("nan"), ())],
)
def test_flags_start_at_their_limits(share: float, flags: tuple[str, ...]) -> None:
    assert position.flags(share) == flags
    assert position.flags(share, answered=20, replied=20) == flags
    assert position.flags(share, answered=19, replied=19) == ()


def test_a_model_that_answers_less_than_half_is_flagged() -> None:
    assert position.flags(0.3, answered=9, replied=20) == ("silent",)
    assert position.flags(0.3, answered=10, replied=20) == ()
    assert position.flags(0.3, answered=0, replied=19) == ()


def test_a_set_whose_gold_sits_on_one_letter_is_found() -> None:
    assert position.one_sided(coded("A" * 18 + "BC")) == (0, near(0.9))
    assert position.one_sided(coded("ABCD" * 5)) is None
    assert position.one_sided(coded("AAAA")) is None


@pytest.mark.parametrize(("other", "value"), [([1, 0, 2], 0.334759), ([0, 2, 1], 0.877636), ([2, 1, 0], 0.212395)])
def test_rankc_of_three_choices(other: list[int], value: float) -> None:
    assert rankc.rankc_items(np.array([[0, 1, 2]]), np.array([other]))[0] == near(value)


def test_rankc_reads_scores_not_only_rankings() -> None:
    scores = (np.array([[-0.1, -2.0, -3.0]]), np.array([[-2.0, -0.1, -9.0]]))
    assert of_pair("rankc", coded("A"), coded("B"), coded("A"), 3, scores=scores) == near(0.334759)


def test_eclektic_transfer_leaves_the_source_cell_out() -> None:
    en, de, zh = [1, 0, 1], [1, 1, 1], [0, 0, 0]
    answers, origins = 1 - np.array([en, de, zh], np.int8), np.array([0, 1, 2])
    assert of_row("source_overall", answers, np.zeros(3, np.int8), origins=origins) == near(1 / 6)
    assert of_row("source_transfer", answers, np.zeros(3, np.int8), origins=origins) == near(1 / 4)


def test_xrr_in_its_three_readings() -> None:
    english, other = np.zeros(200, np.bool_), np.zeros(200, np.bool_)
    english[:194] = True
    other[:37] = True
    other[199] = True
    continents = np.arange(200) % 20
    trial = Trial(
        facts=tuple(map(str, range(200))), continents=tuple("abcdefghijklmnopqrst"), answer=continents,
        given=np.where(other, continents, -1), copied=np.full(200, -1), asked=other, taught=english, before=None,
        other_language=np.zeros(200, np.bool_), choices=20,
    )  # fmt: skip
    found = xrr([trial])
    values = [figure.value for figure in (found.raw, found.ratio, found.conditional, found.above_chance)]
    assert values == near([0.19, 0.195876, 0.190722, 0.152174])


def test_the_gate_is_strict_and_names_what_failed() -> None:
    parts = {"translation": 0.90, "en_type0": 0.9001, "en_type1": 1.0}
    assert conductivity.failed_gates(parts) == ("translation", "x_type0")


@pytest.mark.parametrize(("right", "n", "low", "high"), [(7, 10, 0.396778, 0.892209), (746, 1000, 0.718114, 0.772003)])
def test_wilson(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right, n) == (near(low), near(high))


@pytest.mark.parametrize(("b", "c", "p"), [(2, 1, 1.0), (15, 4, 0.019211), (0, 0, 1.0)])
def test_mcnemar_exact(b: int, c: int, p: float) -> None:
    assert significance.mcnemar_exact(b, c) == near(p)


def test_holm() -> None:
    assert significance.holm([0.001, 0.02, 0.03, 0.04]) == near([0.004, 0.06, 0.06, 0.06])
    assert significance.holm([0.04, 0.001, 0.03, 0.02]) == near([0.06, 0.004, 0.06, 0.06])
