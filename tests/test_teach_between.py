"""Several teachings, models and directions beside one another: seeds in intervals, paired tests, simulated models."""

import json
import math
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from clika import clika
from rich.console import Console
from taught import (
    ANSWERERS,
    UNLIKE_TEACHINGS,
    Shape,
    Simulated,
    conducted,
    conductor,
    false_alarms,
    make,
    tally,
    taught,
)

from clika_client.common.errors import UserError
from clika_client.conductivity import folder
from clika_client.conductivity.between import About, between, table
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.conductivity.certainty import difference, paired_shares, stacked, xrr
from clika_client.conductivity.loss import change, forgetful
from clika_client.conductivity.material import TEST, Material
from clika_client.conductivity.replies import ExperimentReplies, ExperimentReply, save_replies
from clika_client.conductivity.report_between import render
from clika_client.conductivity.score import score
from clika_client.conductivity.scored_pairs import Score
from clika_client.conductivity.taught_models import Between

# ---- simulated models, whose truth is known; `benchmarks/conductivity.py` has the same in full


@pytest.mark.parametrize("name", ANSWERERS)
@pytest.mark.parametrize("teachings", [1, 3])
def test_every_kind_of_model_is_recovered_and_named(name: str, teachings: int) -> None:
    """Of 40 experiments at 95 % at least 34 hold the truth with probability .997; the draws are the same every time."""
    found = tally(ANSWERERS[name], teachings, 40, 100, 5)
    assert min(found.raw, found.ratio, found.above) >= 34
    assert found.named >= 36


def test_intervals_of_several_teachings_hold_the_truth_where_teachings_differ() -> None:
    """60 experiments at 95 %: at least 52 with probability .99; from facts alone it would be about 40."""
    for kind in UNLIKE_TEACHINGS.values():
        assert tally(kind, 4, 60, 0, 2).ratio >= 52


def test_teachings_that_differ_make_the_interval_wider_than_facts_alone_do() -> None:
    random = np.random.default_rng(3)
    world = make(random)
    one = taught(random, world, Simulated(conductor(0.4, 0.3), conducted(0.4), ()), 4)
    alone = [xrr([trial]).ratio for trial in one]
    together = xrr(one).ratio
    assert together.value == pytest.approx(np.mean([f.value for f in alone]), abs=0.01)
    assert together.high - together.low > 1.3 * max(f.high - f.low for f in alone)


def test_one_teaching_over_and_over_tells_no_more_than_once() -> None:
    random = np.random.default_rng(4)
    (one,) = taught(random, make(random), Simulated(conductor(0.3), conducted(0.3), ()), 1)
    once, often = xrr([one]).ratio, xrr([one] * 5).ratio
    assert (often.value, often.low, often.high) == pytest.approx((once.value, once.low, once.high), abs=0.002)


def test_equal_models_are_told_apart_no_more_often_than_the_level_says() -> None:
    """Of 60 pairs at .05, at most 8 with probability .996."""
    assert false_alarms(3, 60, 3) <= 8 / 60


def test_a_difference_is_that_of_a_paired_t_test_over_continents() -> None:
    """For one teaching each, on the same facts, all of which are known in English: scipy's t over 20 continents."""
    from scipy.stats import t as students_t  # takes a second to import, in every worker that only collects

    random = np.random.default_rng(8)
    world = make(random)
    ours, theirs = (
        [
            replace(one, taught=np.ones_like(one.taught))
            for one in taught(random, world, Simulated(conductor(c), 0, ()), 1)
        ]
        for c in (0.5, 0.42)
    )
    found = difference(ours, theirs)
    apart = ours[0].asked.astype(float) - theirs[0].asked
    by_continent = apart.reshape(20, 30).mean(1)
    error, df = by_continent.std(ddof=1) / math.sqrt(20), 19
    assert error > apart.std(ddof=1) / math.sqrt(600)
    assert found.value == pytest.approx(apart.mean())
    assert found.p == pytest.approx(2 * students_t.sf(abs(apart.mean()) / error, df))
    assert found.high - found.value == pytest.approx(students_t.ppf(0.975, df) * error)


