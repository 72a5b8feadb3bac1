"""XRR behind its gate: the worked example of the metric, failed gates, controls, splits and both forms."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from clika_client.common.errors import UserError
from clika_client.conductivity.asking import Form
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.conductivity.chance import shuffle
from clika_client.conductivity.forgetting import Kept
from clika_client.conductivity.gate import Count, GatePart, luck, surely
from clika_client.conductivity.material import TEST, ExperimentQuestion, Material
from clika_client.conductivity.replies import ExperimentReplies, ExperimentReply
from clika_client.conductivity.report import render
from clika_client.conductivity.score import score
from clika_client.conductivity.scored_pairs import NOT_INTERPRETABLE, PairScore
from clika_client.conductivity.trials import Trial, trial

Model = Callable[[ExperimentQuestion], str]


@pytest.fixture(scope="module")
def german() -> Material:
    """As many facts as the worked example has."""
    return build(TeachingPlan(("de",), places=20))


@pytest.fixture(scope="module")
def copyable() -> Material:
    """Names that can be found by comparing spellings: some like the taught ones, some unlike."""
    return build(TeachingPlan(("fr",), places=24, names="transliterated"))


def replies(material: Material, model: Model, form: Form = "choice") -> ExperimentReplies:
    """What a model that answers by `model` (question → name) would be recorded to say.

    As choices where a test is not about reading: a thousand texts take a second to read, and their figures are those
    of the choices (the worked example is scored both ways).
    """
    said = {}
    for question in material.questions:
        name = model(question)
        choice = question.choices.index(name) if name in question.choices else None
        said[question.question_id] = ExperimentReply(f"… {name}.", choice if form == "choice" else None)
    return ExperimentReplies("gguf/model", "{}", "digest", form, said)


def row(material: Material, model: Model, form: Form = "choice") -> PairScore:
    (only,) = score(material, replies(material, model, form)).pairs
    return only


def knows(material: Material, wrong: dict[str, set[str]]) -> Model:
    """Right everywhere but on the facts named per part, where another choice is given."""

    def model(question: ExperimentQuestion) -> str:
        if question.fact_id in wrong.get(question.part, set()):
            return question.choices[(question.gold + 1) % len(question.choices)]
        return question.answer

    return model


def published_example(material: Material, spread: bool = False) -> Model:
    """X type-1 38 of 200, English type-1 194 of 200, both right 37; in four continents, or spread over all."""
    questions = material.asked("de", TEST)
    facts = [q.fact_id for q in questions]
    if spread:
        random.Random(0).shuffle(facts)
    else:
        facts = [q.fact_id for q in sorted(questions, key=lambda q: q.answer)]
    both, only_x = set(facts[:37]), set(facts[37:38])
    en_wrong = only_x | set(facts[38:43])
    return knows(material, {TEST: set(facts) - both - only_x, "taught_type1": en_wrong})


@pytest.mark.parametrize("form", ["text", "choice"])
def test_xrr_is_that_of_the_worked_example(german: Material, form: Form) -> None:
    found = row(german, published_example(german), form).xrr
    assert found is not None
    assert found.raw.value == pytest.approx(0.19)
    assert found.ratio.value == pytest.approx(0.195876, abs=5e-7)
    assert found.conditional.value == pytest.approx(0.190722, abs=5e-7)
    assert found.above_chance.value == pytest.approx(0.152174, abs=5e-7)


def test_every_reading_has_an_interval_around_it(german: Material) -> None:
    found = row(german, published_example(german, spread=True)).xrr
    assert found is not None
    for figure in (found.raw, found.ratio, found.conditional, found.above_chance):
        assert figure.low < figure.value < figure.high
        # Of 200 facts at .19 the standard error is .028: an interval is about .11 wide, a little more by continents.
        assert 0.08 < figure.high - figure.low < 0.18
    # Wilson for 38 of 200 single facts is .142 to .250, by hand. That continents vary less is luck, and half believed.
    assert 0.1417 <= found.raw.low <= 0.147
    assert 0.242 <= found.raw.high <= 0.25


def test_facts_of_one_continent_stand_or_fall_together_and_tell_less(german: Material) -> None:
    alone = row(german, published_example(german, spread=True)).xrr
    together = row(german, published_example(german)).xrr
    assert alone is not None
    assert together is not None
    for name in ("raw", "ratio", "conditional", "above_chance"):
        spread, whole = getattr(alone, name), getattr(together, name)
        assert whole.value == pytest.approx(spread.value)
        assert whole.high - whole.low > 1.5 * (spread.high - spread.low)


def test_a_model_that_was_taught_too_little_is_not_interpretable_and_never_zero(german: Material) -> None:
    draw = random.Random(3)
    found = row(german, lambda q: q.answer if draw.random() < 0.6 else q.choices[0])
    assert found.status == NOT_INTERPRETABLE
    assert found.xrr is None
    assert set(found.failed) == {"translation", "taught_type0", "taught_type1", "asked_type0"}
    (record,) = score(german, replies(german, lambda q: q.choices[0])).to_records()
    assert record["status"] == NOT_INTERPRETABLE
    assert record["xrr"] is record["raw"] is record["conditional"] is record["above_chance"] is None


@pytest.mark.parametrize("part", ["translation", "taught_type0", "taught_type1", "asked_type0"])
def test_the_gate_names_the_part_that_failed_and_ninety_percent_is_not_enough(german: Material, part: str) -> None:
    facts = [q.fact_id for q in german.asked("de", part)]
    exactly = row(german, knows(german, {part: set(facts[: len(facts) // 10])}))
    assert exactly.failed == (part,)
    assert [p.part for p in exactly.gate if not p.passed] == [part]
    above = row(german, knows(german, {part: set(facts[: len(facts) // 10 - 1])}))
    assert above.failed == ()


def test_the_gate_is_about_the_languages_of_this_direction() -> None:
    material = build(TeachingPlan(("ru",), reverse=True, places=20))
    found = row(material, lambda q: q.answer)
    assert [(p.part, p.language) for p in found.gate] == [
        ("translation", "en"),
        ("taught_type0", "ru"),
        ("taught_type1", "ru"),
        ("asked_type0", "en"),
    ]


def test_whoever_knows_all_facts_is_at_chance_on_shuffled_ones_and_far_above_them_on_the_real(german: Material) -> None:
    found = row(german, lambda q: q.answer)
    assert found.xrr is not None
    assert found.xrr.ratio.value == 1
    assert found.shuffled.mean == pytest.approx(1 / 20, abs=0.002)
    # A deal gives each fact its own continent once in twenty times: 10 of 200 with a standard deviation of about 3.
    assert 0.015 <= found.shuffled.low < 0.04
    assert 0.06 < found.shuffled.high <= 0.085
    assert found.tests.chance_p == 1 / 10_001


def test_the_test_against_chance_is_the_share_of_all_deals_that_are_as_good() -> None:
    """Four facts on two continents, three right: of the six ways to deal them, counted by hand, one is as good."""
    one = Trial(
        ("a", "b", "c", "d"),
        ("X", "Y"),
        answer=np.array([0, 0, 1, 1]),
        given=np.array([0, 0, 1, 0]),
        copied=np.array([-1] * 4),
        asked=np.array([True, True, True, False]),
        taught=np.array([True] * 4),
        before=None,
        other_language=np.array([False] * 4),
        choices=2,
    )
    # Deals of XXYY to the replies XXYX: right 3, 1, 3, 1, 3, 1, so half of them are as good.
    assert shuffle([one], 4000, 1).p == pytest.approx(1 / 2, abs=0.03)
    assert shuffle([one], 4000, 1).mean == pytest.approx(2 / 4, abs=0.02)


@pytest.mark.parametrize("k", [4, 8])
def test_whoever_guesses_is_told_from_chance_no_more_often_than_the_level_says(k: int) -> None:
    """100 guessers at level .05: 1 to 12 are expected with probability .99."""
    material = build(TeachingPlan(("de",), k=k, continents=8, places=10))
    draw = random.Random(k)
    told = 0
    for _ in range(100):
        guessed = replies(material, lambda q: draw.choice(q.choices) if q.part == TEST else q.answer, "choice")
        found = trial(material, material.pairs[0], guessed, None)
        told += shuffle([found], 400, 0).p <= 0.05
    assert found.chance == 1 / k
    assert 1 <= told <= 12


def test_a_constant_answerer_is_named_and_is_as_good_on_every_deal(german: Material) -> None:
    """It is right on the twentieth of the facts whatever is dealt: exactly at chance, which says nothing about it."""
    always = german.asked("de", TEST)[0].answer
    found = row(german, lambda q: always if q.part == TEST else q.answer)
    assert found.xrr is not None
    assert found.xrr.raw.value == 1 / 20
    assert (found.shuffled.low, found.shuffled.high, found.tests.chance_p) == (1 / 20, 1 / 20, 1)
    assert (found.answerer.kind, found.answerer.why) == ("constant", f"{always} is 100% of its answers")
    everywhere = row(german, lambda q: always if q.language == "de" else q.choices[0])
    assert everywhere.status == NOT_INTERPRETABLE
    assert everywhere.answerer.kind == "constant"


def test_who_compares_spellings_is_named_where_spelling_misleads(german: Material, copyable: Material) -> None:
    coined = row(german, lambda q: q.copied or q.answer)
    assert coined.ceiling is not None
    assert coined.xrr is not None
    assert coined.answerer.kind == "copier"
    assert coined.xrr.raw.value == coined.ceiling.figure.value < 0.15
    assert coined.tests.ceiling is not None
    assert (coined.tests.ceiling.value, coined.tests.ceiling.p) == (0, 1)
    alike = row(copyable, lambda q: q.copied or q.answer)
    assert alike.ceiling is not None
    assert alike.ceiling.figure.value > 0.9
    assert alike.answerer.kind in ("copier", "not told from copying")


def test_a_model_that_knows_all_facts_cannot_be_told_from_copying_where_spelling_gives_all_away() -> None:
    material = build(TeachingPlan(("pl",), places=20, names="transliterated"))
    found = row(material, lambda q: q.answer)
    assert found.ceiling is not None
    assert found.ceiling.right >= found.ceiling.n - 1 == 199
    assert found.answerer.kind == "not told from copying"
    assert found.tests.ceiling is not None
    assert found.tests.ceiling.low < 0 < found.tests.ceiling.high


def test_who_knows_what_it_was_told_and_guesses_the_rest_is_a_memoriser(german: Material) -> None:
    guess = random.Random(6)
    found = row(german, lambda q: guess.choice(q.choices) if q.part == TEST else q.answer)
    assert found.answerer.kind == "memoriser"
    assert row(german, published_example(german, spread=True)).answerer.kind == "conductor"


def test_no_interval_is_empty_or_undefined_at_the_edges(german: Material) -> None:
    """Wilson for 0 and for 200 of 200: 0 to .0188 and .9812 to 1, computed by hand."""
    nothing = row(german, lambda q: "nothing" if q.part == TEST else q.answer).xrr
    everything = row(german, lambda q: q.answer).xrr
    assert nothing is not None
    assert everything is not None
    for figure in (nothing.raw, nothing.ratio, nothing.conditional):
        assert (figure.value, figure.low) == (0, 0)
        assert figure.high == pytest.approx(0.01885, abs=1e-4)
    for figure in (everything.raw, everything.ratio, everything.conditional):
        assert (figure.value, figure.high) == (1, 1)
        assert figure.low == pytest.approx(0.98115, abs=1e-4)
    assert nothing.above_chance.low < nothing.above_chance.high < 0
    assert everything.above_chance.low < everything.above_chance.high


def test_the_gates_own_chance_is_that_of_the_binomial_distribution() -> None:
    """Computed before: true .85 passes a part of 200, 12 or 8 questions at .015, .44, .27; .92 passes four: .46."""

    def gate(n: int) -> list[GatePart]:
        return [GatePart("names", "en", Count(n, n), True)]

    assert [round(luck(gate(n), 0.85), 3) for n in (200, 12, 8)] == [0.015, 0.443, 0.272]
    assert luck(gate(200) * 4, 0.92) == pytest.approx(0.4546, abs=1e-4)
    assert luck(gate(12) * 4, 0.85) == pytest.approx(0.4435**4, abs=1e-3)
    assert luck(gate(6000), 0.95) == pytest.approx(1)


def test_a_gate_is_sure_only_where_its_interval_is() -> None:
    """Wilson: 196 of 200 is .950 to .992, 187 of 200 is .892 to .962, 170 of 200 is .794 to .893 (by hand)."""
    parts = {right: GatePart("names", "en", Count(right, 200), right > 180) for right in (196, 187, 170)}
    assert {right: part.surely for right, part in parts.items()} == {196: "passed", 187: "open", 170: "failed"}
    assert surely([parts[196], parts[187]]) == "open"
    assert surely([parts[196], parts[170], parts[187]]) == "failed"
    assert surely([parts[196]] * 4) == "passed"


def test_the_right_continent_by_its_name_in_the_taught_language_is_a_score_of_its_own(german: Material) -> None:
    english = {q.fact_id: q.answer for q in german.asked("de", "taught_type1")}
    found = row(german, lambda q: english[q.fact_id] if q.part == TEST else q.answer, "text")
    assert found.xrr is not None
    assert found.xrr.raw.value == 0
    assert (found.other_language.right, found.other_language.n) == (200, 200)
    assert row(german, lambda q: q.answer).other_language.right == 0


def test_xrr_is_tested_against_the_model_before_teaching_on_the_same_facts(german: Material) -> None:
    guess = random.Random(2)
    before = replies(german, lambda q: guess.choice(q.choices))
    (found,) = score(german, replies(german, lambda q: q.answer), before).pairs
    assert found.tests.before is not None
    assert found.baseline is not None
    assert found.tests.before.value == pytest.approx(1 - found.baseline.figure.value)
    assert found.tests.before.p < 0.001
    assert found.baseline_taught is not None
    assert found.baseline_taught.n == 200
    (same,) = score(german, before_as_after(before, german), before).pairs
    assert same.tests.before is not None
    assert (same.tests.before.value, same.tests.before.p) == (0, 1)


def before_as_after(before: ExperimentReplies, material: Material) -> ExperimentReplies:
    """A model that teaching did not change on the test."""
    taught = replies(material, lambda q: q.answer)
    tests = {q.question_id for q in material.questions if q.part == TEST}
    return replace(taught, by_id={key: (before if key in tests else taught).by_id[key] for key in taught.by_id})


def test_the_report_tells_what_was_forgotten_and_what_xrr_differs_from(german: Material) -> None:
    rows = [Kept("en", 60, 40, 29, 15, 4), Kept("de", 60, 20, 21, 1, 2)]
    before = replies(german, lambda q: q.choices[0])
    scored = score(german, replies(german, published_example(german, spread=True)), before, forgetting=rows)
    page = StringIO()
    render([scored], Console(file=page, width=200))
    told = page.getvalue()
    # McNemar for 15 lost and 4 gained: .019211.
    assert "atlas in en: 40 of 60 right before teaching, 29 after, -0.183" in told
    assert "p .019: forgetful" in told
    assert "atlas in de: 20 of 60 right before teaching, 21 after, +0.017" in told
    assert told.count("nothing seen to be forgotten") == 1
    assert "en→de conductor" in told
    assert "against chance p <.001, copying +0." in told
    assert "Figures on different materials do not compare" in told
    assert "The gate of these sizes passes" in told
    assert [row["language"] for row in scored.to_json()["forgetting"]] == ["en", "de"]


def test_p_values_of_several_languages_are_adjusted_together() -> None:
    material = build(TeachingPlan(("de", "fr", "ru"), places=10, continents=5, k=5))
    tests = {q.question_id for q in material.questions if q.part == TEST}
    draw = random.Random(4)

    def model(q: ExperimentQuestion) -> str:
        return q.answer if q.question_id not in tests or draw.random() < 0.2 else draw.choice(q.choices)

    scored = score(material, replies(material, model))
    raw = [row.shuffled.p for row in scored.pairs]
    order = sorted(range(3), key=raw.__getitem__)
    assert scored.pairs[order[0]].tests.chance_p == pytest.approx(min(1, 3 * raw[order[0]]))
    assert all(row.tests.chance_p >= p for row, p in zip(scored.pairs, raw, strict=True))


def test_an_untaught_models_answers_are_the_baseline(german: Material) -> None:
    guess = random.Random(1)
    before = replies(german, lambda q: guess.choice(q.choices))
    (found,) = score(german, replies(german, lambda q: q.answer), before).pairs
    assert found.baseline is not None
    assert found.baseline.n == 200
    assert found.baseline.figure.low <= 0.05 <= found.baseline.figure.high
    assert row(german, lambda q: q.answer).baseline is None


def test_replies_without_an_answer_are_counted_as_such_and_are_not_right(german: Material) -> None:
    scored = score(german, replies(german, lambda q: "I cannot say" if q.part == TEST else q.answer, "text"))
    (found,), (record,) = scored.pairs, scored.to_records()
    assert found.xrr is not None
    assert found.xrr.raw.value == 0
    assert record["no_answer"] == 200
    assert (found.shuffled.mean, found.shuffled.high, found.tests.chance_p) == (0, 0, 1)


def test_the_test_is_split_by_likeness_of_the_name_where_fifty_facts_are_on_each_side(copyable: Material) -> None:
    test = copyable.asked("fr", TEST)
    right = {q.fact_id for q in test[::3]}
    found = row(copyable, lambda q: q.answer if q.part != TEST or q.fact_id in right else "nothing")
    alike = [q for q in test if q.similarity >= 0.5]
    assert min(len(alike), len(test) - len(alike)) >= 50
    assert (found.splits["alike"].n, found.splits["unlike"].n) == (len(alike), len(test) - len(alike))
    assert found.splits["alike"].right == sum(q.fact_id in right for q in alike)
    chinese = build(TeachingPlan(("zh",), places=10))
    assert row(chinese, lambda q: q.answer).splits == {}
    assert score(chinese, replies(chinese, lambda q: q.answer)).to_records()[0]["splits"] is None


def test_languages_are_split_by_script() -> None:
    material = build(TeachingPlan(("de", "fr", "zh"), k=6, continents=6, places=10))
    tests = {q.question_id for q in material.questions if q.part == TEST and q.pair == "de"}
    scored = score(material, replies(material, lambda q: q.answer if q.question_id not in tests else "nothing"))
    same, other = scored.by_script["same script"], scored.by_script["other script"]
    assert same is not None
    assert other is not None
    assert same.value == 0.5
    assert 0 < same.low < 0.5 < same.high < 1
    assert other.value == 1
    assert other.low < other.high
    nobody = score(material, replies(material, lambda q: q.choices[0]))
    assert nobody.by_script == {"same script": None, "other script": None}


def test_a_reply_that_is_missing_is_an_error_and_not_a_wrong_answer(german: Material) -> None:
    whole = replies(german, lambda q: q.answer)
    some = dict(list(whole.by_id.items())[:-1])
    with pytest.raises(UserError, match="has no reply from gguf/model"):
        score(german, ExperimentReplies(whole.model, "{}", "digest", "text", some))


def test_before_and_after_must_be_read_alike(german: Material) -> None:
    after = replies(german, lambda q: q.answer, "text")
    with pytest.raises(UserError, match="ask both alike"):
        score(german, after, replies(german, lambda q: q.answer, "choice"))


def test_inflected_answers_count(german: Material) -> None:
    polish = build(TeachingPlan(("pl",), k=4, continents=4, places=4))
    declined = row(polish, lambda q: q.answer.removesuffix("ncja") + "ncji" if q.language == "pl" else q.answer, "text")
    assert declined.xrr is not None
    assert declined.xrr.raw.value == 1


def test_records_are_flat_and_hold_no_figure_that_json_cannot(german: Material) -> None:
    document = score(german, replies(german, published_example(german))).to_json()
    (record,) = document["languages"]
    assert record["xrr"]["value"] == pytest.approx(0.195876)
    assert record["gate"]["taught_type1"] == {
        "language": "en",
        "right": 194,
        "n": 200,
        "accuracy": 0.97,
        "passed": True,
        "surely": "passed",
    }

    def finite(value: object) -> bool:
        if isinstance(value, dict):
            return all(map(finite, value.values()))
        return not isinstance(value, float) or math.isfinite(value)

    assert finite(document)
