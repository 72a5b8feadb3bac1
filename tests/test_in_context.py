"""In-context conductivity: English facts in the prompt, the question in another language, English as the control."""

import math
import random
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from clika_client.answers.open.named import Matcher
from clika_client.common.errors import UserError
from clika_client.conductivity.asking import Form
from clika_client.conductivity.in_context import NAME, Result, measure, score
from clika_client.conductivity.material import ExperimentQuestion
from clika_client.conductivity.replies import ExperimentReplies, ExperimentReply
from clika_client.conductivity.report_in_context import render
from clika_client.conductivity.told_in_prompt import Setting, build
from clika_client.sets import fictional
from clika_client.store.store import Store
from clika_providers import MockProvider


def told(question: ExperimentQuestion) -> dict[str, str]:
    """The facts in the prompt: place → continent."""
    facts = [line for line in question.text.splitlines() if line.startswith("- The place ")]
    pairs = [line.removeprefix("- The place ").removesuffix(".").split(" lies on the continent ") for line in facts]
    return {place: continent for place, continent in pairs}


def answered(setting: Setting, model: Callable[[ExperimentQuestion], str], form: Form = "text") -> Result:
    questions = build(setting)
    said = {}
    for q in questions:
        name = model(q)
        choice = q.choices.index(name) if name in q.choices else None
        said[q.question_id] = ExperimentReply(f"It is {name}!", choice if form == "choice" else None)
    return score(setting, questions, ExperimentReplies("openai/closed", "{}", "in-context", form, said))


def test_the_fact_stands_in_english_among_distractors_on_other_continents() -> None:
    world = fictional.make_world(places=20)
    facts = {f.fact_id: f for f in world.facts}
    for q in build(Setting(("ru", "zh"), facts=6, limit=20)):
        fact, block = facts[q.fact_id], told(q)
        assert len(block) == len(set(block.values())) == 6
        assert block[fact.place["en"]] == world.answer(fact, "en")
        asked = q.text.splitlines()[-1]
        assert fact.place[q.language] in asked
        assert world.answer(fact, q.language) not in asked
        assert q.answer == world.answer(fact, q.language) == q.choices[q.gold]


def test_every_language_and_the_control_ask_for_the_same_facts_after_the_same_blocks() -> None:
    questions = build(Setting(("ru", "zh"), limit=30))
    rows = {tag: [q for q in questions if q.language == tag] for tag in ("en", "ru", "zh")}
    assert [q.part for q in rows["en"]] == ["control"] * 30
    for tag in ("ru", "zh"):
        assert [q.fact_id for q in rows[tag]] == [q.fact_id for q in rows["en"]]
        assert [told(q) for q in rows[tag]] == [told(q) for q in rows["en"]]
        assert [q.gold for q in rows[tag]] == [q.gold for q in rows["en"]]


def test_ratio_and_conditional_are_to_the_control_on_the_same_facts() -> None:
    # 20 facts: English right on 16; German right on 10 of those and on 2 others.
    setting = Setting(("de",), limit=20)
    order = [q.fact_id for q in build(setting) if q.language == "en"]
    right = {"en": set(order[:16]), "de": {*order[:10], *order[16:18]}}
    result = answered(setting, lambda q: q.answer if q.fact_id in right[q.language] else "nothing")
    (row,) = result.languages
    assert (row.asked.right, row.control.right, row.asked.n) == (12, 16, 20)
    assert row.found.ratio.value == pytest.approx(12 / 16)
    assert row.found.conditional.value == pytest.approx(10 / 16)
    assert row.found.above_chance.value == pytest.approx((12 / 20 - 1 / 8) / (16 / 20 - 1 / 8))
    assert row.found.ratio.low < row.found.ratio.value < row.found.ratio.high
    assert row.asked.no_answer == 8


