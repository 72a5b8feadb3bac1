"""Scoring rows of answers: fields, null rules, coverage, dropping, splitting and references."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from clika_client.common.errors import UserError
from clika_client.scoring.answer_grid import AnswerGrid, RowKey, block_of, plurality
from clika_client.scoring.metrics import MISSING, NO_ANSWER
from clika_client.scoring.records import Record, Scores
from clika_client.scoring.score import Options, score
from clika_client.sets.probes import Item, Probe, ProbeSet

GOLD = "ABCDABCDAB"
TOY = {"en": "ABCDABDDCA", "x": "ABCAABD_CB"}


def coded(letters: str) -> list[int]:
    return [{"_": NO_ANSWER, "?": MISSING}.get(c, "ABCD".find(c)) for c in letters]


def toy_set(gold: str = GOLD, languages: tuple[str, ...] = ("en", "x"), **details: object) -> ProbeSet:
    items = tuple(Item(str(i), {"region": "north" if i < 4 else "south"}) for i in range(len(gold)))
    probes = {
        tag: tuple(Probe(str(i), tag, f"q{i}", ("w", "x", "y", "z"), "ABCD".index(c)) for i, c in enumerate(gold))
        for tag in languages
    }
    return ProbeSet("toy", items, probes, **{"reference": 0.97, **details})  # type: ignore[arg-type]


def row(answers: dict[str, str], model: str = "m", set_id: int = 1) -> AnswerGrid:
    key = RowKey(model, set_id, "plain", "text", "standard")
    return block_of(key, list(answers), [coded(letters) for letters in answers.values()])


def scored(answers: dict[str, str], probe_set: ProbeSet | None = None, **options: object) -> Scores:
    wanted = Options(**{"bootstrap": 0, **options})  # type: ignore[arg-type]
    return score([row(answers)], {1: probe_set or toy_set()}, wanted)


def cell(scores: Scores, language: str) -> Record:
    return next(record for record in scores.records if record.language == language)


def near(value: float) -> object:
    return pytest.approx(value, abs=5e-7)


def test_a_record_holds_the_toy_set_s_figures() -> None:
    record = cell(scored(TOY), "x").to_dict()
    expected = {
        "accuracy": 0.6, "ra": 0.486111, "no_answer_rate": 0.1, "en_co": 0.625, "en_co_chance_corrected": 0.355469,
        "kappa_correct": 0.347826, "agreement": 0.7, "kappa_answer": 0.615385, "same_wrong": 1.0, "transfer": 0.714286,
        "reverse_transfer": 0.833333,
        "ac3": 0.674074, "top_choice_share": 3 / 9, "coverage": 1.0, "ra_reference": 0.97, "chance": 0.25,
    }  # fmt: skip
    assert {name: record[name] for name in expected} == {name: near(value) for name, value in expected.items()}
    assert (record["n"], record["answered"], record["flags"], record["en_co_variant"]) == (10, 9, [], "jaccard")


@pytest.mark.parametrize(("variant", "value"), [("jaccard", 0.625), ("recall", 0.714286), ("dice", 0.769231)])
def test_the_variant_of_en_co_is_chosen_and_named(variant: str, value: float) -> None:
    record = cell(scored(TOY, variant=variant), "x")
    assert record.en_co == near(value)
    assert record.en_co_variant == variant


def test_the_anchor_has_no_en_co_with_itself_and_json_says_null() -> None:
    record = cell(scored(TOY), "en").to_dict()
    assert [record[name] for name in ("en_co", "kappa_correct", "agreement", "transfer")] == [None] * 4


def test_another_anchor_turns_the_comparison_round() -> None:
    record = cell(scored(TOY, anchor="x"), "en")
    assert record.en_co == near(0.625)
    assert record.transfer == near(0.833333)


def test_without_an_anchor_performance_is_still_scored() -> None:
    record = cell(scored({"x": TOY["x"]}), "x").to_dict()
    assert record["accuracy"] == near(0.6)
    assert record["en_co"] is None


def test_a_missing_reply_is_not_wrong_and_leaves_its_pair_alone() -> None:
    record = cell(scored({"en": TOY["en"], "x": "ABCAABD_C?"}), "x")
    assert (record.n, record.answered, record.coverage) == (10, 8, near(0.9))
    assert record.accuracy == near(5 / 9)
    assert record.no_answer_rate == near(1 / 9)
    assert record.en_co == near(5 / 7)


def test_a_row_with_no_reply_at_all_is_null_not_zero() -> None:
    record = cell(scored({"en": "??????????", "x": TOY["x"]}), "en").to_dict()
    assert (record["coverage"], record["accuracy"], record["ra"], record["no_answer_rate"]) == (0, None, None, None)
    assert cell(scored({"en": "??????????", "x": TOY["x"]}), "x").to_dict()["en_co"] is None


def test_a_degenerate_answerer_is_flagged_and_its_null_metrics_are_null() -> None:
    wide = toy_set("ABCD" * 5)
    record = cell(scored({"en": "A" * 20, "x": "A" * 20}, wide), "x").to_dict()
    assert record["flags"] == ["biased", "degenerate"]
    assert record["en_co_chance_corrected"] is None
    assert record["kappa_answer"] is None
    assert record["en_co"] == 1.0


def test_intervals_hold_their_figure_and_repeat_with_the_seed() -> None:
    first, again = (cell(scored(TOY, bootstrap=2000, seed=1), "x") for _ in range(2))
    assert first.to_dict() == again.to_dict()
    for name in ("accuracy", "ra", "en_co"):
        low, value, high = (getattr(first, f"{name}{end}") for end in ("_low", "", "_high"))
        assert low <= value <= high
    assert (first.accuracy_low, first.accuracy_high) == (near(0.312674), near(0.831820))
    # Wilson of 5 right in both out of 8 right in either.
    assert (first.en_co_low, first.en_co_high) == (near(0.305742), near(0.863156))
    assert (first.ra_low, first.ra_high) == (near((0.312674 - 0.25) / 0.72), near((0.831820 - 0.25) / 0.72))


def test_below_chance_ra_is_negative_and_its_interval_has_a_width() -> None:
    """10 right of 100 with four choices: Wilson .0552 to .1744, all of it below chance."""
    gold = "ABCD" * 25
    wrong = "".join("BCDA"["ABCD".index(letter)] for letter in gold)
    answers = {"en": gold, "x": gold[:10] + wrong[10:]}
    record = cell(scored(answers, toy_set(gold, reference=1.0), bootstrap=100), "x")
    low, high = (0.055229 - 0.25) / 0.75, (0.174366 - 0.25) / 0.75
    assert record.ra_unclipped == near((0.10 - 0.25) / 0.75)
    assert (record.ra_unclipped_low, record.ra_unclipped_high) == (near(low), near(high))
    # The paper's figure: cut off, with the whole interval below it.
    assert (record.ra, record.ra_low, record.ra_high) == (0.0, near(low), 0.0)


def test_a_missing_mean_says_why() -> None:
    gold = "ABCD" * 10
    answers = {"en": gold, "x": gold, "y": "A" * 40, "z": "B" * 40}
    summary = scored(answers, toy_set(gold, tuple(answers))).rows[0]
    assert math.isnan(summary.other_ra)
    assert summary.no_mean == "2 of 3 other languages are flagged"
    assert summary.all_other_ra == near((1 + 0.25 + 0.25 - 0.75) / 3 / 0.72)
    answers = {"en": "A" * 40, "x": gold, "y": gold}
    summary = scored(answers, toy_set(gold, tuple(answers))).rows[0]
    assert summary.other_ra == near(0.75 / 0.72)
    assert math.isnan(summary.other_en_co)
    assert "the anchor is flagged" in summary.no_mean
    assert scored(TOY).rows[0].no_mean == ""


def test_no_bootstrap_means_no_intervals() -> None:
    record = cell(scored(TOY), "x").to_dict()
    assert [record[f"{name}_{end}"] for name in ("accuracy", "ra", "en_co") for end in ("low", "high")] == [None] * 6


def test_intervals_of_complete_and_incomplete_rows_agree_when_the_missing_item_is_dropped() -> None:
    with_gap = {"en": TOY["en"], "x": "ABCAABD_C?"}
    part = scored(with_gap, bootstrap=4000)
    assert cell(part, "x").en_co_low <= cell(part, "x").en_co <= cell(part, "x").en_co_high
    assert cell(part, "en").accuracy == near(0.7)


def test_clusters_of_the_set_are_resampled_whole() -> None:
    base = toy_set()
    paired = ProbeSet(
        "toy", tuple(Item(str(i), {}, cluster=str(i // 5)) for i in range(10)), base.probes, reference=0.97
    )
    single, whole = (cell(scored(TOY, s, bootstrap=3000), "x") for s in (base, paired))
    assert whole.ra != whole.ra_low
    assert (single.ra_low, single.ra_high) != (whole.ra_low, whole.ra_high)


def test_json_holds_no_number_that_json_lacks() -> None:
    document = scored({"en": "A" * 10, "x": "?" * 10}, bootstrap=50).to_json()
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text)["records"][1]["accuracy"] is None


def test_an_item_unclean_in_one_language_is_dropped_in_all() -> None:
    base = toy_set()
    tagged = Probe("0", "x", "q0", ("w", "w", "y", "z"), 0, {"ambiguous": "duplicate"})
    unclean = ProbeSet(
        "toy", base.items, {"en": base.probes["en"], "x": (tagged, *base.probes["x"][1:])}, reference=0.97
    )
    scores = scored(TOY, unclean, drop=("ambiguous",))
    assert {record.n for record in scores.records} == {9}
    assert cell(scores, "en").accuracy == near(6 / 9)
    assert scores.dropped == {"toy": 1}


def test_a_misspelt_tag_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'ambigous'.*region"):
        scored(TOY, drop=("ambigous",))
    with pytest.raises(UserError, match="--split 'regio'"):
        scored(TOY, split="regio")


def test_a_split_scores_each_part_on_its_own_items() -> None:
    scores = scored(TOY, split="region")
    north, south = (
        next(r for r in scores.records if r.split == f"region={v}" and r.language == "x") for v in ("north", "south")
    )
    assert (north.n, south.n) == (4, 6)
    assert (north.accuracy, south.accuracy) == (near(3 / 4), near(3 / 6))


def test_a_set_without_a_published_reference_uses_one_and_says_so() -> None:
    scores = scored(TOY, toy_set(reference=None))
    assert cell(scores, "x").ra == near((0.6 - 0.25) / 0.75)
    assert scores.reference_kind == {"toy": "none"}


def test_a_reference_can_be_given_as_a_fraction_or_as_a_model() -> None:
    plain = toy_set(reference=None)
    assert cell(scored(TOY, plain, reference=0.85), "x").ra == near(0.35 / 0.6)
    assert cell(scored(TOY, plain, reference="m"), "en").ra == near(1.0)
    with pytest.raises(UserError, match="above chance"):
        scored(TOY, plain, reference=0.25)
    with pytest.raises(UserError, match="no stored answers"):
        scored(TOY, plain, reference="nobody")


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(UserError, match="jaccard, recall, dice"):
        scored(TOY, variant="overlap")


def test_a_row_summary_covers_all_languages() -> None:
    probe_set = toy_set(languages=("en", "x", "z"))
    scores = scored({**TOY, "z": "ABCDBBDDCB"}, probe_set)
    summary = scores.rows[0]
    assert summary.ac3 == near(0.698413)
    assert summary.ac3_3 == near(0.631579)
    assert summary.fleiss_kappa == near(0.649123)
    assert summary.language_gap == near(0.1)
    assert summary.other_en_co == near((cell(scores, "x").en_co + cell(scores, "z").en_co) / 2)
    assert [row[i] for i, row in enumerate(summary.pairs)] == [1, 1, 1]
    assert summary.pairs[0][1] == near(0.625)


def test_the_mother_tongue_effect_is_taken_on_the_items_of_each_language() -> None:
    base = toy_set()
    items = tuple(Item(str(i), {"original_lang": "x" if i in (3, 9) else "en"}) for i in range(10))
    scores = scored(TOY, ProbeSet("toy", items, base.probes, reference=0.97))
    effect = scores.rows[0].mother_tongue["x"]
    assert (effect["n"], effect["own"], effect["anchor"], effect["effect"]) == (2, 0.5, 0.5, 0.0)
    assert effect["p_value"] == 1.0


def test_rows_that_items_cannot_tell_apart_are_named_and_clear_differences_are_not() -> None:
    gold = "ABCD" * 50
    probe_set = toy_set(gold)
    better = {"en": gold, "x": gold}
    worse = {"en": gold, "x": "A" * 100 + gold[100:]}
    like = {"en": gold, "x": "A" + gold[1:99] + "AA" + gold[101:]}
    blocks = [row(better, "best"), row(like, "like"), row(worse, "worse")]
    scores = score(blocks, {1: probe_set}, Options(bootstrap=500))
    assert [(scores.rows[t.higher].model, scores.rows[t.lower].model) for t in scores.ties] == [("best", "like")]


def test_the_order_of_rows_changes_no_record() -> None:
    probe_set = toy_set()
    blocks = [row(TOY, "a"), row({"en": TOY["x"], "x": TOY["en"]}, "b")]
    forward, backward = (score(b, {1: probe_set}, Options(bootstrap=300)) for b in (blocks, blocks[::-1]))
    assert sorted(map(repr, forward.records)) == sorted(map(repr, backward.records))


def test_plurality_takes_the_most_frequent_choice_and_the_earliest_of_equals() -> None:
    votes = np.array([[0, 1, -1, -2, 2], [1, 1, -1, -2, -1], [1, 0, 3, -2, 0]], np.int8)
    assert plurality(votes, 4).tolist() == [1, 1, 3, MISSING, 2]


def test_choice_probabilities_give_rankc() -> None:
    probe_set = toy_set("AB")
    scores = np.log(np.array([[[0.5, 0.3, 0.1, 0.1], [0.1, 0.6, 0.2, 0.1]]] * 2))
    block = row({"en": "AB", "x": "AB"})
    record = cell(
        score(
            [AnswerGrid(block.key, block.languages, block.answers, block.asked, scores=scores)],
            {1: probe_set},
            Options(bootstrap=0),
        ),
        "x",
    )
    assert record.rankc == near(1.0)
    assert math.isnan(record.rankc_chance_corrected)
    assert math.isnan(cell(scored(TOY), "x").rankc)