def test_of_two_continents_no_difference_reaches_beyond_what_is_possible() -> None:
    """t has one degree of freedom there, 12.7 times the error: shares differ by 1 at most, ratios by 1 / known."""
    random = np.random.default_rng(5)
    world = make(random, 0.9, Shape(2, 30))
    ours, theirs = (taught(random, world, Simulated(conductor(c), 0, ()), 1) for c in (0.8, 0.2))
    found = difference(ours, theirs)
    most = [1 / float(one.taught.mean()) for (one,) in (ours, theirs)]
    assert -most[1] <= found.low < found.value < found.high <= most[0]
    asked, _ = stacked(ours)
    copied = (ours[0].copied == ours[0].answer)[None].astype(float)
    apart = paired_shares(ours, asked, copied)
    assert -1 <= apart.low <= apart.value <= apart.high <= 1


def test_forgetting_is_an_exact_test_on_the_same_questions() -> None:
    """McNemar: 15 lost and 4 gained have p .019211; 2 and 1 have 1 (worked by hand in the metrics' tests)."""
    found = change(15, 4, 60)
    assert found.value == pytest.approx(-11 / 60)
    assert found.p == pytest.approx(0.019211, abs=1e-6)
    assert found.low < -11 / 60 < found.high < 0
    assert forgetful(found)
    assert not forgetful(change(2, 1, 60))
    assert not forgetful(change(4, 15, 60))
    unchanged = change(0, 0, 60)
    assert (unchanged.value, unchanged.p) == (0, 1)
    assert unchanged.low < 0 < unchanged.high


# ---- experiments beside one another


@pytest.fixture(scope="module")
def material() -> Material:
    return build(TeachingPlan(("de", "ru"), k=5, continents=5, places=24))


def answered(material: Material, share: float, seed: int, fails: str = "") -> Score:
    """A model that conducts this share of the facts, after the teaching of this seed."""
    random = np.random.default_rng([seed, int(100 * share)])
    said = {}
    for question in material.questions:
        right = question.part != TEST or random.random() < share
        name = question.answer if right and question.part != fails else str(random.choice(question.choices))
        said[question.question_id] = ExperimentReply(f"{name}.")
    return score(material, ExperimentReplies("gguf/taught.gguf", "{}", "digest", "text", said), draws=100)


def experiment(model: str, seed: int, **settings: object) -> About:
    return About(Path(f"{model}-{seed}"), model, f"digest of {model}", settings, seed, "material")


@pytest.fixture(scope="module")
def several(material: Material) -> Between:
    """Two models, one of them taught in two ways; three seeds each, of which one fails its gate."""
    scored = []
    for seed in (1, 2, 3):
        scored.append((experiment("strong", seed, method="lora"), answered(material, 0.8, seed)))
        scored.append((experiment("weak", seed, method="lora"), answered(material, 0.1, 10 + seed)))
        failed = "translation" if seed == 2 else ""
        scored.append((experiment("weak", seed, method="full"), answered(material, 0.5, 20 + seed, failed)))
    return table(scored, draws=1000)


def test_every_model_and_way_has_a_row_by_its_own_name_over_the_teachings_that_passed(several: Between) -> None:
    rows = [(row.model, row.way, row.direction, len(row.passed), len(row.teachings)) for row in several.rows]
    assert sorted(rows) == [
        ("strong", "method lora", "en→de", 3, 3),
        ("strong", "method lora", "en→ru", 3, 3),
        ("weak", "method full", "en→de", 2, 3),
        ("weak", "method full", "en→ru", 2, 3),
        ("weak", "method lora", "en→de", 3, 3),
        ("weak", "method lora", "en→ru", 3, 3),
    ]
    for row in several.rows:
        assert row.xrr is not None
        truth = {"strong": 0.8, "weak": 0.5 if row.way == "method full" else 0.1}[row.model]
        assert row.xrr.above_chance.low <= truth <= row.xrr.above_chance.high


def test_rows_are_compared_where_they_differ_in_one_thing_alone(several: Between) -> None:
    pairs = {family: [c for c in several.compared if c.family == family] for family in ("language", "model", "way")}
    assert {family: len(found) for family, found in pairs.items()} == {"language": 3, "model": 2, "way": 2}
    assert len(several.compared) == 7
    assert all(one.adjusted < 0.05 for one in pairs["model"])
    # Conducting .1 or .5, seen in three teachings and in two: told in one language of the two, right in both.
    assert min(one.adjusted for one in pairs["way"]) < 0.05
    assert all(one.found.value < 0 for one in pairs["way"])
    # The languages of one training conduct alike here.
    assert all(one.adjusted > 0.05 for one in pairs["language"])
    for found in pairs.values():
        smallest = min(found, key=lambda one: one.found.p)
        assert smallest.adjusted == pytest.approx(min(1, len(found) * smallest.found.p))