def test_a_coined_name_is_told_beside_its_english_one_and_a_respelled_one_is_not() -> None:
    """Without, nobody could know of which of the places the question is; a respelled name is known by its look."""
    world = fictional.make_world(places=20)
    for q in build(Setting(("ru",), facts=6, limit=10)):
        names = [line for line in q.text.splitlines() if line.startswith("- In Russian, ")]
        assert len(names) == (12 if q.language == "ru" else 0)
        if q.language == "ru":
            fact = next(f for f in world.facts if f.fact_id == q.fact_id)
            assert f"- In Russian, {fact.place['en']} is called {fact.place['ru']}." in names
            assert f"- In Russian, {world.answer(fact, 'en')} is called {world.answer(fact, 'ru')}." in names
    respelled = build(Setting(("ru",), limit=10, names="transliterated"))
    assert not any("is called" in q.text for q in respelled)


def copier(question: ExperimentQuestion) -> str:
    return question.copied


def test_who_compares_spellings_is_at_chance_on_coined_names_and_is_named_on_others() -> None:
    """Before, a server that answered by the longest common substring scored .98 in German and 1.00 in Swahili."""
    coined = answered(Setting(("de", "sw")), copier)
    for row in coined.languages:
        assert row.asked.right == row.copying.right
        assert row.copying.figure.value <= 1 / 8 + 0.10
        assert row.verdict == "copier"
    respelled = answered(Setting(("de", "sw"), names="transliterated"), copier)
    for row in respelled.languages:
        assert row.copying.figure.value > 0.9
        assert row.verdict in ("copier", "not told from copying")
    page = StringIO()
    render(respelled, Console(file=page, width=160))
    assert "against copying +0.000" in page.getvalue()
    assert "transliterated names do not compare" in page.getvalue()


def test_who_carries_facts_over_is_told_from_chance_and_from_copying() -> None:
    draw = random.Random(3)
    able = answered(
        Setting(("de",)), lambda q: q.answer if draw.random() < 0.8 else draw.choice(list(told(q).values()))
    )
    (row,) = able.languages
    assert row.verdict == "carries facts over"
    assert row.p_chance < 0.001
    assert row.found.above_chance.low > 0.5
    assert row.above_copying.low > 0
    guessing = answered(
        Setting(("de",)), lambda q: q.answer if q.language == "en" else draw.choice(list(told(q).values()))
    )
    assert guessing.languages[0].verdict == "no better than chance"
    always = answered(Setting(("de",)), lambda q: build_answer(q))
    assert always.languages[0].verdict == "constant"


def build_answer(question: ExperimentQuestion) -> str:
    """One continent in German, whatever is asked; the right one in English."""
    return question.answer if question.language == "en" else fictional.make_world(places=20).continents[0]["de"]


