"""Comparing models and groups: what is stated, what is refused, and what is said not to be known."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from clika_client.common.errors import UserError
from clika_client.report.comparison import render_changes, render_comparison, render_comparisons
from clika_client.scoring.answer_grid import AnswerGrid, RowKey, block_of
from clika_client.scoring.compare import compare, compare_languages
from clika_client.scoring.compare_groups import group_changes, parse_groups
from clika_client.scoring.compare_groups import summary as group_summary
from clika_client.scoring.measure import measure
from clika_client.scoring.metrics import MISSING
from clika_client.scoring.paired import PairedEstimate, judged, over_sets
from clika_client.scoring.score_sets import Options, make_parts
from clika_client.scoring.verdicts import summary
from clika_client.sets.probes import Item, Probe, ProbeSet

N = 200
GOLD = np.arange(N) % 4
QUICK = Options(bootstrap=500)


def a_set(name: str = "s") -> ProbeSet:
    probes = {
        tag: tuple(Probe(str(i), tag, "q", ("a", "b", "c", "d"), int(g)) for i, g in enumerate(GOLD))
        for tag in ("en", "de", "zh")
    }
    return ProbeSet(name, tuple(Item(str(i)) for i in range(N)), probes)


def model(name: str, wrong: dict[str, range], prompt: str = "plain", set_id: int = 1) -> AnswerGrid:
    answers = []
    for tag in ("en", "de", "zh"):
        line = GOLD.copy()
        rows = list(wrong.get(tag, range(0)))
        line[rows] = (line[rows] + 1) % 4
        answers.append(line)
    return block_of(RowKey(name, set_id, prompt, "text", "standard"), ("en", "de", "zh"), answers)


SETS = {1: a_set()}
GOOD = model("good", {"de": range(10), "zh": range(50)})
POOR = model("poor", {"de": range(40), "zh": range(48, 100)})


def test_a_difference_that_mcnemar_supports_is_stated_and_one_it_does_not_is_refused() -> None:
    result = compare([POOR], [GOOD], SETS, QUICK)
    by_language = {d.language: d for d in result.differences}
    assert (by_language["de"].accuracy.verdict, by_language["zh"].accuracy.verdict) == ("b", "cannot tell")
    assert (by_language["de"].only_a, by_language["de"].only_b) == (0, 30)
    assert by_language["de"].accuracy.diff == pytest.approx(0.15)
    assert by_language["de"].accuracy.low > 0
    text = " ".join(summary(result))
    assert "good is more accurate than poor in de" in text
    assert "200 items cannot tell the two apart in en, zh" in text


def test_a_comparison_takes_the_figures_that_a_whole_table_has() -> None:
    (part,) = make_parts([GOOD, POOR], SETS, QUICK)
    whole, few = (measure(part, GOOD, QUICK, fields).figures for fields in (None, ("accuracy", "en_co")))
    assert set(few.figures) == set(few.replicates) == {"accuracy", "en_co"}
    for field, found in few.figures.items():
        assert np.array_equal(np.array(found), np.array(whole.figures[field]), equal_nan=True)
        assert np.array_equal(few.replicates[field], whole.replicates[field], equal_nan=True)


def test_swapping_the_models_mirrors_everything() -> None:
    forward, backward = compare([POOR], [GOOD], SETS, QUICK), compare([GOOD], [POOR], SETS, QUICK)
    mirror = {"a": "b", "b": "a"}
    for d, e in zip(forward.differences, backward.differences, strict=True):
        assert d.accuracy.diff == -e.accuracy.diff
        assert d.accuracy.p_holm == e.accuracy.p_holm
        assert mirror.get(d.accuracy.verdict, d.accuracy.verdict) == e.accuracy.verdict
        assert d.accuracy.low == pytest.approx(-e.accuracy.high)


def test_a_degenerate_answerer_is_not_ranked_and_does_not_weaken_the_other_tests() -> None:
    stuck = block_of(RowKey("stuck", 1, "plain", "text", "standard"), ("en", "de", "zh"), np.zeros((3, N)))
    result = compare([stuck], [GOOD], SETS, QUICK)
    assert {d.accuracy.verdict for d in result.differences} == {"not ranked"}
    assert all(np.isnan(d.accuracy.p_holm) for d in result.differences)
    first, second = summary(result)
    assert first == "s: no accuracy to compare: no language whose answers say anything in both."
    assert second == "Not ranked in en, de, zh: the answers of stuck are biased or degenerate there."
    assert "no accuracy to compare" in summary(result)[0]


def test_a_degenerate_anchor_makes_en_co_unranked_everywhere() -> None:
    answers = GOOD.answers.copy()
    answers[0] = 0
    block = block_of(RowKey("odd", 1, "plain", "text", "standard"), ("en", "de", "zh"), answers)
    result = compare([block], [GOOD], SETS, QUICK)
    assert [d.accuracy.verdict for d in result.differences] == ["not ranked", "cannot tell", "cannot tell"]
    assert {d.en_co_chance_corrected.verdict for d in result.differences} == {"not ranked"}


def test_an_item_missing_in_either_model_is_compared_in_neither() -> None:
    answers = GOOD.answers.copy()
    answers[1, 100:] = MISSING
    partial = block_of(GOOD.key, GOOD.languages, answers)
    result = compare([POOR], [partial], SETS, QUICK)
    de = next(d for d in result.differences if d.language == "de")
    assert de.n == 100
    assert (de.accuracy.a, de.accuracy.b) == (0.6, 0.9)


def test_rows_asked_differently_are_compared_with_a_warning() -> None:
    result = compare([model("other", {}, prompt="paper-one-shot")], [GOOD], SETS, QUICK)
    assert "not asked alike" in result.notes[0]


def test_rows_asked_alike_are_preferred() -> None:
    rows = [model("two", {}, prompt="paper-one-shot"), model("two", {"de": range(90)}, prompt="plain")]
    result = compare(rows, [GOOD], SETS, QUICK)
    assert not result.notes
    assert next(d for d in result.differences if d.language == "de").accuracy.a == pytest.approx(0.55)


def test_rows_that_could_be_meant_either_way_are_refused_with_the_cure() -> None:
    rows = [model("two", {}, prompt="x"), model("two", {}, prompt="y")]
    with pytest.raises(UserError, match="choose with --prompt"):
        compare(rows, [GOOD], SETS, QUICK)


def test_models_without_a_common_set_are_refused() -> None:
    with pytest.raises(UserError, match="no common probe set"):
        compare([model("far", {}, set_id=2)], [GOOD], {**SETS, 2: a_set("t")}, QUICK)


def test_one_models_languages_are_compared_with_the_anchor() -> None:
    result = compare_languages([GOOD], SETS, QUICK)
    assert [(d.language, d.accuracy.verdict) for d in result.differences] == [("de", "a"), ("zh", "a")]
    assert [d.en_co_chance_corrected.verdict for d in result.differences] == ["not defined", "not defined"]


def test_holm_covers_every_language_and_set_of_the_comparison() -> None:
    two_sets = {1: a_set(), 2: a_set("t")}
    one = compare([POOR], [GOOD], SETS, QUICK)
    two = compare([POOR, model("poor", {}, set_id=2)], [GOOD, model("good", {}, set_id=2)], two_sets, QUICK)
    p_one, p_two = (next(d.accuracy.p_holm for d in c.differences if d.language == "de") for c in (one, two))
    assert p_two == pytest.approx(2 * p_one)


def test_the_first_line_says_who_is_better_overall_by_how_much() -> None:
    result = compare([POOR], [GOOD], SETS, QUICK)
    mean = result.means[0]
    # (190 - 160) / 200 in de, (150 - 148) / 200 in zh, nothing in en; means over three languages.
    assert mean.accuracy.diff == pytest.approx((0.15 + 0.01 + 0) / 3)
    assert mean.accuracy.low > 0
    first = summary(result)[0]
    assert first.startswith("s: good is more accurate than poor by +5.3 points [")
    assert "mean over 3 languages" in first


def test_the_others_of_one_model_are_behind_the_anchor_on_average() -> None:
    result = compare_languages([GOOD], SETS, QUICK)
    assert result.means[0].accuracy.diff == pytest.approx(-(0.05 + 0.25) / 2)
    assert summary(result)[0].startswith("s: the other languages of good are 15.0 points [")
    assert "behind en (mean over 2 languages)" in summary(result)[0]


def test_a_languages_out_of_habit_are_in_no_mean() -> None:
    answers = GOOD.answers.copy()
    answers[2] = 0
    result = compare([POOR], [block_of(GOOD.key, GOOD.languages, answers)], SETS, QUICK)
    assert result.means[0].languages == ("en", "de")


def test_consistency_is_judged_when_corrected_and_the_overlap_is_only_shown() -> None:
    """The overlap of both rises with accuracy; what they share beyond that is nothing."""
    random = np.random.default_rng(1)
    rows = []
    for name, right in (("weak", 0.5), ("strong", 0.9)):
        wrong = random.random((3, N)) > right
        rows.append(block_of(RowKey(name, 1, "plain", "text", "standard"), ("en", "de", "zh"), (GOLD + wrong) % 4))
    result = compare([rows[0]], [rows[1]], SETS, QUICK)
    de = next(d for d in result.differences if d.language == "de")
    assert de.en_co.diff > 0.3
    assert de.en_co.low > 0
    assert de.en_co_chance_corrected.verdict == "cannot tell"
    record = de.to_dict()
    assert {"verdict", "en_co_chance_corrected_verdict", "en_co_diff"} <= set(record)
    assert "en_co_verdict" not in record


def test_a_difference_between_two_models_that_are_always_right_is_not_certain_to_be_none() -> None:
    perfect = [model(name, {}) for name in ("a", "b")]
    mean = compare([perfect[0]], [perfect[1]], SETS, QUICK).means[0]
    assert (mean.accuracy.diff, mean.accuracy.verdict) == (0, "cannot tell")
    assert mean.accuracy.low < 0 < mean.accuracy.high


def test_the_mean_over_sets_adds_errors_of_sets_that_share_no_item() -> None:
    one = PairedEstimate(0.5, 0.6, 0.1, 0.04, 0.18, 0.01)
    both = over_sets([one, one], None)
    assert (both.diff, both.low, both.high) == pytest.approx((0.1, 0.1 - 0.06 / 2**0.5, 0.1 + 0.08 / 2**0.5))


def test_of_many_languages_the_tables_show_those_that_differ_unless_all_are_asked_for() -> None:
    sets = {i: a_set(f"s{i}") for i in range(10)}
    rows = [[replace(m, key=replace(m.key, set_id=i)) for i in sets] for m in (POOR, GOOD)]
    result = compare(*rows, sets, QUICK)
    changes = group_changes([*rows[0], *rows[1]], sets, {"base": ("poor",), "tuned": ("good",)}, QUICK)
    for render in (
        lambda console, details: render_comparison(result, console, details),
        lambda console, details: render_changes(changes, console, "jaccard", details),
    ):
        texts = []
        for details in (False, True):
            console = Console(file=io.StringIO(), width=120)
            render(console, details)
            texts.append(console.file.getvalue())  # type: ignore[attr-defined]
        short, whole = texts
        assert short.count("\nzh ") < whole.count("\nzh ")
        assert short.count("\nde ") >= 10
        assert "--details has them all" in short
        assert "--details" not in whole


def _named(row: AnswerGrid, name: str) -> AnswerGrid:
    return replace(row, key=replace(row.key, model=name))


def test_long_names_are_letters_notes_stand_once_and_no_table_is_all_dashes() -> None:
    stuck = {tag: np.zeros(N, int) for tag in ("en", "de", "zh")}
    habit = block_of(RowKey("stuck", 1, "plain", "text", "standard"), tuple(stuck), list(stuck.values()))
    pairs = [(POOR, GOOD), (habit, habit)]
    of_run = [[_named(m, f"{m.key.model} (20261127-234344-3d991{i})") for i, m in enumerate(pair)] for pair in pairs]
    results = [compare([a], [b], SETS, QUICK) for a, b in of_run]
    console = Console(file=io.StringIO(), width=110)
    render_comparisons(results, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert (
        "A = poor (20261127-234344-3d9910)\nB = good (20261127-234344-3d9911)\ns: B is more accurate than A by" in text
    )
    assert text.count("(20261127-234344-3d9910)") == 2
    assert text.count("McNemar") == 1
    assert text.count("Consistency, corrected for chance") == 1
    habit_alone = text[text.index("A = stuck") :]
    assert "not ranked" in habit_alone
    assert "Consistency" not in habit_alone.partition("Accuracy:")[0]


@pytest.mark.parametrize("width", [80, 110])
def test_three_groups_on_four_sets_fit_a_few_screens_and_begin_with_words(width: int) -> None:
    tags, names = ("en", "de", "fr", "it", "pl", "ru", "ar", "he", "ja", "zh"), ("x_csqa", "x_copa", "x_geo", "x_name")
    gold = np.arange(100) % 4
    probes = {t: tuple(Probe(str(i), t, "q", ("a", "b", "c", "d"), int(g)) for i, g in enumerate(gold)) for t in tags}
    sets = {i: ProbeSet(name, tuple(map(Item, map(str, range(100)))), probes) for i, name in enumerate(names)}
    groups = {
        "base": ("llama_13b", "llama2_13b"),
        "tuned": ("alpaca_13b", "vicuna_13b"),
        "zh": ("chinese_13b", "zh2_13b"),
    }
    blocks = []
    for n, model_name in enumerate(m for of_group in groups.values() for m in of_group):
        for set_id in sets:
            # Every language changes from group to group, some for the better and some for the worse.
            right = [20 + 12 * (n // 2 if k % 2 else 2 - n // 2) + 3 * k for k in range(len(tags))]
            lines = [np.where(np.arange(100) * 37 % 100 < r, gold, (gold + 1) % 4) for r in right]
            blocks.append(block_of(RowKey(model_name, set_id, "plain", "text", "standard"), tags, lines))
    console = Console(file=io.StringIO(), width=width)
    render_changes(group_changes(blocks, sets, groups, QUICK, pool="en"), console, "jaccard")
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) < 120
    assert max(map(len, lines)) <= width
    assert "--details has every figure" in " ".join(" ".join(lines).split())
    assert re.match(r"x_csqa, base to tuned: mean RA of the other languages ", lines[0])
    begin = next(i for i, line in enumerate(lines) if line.startswith("RA "))
    assert sum(" to " in line and line.startswith("x_") for line in lines[:begin]) >= 8


def test_what_has_a_verdict_already_weakens_no_other_test() -> None:
    tested = [PairedEstimate(diff=0.1, p_value=0.03), PairedEstimate(diff=0.1, p_value=0.02, verdict="not ranked")]
    first, second = judged(tested, {True: "b", False: "a"})
    assert (first.p_holm, first.verdict, second.verdict) == (0.03, "b", "not ranked")


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("base=a,tuned=b", {"base": ("a",), "tuned": ("b",)}),
        ("base=a,b,tuned=c, d", {"base": ("a", "b"), "tuned": ("c", "d")}),
        ("base=x/y:4b,tuned=z,more=w", {"base": ("x/y:4b",), "tuned": ("z",), "more": ("w",)}),
    ],
)
def test_groups_are_read_from_one_option(text: str, groups: dict[str, tuple[str, ...]]) -> None:
    assert parse_groups(text) == groups


@pytest.mark.parametrize("text", ["", "base=a", "a,b", "base=,tuned=b", "base=a,base=b"])
def test_groups_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--group"):
        parse_groups(text)


def test_a_gain_in_one_language_that_another_paid_for_is_said_so() -> None:
    base = model("base", {"de": range(20), "zh": range(80)})
    tuned = model("tuned", {"de": range(90), "zh": range(10)})
    changes = group_changes([base, tuned], SETS, parse_groups("before=base,after=tuned"), QUICK)
    verdicts = {c.language: c.ra.verdict for c in changes}
    assert verdicts == {"en": "cannot tell", "de": "loss", "zh": "gain"}
    assert "RA gained in zh +0.467 and lost in de -0.467: the gain was paid for" in group_summary(changes)[0]


def test_groups_average_over_their_models() -> None:
    rows = [model("a", {"zh": range(100)}), model("b", {}), model("c", {"zh": range(50)})]
    changes = group_changes(rows, SETS, {"base": ("a", "b"), "tuned": ("c",)}, QUICK)
    zh = next(c for c in changes if c.language == "zh")
    assert zh.ra.a == pytest.approx((1 / 3 + 1) / 2)
    assert zh.ra.b == pytest.approx(2 / 3)
    assert zh.ra.verdict == "cannot tell"


def test_of_sets_that_show_no_change_the_sentence_stands_and_no_empty_table() -> None:
    sets = {i: a_set(f"s{i}") for i in range(10)}
    same = [replace(m, key=replace(m.key, set_id=i)) for i in sets for m in (POOR, replace(POOR, key=GOOD.key))]
    changes = group_changes(same, sets, {"base": ("poor",), "tuned": ("good",)}, QUICK)
    console = Console(file=io.StringIO(), width=80)
    render_changes(changes, console, "jaccard")
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "s7, base to tuned: no change of RA" in text
    assert "before after" not in text


def test_a_set_whose_answers_are_habits_is_dismissed_in_one_sentence() -> None:
    habit, tags = np.zeros((3, N)), ("en", "de", "zh")
    letters = [block_of(RowKey(name, 1, "plain", "text", "standard"), tags, habit) for name in ("a", "b")]
    (said,) = group_summary(group_changes(letters, SETS, {"base": ("a",), "tuned": ("b",)}, QUICK))
    assert said.startswith("s, base to tuned: nothing can be said; not ranked in any of 3 languages")


def test_sets_that_were_asked_unlike_in_the_same_way_share_one_warning() -> None:
    sets = {1: a_set("s"), 2: a_set("t")}
    unlike = model("other", {}, prompt="paper-one-shot")
    rows = [[replace(m, key=replace(m.key, set_id=i)) for i in sets] for m in (unlike, GOOD)]
    (note,) = compare(*rows, sets, QUICK).notes
    assert note.startswith("On s, t the two were not asked alike")


def test_an_unknown_model_in_a_group_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"base=nobody.*good, poor"):
        group_changes([GOOD, POOR], SETS, {"base": ("nobody",), "tuned": ("good",)}, QUICK)