def test_two_models_of_one_name_are_told_apart_by_their_weights(material: Material) -> None:
    one, other = experiment("twin", 1), replace(experiment("twin", 1), weights="another digest", folder=Path("b"))
    rows = table([(one, answered(material, 0.5, 1)), (other, answered(material, 0.5, 2))], draws=100).rows
    assert {row.model for row in rows} == {"twin digest", "twin anothe"}


def test_figures_on_different_worlds_are_shown_apart_and_never_compared(material: Material) -> None:
    other = build(TeachingPlan(("de",), k=5, continents=5, places=24, names="transliterated"))
    found = table(
        [(experiment("a", 1), answered(material, 0.5, 1)), (experiment("b", 1), answered(other, 0.5, 1))], draws=100
    )
    assert {one.family for one in found.compared} == {"language"}
    page = StringIO()
    render(found, Console(file=page, width=150))
    assert "Figures on different materials do not compare" in page.getvalue()
    assert "coined names" in page.getvalue()
    assert "transliterated names" in page.getvalue()


def test_both_directions_of_one_language_are_compared() -> None:
    plan = TeachingPlan(("ru",), k=5, continents=5, places=24)
    forward, back = build(plan), build(replace(plan, reverse=True))
    found = table(
        [(experiment("a", 1), answered(forward, 0.8, 1)), (experiment("a", 1), answered(back, 0.3, 2))], draws=100
    )
    (only,) = found.compared
    assert only.family == "direction"
    assert {found.rows[only.one].direction, found.rows[only.other].direction} == {"en→ru", "ru→en"}
    assert only.adjusted < 0.01


def test_the_table_says_what_differs_from_what_in_words(several: Between) -> None:
    page = StringIO()
    render(several, Console(file=page, width=160))
    told = page.getvalue()
    assert "strong (method lora) en→de conductor" in told
    assert "against chance p .006, copying +" in told
    assert "2 of 3" in told
    assert "Between models" in told
    assert "cannot be told apart" in told
    assert "nan" not in told
    document = several.to_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    (first,) = {one["teaching_seed"] for one in document["rows"][0]["experiments"]} - {2, 3}
    assert first == 1
    assert document["rows"][0]["experiments"][0]["settings"] == {"method": "lora"}


def test_folders_are_found_below_the_ones_named_and_their_models_by_their_directories(tmp_path: Path) -> None:
    made = build(TeachingPlan(("de",), k=4, continents=4, places=8))
    folder.write(made, tmp_path / "material")
    digest = folder.material_digest(tmp_path / "material")
    for seed in (1, 2, 3):
        out = tmp_path / "study" / f"seed-{seed}"
        out.mkdir(parents=True)
        state = {
            "material": digest,
            "material_path": str(tmp_path / "material"),
            "model": "0123456789abcdef",
            "model_path": "/models/Tiny-1M",
            "settings": {"seed": seed, "method": "lora"},
        }
        (out / "experiment.json").write_text(json.dumps(state))
        said = {q.question_id: ExperimentReply(f"{q.answer}!") for q in made.questions}
        if seed < 3:
            save_replies(ExperimentReplies("gguf/taught.gguf", "{}", digest, "text", said), out / "after.text.json")
    found = between([tmp_path / "study"], draws=100)
    (row,) = found.rows
    assert (row.model, len(row.passed)) == ("Tiny-1M", 2)
    assert [path.name for path in found.unfinished] == ["seed-3"]
    told = clika("teach", "compare", tmp_path / "study", "--deals", 100, COLUMNS="200").stdout
    assert "Tiny-1M" in told
    assert "seed-3" in told
    document = json.loads(clika("teach", "compare", tmp_path / "study", "--json").stdout)
    assert [one["teaching_seed"] for one in document["rows"][0]["experiments"]] == [1, 2]
    (alone,) = json.loads(clika("teach", "score", tmp_path / "study" / "seed-2", "--json").stdout)["scores"]
    assert alone["model"] == "Tiny-1M"
    assert (alone["about"]["teaching_seed"], alone["about"]["material"]) == (2, digest)
    assert alone["about"]["settings"] == {"method": "lora"}
    with pytest.raises(UserError, match="was asked after teaching"):
        between([tmp_path / "material"])
    assert "is no folder" in clika("teach", "compare", tmp_path / "nowhere", check=2).stderr