def test_what_was_read_once_is_kept_and_scored_without_reading_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name in the language or in English: both are readings of the store, and the figures those of before."""
    setting = Setting(("de", "zh"), limit=30)
    questions = build(setting)
    english = {q.fact_id: q.answer for q in questions if q.language == "en"}
    draw = random.Random(5)
    said = {q.text: draw.choice([q.answer, english[q.fact_id], q.choices[0], "?"]) for q in questions}
    provider = MockProvider(lambda request: said[request.messages[-1].content], name="m")
    found = measure(provider, setting, database=tmp_path / "replies.db")
    anew = {q.question_id: ExperimentReply(said[q.text]) for q in questions}
    assert found == score(setting, questions, ExperimentReplies("mock/m", "{}", NAME, "text", anew))
    with Store(tmp_path / "replies.db", read_only=True) as store:
        kept = {cell.key.language: sorted(map(_language, store.kept_readings(cell))) for cell in store.cells()}
    assert kept == {"en": ["en"], "de": ["de", "en"], "zh": ["en", "zh"]}
    monkeypatch.setattr(Matcher, "match", None)
    assert measure(provider, setting, database=tmp_path / "replies.db") == found


def _language(stamp: str) -> str:
    return stamp.removeprefix("named@2+").partition(":")[0]


@pytest.mark.parametrize("seed", range(3))
def test_choices_at_chance_in_both_languages_have_finite_intervals(seed: int) -> None:
    """Before, one undefined draw of a bootstrap made the whole interval nan where English was at chance, too."""
    draw = random.Random(seed)
    setting = Setting(("de",), limit=12, form="choice")
    (row,) = answered(setting, lambda q: draw.choice(q.choices), "choice").languages
    if row.control.right:
        for figure in (row.found.raw, row.found.ratio, row.found.conditional):
            assert 0 <= figure.low < figure.high < math.inf


def test_nothing_right_and_nothing_right_in_english_have_no_empty_interval() -> None:
    (none,) = answered(Setting(("ru",), limit=25), lambda q: q.answer if q.language == "en" else "nothing").languages
    # Wilson for 0 of 25 is 0 to .1332.
    assert (none.found.ratio.low, none.found.ratio.value) == (0, 0)
    assert none.found.ratio.high == pytest.approx(0.1332, abs=1e-4)
    (nobody,) = answered(Setting(("ru",), limit=25, form="choice"), lambda q: "nothing", "choice").languages
    assert math.isnan(nobody.found.ratio.value)
    assert nobody.asked.figure.high > 0


def test_the_english_name_of_the_continent_counts_but_two_continents_do_not() -> None:
    world = fictional.make_world(places=20)
    english = {f.fact_id: world.answer(f, "en") for f in world.facts}
    setting = Setting(("ru",), limit=20)
    assert answered(setting, lambda q: english[q.fact_id]).languages[0].asked.right == 20
    both = answered(setting, lambda q: " or ".join(told(q).values()))
    assert both.languages[0].asked.right == 0
    assert both.languages[0].asked.no_answer == 20
    assert math.isnan(both.languages[0].found.ratio.value)


def test_it_is_never_called_xrr_and_has_its_own_table() -> None:
    result = answered(Setting(("de", "ja"), limit=20), lambda q: q.answer)
    document = result.to_json()
    assert document["measure"] == NAME == "in-context conductivity"
    assert "xrr" not in {key.lower() for row in document["languages"] for key in row}
    page = StringIO()
    render(result, Console(file=page, width=120))
    assert "not XRR" in page.getvalue()
    assert [row["same_script"] for row in document["languages"]] == [True, False]


def test_a_weak_control_is_pointed_out() -> None:
    page = StringIO()
    render(answered(Setting(("de",), limit=20), lambda q: "nothing"), Console(file=page, width=120))
    assert "control is below 90 %" in page.getvalue()
    assert "nan" not in page.getvalue()


def test_what_cannot_be_asked_is_refused_with_the_reason() -> None:
    with pytest.raises(UserError, match="--facts must be 2 to 20"):
        build(Setting(("de",), facts=21))
    with pytest.raises(UserError, match="--k must be 2 to 3"):
        build(Setting(("de",), facts=3, k=4))
    with pytest.raises(UserError, match="English itself is the control"):
        build(Setting(("en",)))


def test_a_local_model_is_asked_through_the_cache_and_a_second_time_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llama_cpp", reason="asks a real model through llama.cpp")
    from clika_client.sets.demo import GGUF
    from clika_providers import Completion, ProviderOptions, Request
    from clika_providers.registry import connect

    setting = Setting(("de",), facts=2, limit=6, form="choice", k=2)
    options = ProviderOptions(n_threads=1)
    first = measure(connect(f"gguf/{GGUF}", options), setting, database=tmp_path / "clika.db")
    assert first.languages[0].asked.n == 6
    assert first.chance == 1 / 2

    async def closed(_: Request) -> Completion:
        raise AssertionError("asked although the answer is stored")

    same = connect(f"gguf/{GGUF}", options)
    monkeypatch.setattr(same, "complete", closed)
    again = measure(same, setting, database=tmp_path / "clika.db")
    assert again == first


def test_an_interval_that_cannot_be_told_is_left_out() -> None:
    """With a single right answer in English, a draw without it leaves nothing to divide by."""
    setting = Setting(("de",), limit=6)
    first = build(setting)[0].fact_id
    page = StringIO()
    render(answered(setting, lambda q: q.answer if q.fact_id == first else "nothing"), Console(file=page, width=120))
    assert "1.000" in page.getvalue()
    assert "nan" not in page.getvalue()
