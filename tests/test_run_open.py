"""`--ask open`: a set asked without its options, from the prompt to the report; figures are worked out by hand."""

from __future__ import annotations

import csv
import json
import sqlite3
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import benchmark_factory
import gguf_factory
import pytest
import release_factory
from clika import clika, count, records
from hypothesis import given
from hypothesis import strategies as st

import clika_client
from clika_client import Asking, Options
from clika_client.answers.cells import reading_stamp
from clika_client.answers.open.cell import Acceptance
from clika_client.answers.open.version import version_of
from clika_client.common.answer_codes import ELSEWHERE, MISSING, NO_ANSWER, OTHER, answered
from clika_client.common.errors import UserError
from clika_client.prompts.catalogue import builtin_styles, get_style
from clika_client.prompts.open import instruction, open_notes, render_open
from clika_client.scoring.answer_grid import plurality
from clika_client.sets.benchmarks import kept
from clika_client.sets.catalogue import resolve
from clika_client.sets.open_form import open_form
from clika_client.sets.probes import ANSWER_KIND, Item, Probe, ProbeSet, build
from clika_client.sets.release import read_release
from clika_providers import MockProvider, Request

CITIES = {"oslo": 0, "rome": 1, "bern": 2, "graz": 3}
COUNTRIES = {
    "en": ("Norway", "Italy", "Switzerland", "Austria"),
    "de": ("Norwegen", "Italien", "Schweiz", "Österreich"),
    "ru": ("Норвегия", "Италия", "Швейцария", "Австрия"),
}
ASKS = {"en": "Where is {}?", "de": "Wo liegt {}?", "ru": "Где {}?"}
SAID = {
    "en": ("It is in Norway.", "Italy", "Austria", "Atlantis"),
    "de": ("Norwegen", "It is Italy.", "Österreich", "Ich weiß es nicht."),
    "ru": ("В Норвегии.", "Италия или Австрия", "", "Österreich"),
}
"""What the model says to each city, by language. Right: en 2, de 1, ru 1; in another language: de 1 (en), ru 1 (de)."""


def cities() -> ProbeSet:
    items = [Item(city) for city in CITIES]
    probes = [
        Probe(city, tag, ASKS[tag].format(city), names, gold)
        for tag, names in COUNTRIES.items()
        for city, gold in CITIES.items()
    ]
    return build("cities", items, probes)


def speak(request: Request) -> str:
    question = request.messages[-1].content
    tag = next(tag for tag, ask in ASKS.items() if ask.split("{")[0] in question)
    return SAID[tag][next(gold for city, gold in CITIES.items() if city in question)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> clika_client.RunReport:
    model = MockProvider(speak, name="speaks")
    path = tmp_path_factory.mktemp("open") / "c.db"
    return clika_client.run(cities(), model, db=path, asking=Asking("open"), scoring=Options(bootstrap=10))


def test_every_verdict_has_its_own_count_and_another_language_is_named(report: clika_client.RunReport) -> None:
    found = {record.language: record for record in report.scores.records}
    kinds = ("right", "right in another language", "wrong", "several", "unknown", "empty")
    assert {tag: [record.verdicts[kind] for kind in kinds] for tag, record in found.items()} == {
        "en": [2, 0, 2, 0, 0, 0],
        "de": [1, 1, 1, 0, 1, 0],
        "ru": [1, 1, 0, 1, 0, 1],
    }
    assert found["de"].answered_in == {"en": 1}
    assert found["ru"].answered_in == {"de": 1}
    assert found["ru"].no_answer == {"several": 1, "empty": 1}
    assert all(sum(record.verdicts.values()) == record.n == 4 for record in found.values())


def test_ra_starts_at_nothing_right_and_consistency_is_as_it_is(report: clika_client.RunReport) -> None:
    found = {record.language: record for record in report.scores.records}
    # Chance is 0, so RA is accuracy: en 2 of 4, de 1 of 4, ru 1 of 4.
    assert [found[tag].ra for tag in COUNTRIES] == [0.5, 0.25, 0.25]
    assert all(record.chance == 0 and record.ra_reference == 1 for record in found.values())
    # Right in both / in either: Oslo of Oslo and Rome.
    assert found["de"].en_co == found["ru"].en_co == 0.5
    assert found["de"].right_elsewhere == 0.25
    assert found["de"].right_anywhere == 0.5
    # The same known wrong answer (Austria for Bern) in the two items that are right in neither: Bern and Graz.
    assert found["de"].same_wrong == 0.5
    # Letters were not chosen, so there is no habit to measure.
    assert all(record.top_choice_share != record.top_choice_share and not record.flags for record in found.values())


def test_the_open_form_is_a_set_of_its_own_beside_the_choices(tmp_path: Path) -> None:
    probes = _written(tmp_path / "mine.jsonl")
    run = ("run", probes, "-m", "mock/say:Norway", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    clika(*run, "--ask", "text")
    clika(*run, "--ask", "open")
    assert count(tmp_path / "c.db") == 24
    found = records(clika("score", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json"))
    assert {(r["set"], r["ask"], r["reading"], r["chance"]) for r in found} == {
        ("mine", "text", "standard", 0.25),
        ("mine-open", "open", "open", 0.0),
    }
    assert clika(*run, "--ask", "open").stderr.count("12 cached") or count(tmp_path / "c.db") == 24
    asked_again = records(clika("score", "--db", tmp_path / "c.db", "--reading", "first-letter", "--json"))
    assert {r["reading"] for r in asked_again if r["ask"] == "open"} == {"open"}


def test_a_report_shows_verdicts_and_answers_shows_what_was_written(tmp_path: Path) -> None:
    probes = _written(tmp_path / "mine.jsonl")
    db = tmp_path / "c.db"
    shown = clika("run", probes, "-m", "mock/say:It is **Norway**.", "--ask", "open", "--db", db).stdout
    assert "asked openly" in shown
    assert "right in another language" in shown
    assert "letter habits" not in shown
    listed = clika("answers", "--db", db, "--limit", 100).stdout
    assert "right in another language (en): wrote 'Norway', accepted 'Norwegen'" in listed
    rows = json.loads(clika("answers", "--db", db, "--json").stdout)["open_answers"]
    assert {row["verdict"] for row in rows} == {"right", "right in another language", "wrong"}
    clika("score", "--db", db, "--csv", tmp_path / "s.csv", "--bootstrap", 0)
    with (tmp_path / "s.csv").open(encoding="utf-8") as file:
        table = {row["language"]: row for row in csv.DictReader(file)}
    assert float(table["de"]["right_elsewhere"]) == 0.25


def test_replies_that_an_earlier_version_read_are_read_anew(tmp_path: Path) -> None:
    db = tmp_path / "c.db"
    run = ["run", _written(tmp_path / "mine.jsonl"), "-m", "mock/say:It is **Norway**.", "--ask", "open", "--db", db]
    found = records(clika(*run, "--bootstrap", 0, "--json"))
    assert {record["accuracy"] for record in found} != {0.0}
    with sqlite3.connect(db) as connection:
        # As an earlier version might have left them: no reply held an answer.
        connection.execute("UPDATE readings SET reading = 'open@1', choices = zeroblob(length(choices))")
        connection.execute("DELETE FROM written_answers")
        wrong = connection.execute("SELECT count(*) FROM readings WHERE reading = 'open@1'").fetchone()
    assert wrong == (len(found),)
    assert records(clika("score", "--db", db, "--bootstrap", 0, "--json")) == found
    written = {row["written"] for row in json.loads(clika("answers", "--db", db, "--json").stdout)["open_answers"]}
    assert written == {"Norway"}


def test_another_table_is_another_version_of_the_open_reading(tmp_path: Path) -> None:
    """A date or a word of denial that is added reads old replies otherwise, in whatever language."""
    (tmp_path / "months.toml").write_text('bn = ["a"]', "utf-8")
    before = version_of(tmp_path.iterdir())
    (tmp_path / "__init__.py").write_text("# no table", "utf-8")
    assert version_of(tmp_path.iterdir()) == before
    (tmp_path / "months.toml").write_text('bn = ["b"]', "utf-8")
    assert version_of(tmp_path.iterdir()) != before
    assert reading_stamp("open") not in ("open@1", "open@")


def test_exports_and_questions_tell_verdicts_languages_and_what_was_written(tmp_path: Path) -> None:
    db, out = tmp_path / "c.db", tmp_path / "replies.jsonl"
    clika("run", _written(tmp_path / "mine.jsonl"), "-m", "mock/say:It is **Norway**.", "--ask", "open", "--db", db)
    clika("export", out, "--db", db)
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    oslo = {row["language"]: row for row in rows if row["item"] == "oslo"}
    assert oslo["de"]["verdict"] == "right in another language"
    assert (oslo["de"]["answer_language"], oslo["de"]["written"], oslo["de"]["correct"]) == ("en", "Norway", False)
    assert oslo["en"]["correct"] is True
    listed = clika("answers", "--item", "oslo", "--db", db).stdout
    assert "mock/say:It is **Norway**.: right in another language (en)" in listed


def test_the_demonstration_has_an_open_form(tmp_path: Path) -> None:
    done = clika("demo", "--open", "--db", tmp_path / "d.db", "--json")
    assert "A script answers" in done.stderr
    found = {r["language"]: r for r in records(done)}
    assert {r["set"] for r in found.values()} == {"atlas-open"}
    # English is known to the script as well as to the demo model, Swahili not at all.
    assert found["en"]["accuracy"] == 1
    assert found["sw"]["accuracy"] < 0.2
    assert found["hi"]["answered_in"]["en"] > 0
    assert found["hi"]["verdicts"]["unknown"] > 0


def test_unread_open_replies_are_listed_by_kind(tmp_path: Path) -> None:
    db = tmp_path / "c.db"
    clika("run", _written(tmp_path / "mine.jsonl"), "-m", "mock/say:I don't know.", "--ask", "open", "--db", db)
    assert "12 of 12 replies to open questions hold no answer" in clika("answers", "--unread", "--db", db).stdout


def test_a_local_model_writes_its_open_answers(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    model = gguf_factory.make(tmp_path / "base.gguf", gguf_factory.Recipe(template=None, seed=5))
    common = ("run", _written(tmp_path / "mine.jsonl"), "-m", f"gguf/{model}", "--db", tmp_path / "c.db", "--json")
    found = records(clika(*common, "--ask", "open", "--max-tokens", 4, "--bootstrap", 0))
    assert {(r["ask"], r["coverage"]) for r in found} == {("open", 1.0)}
    assert all(sum(r["verdicts"].values()) == 4 for r in found)


@pytest.mark.parametrize("option", [["--permute", "cyclic"], ["--grammar"]])
def test_what_needs_options_is_refused(tmp_path: Path, option: list[str]) -> None:
    done = clika("run", _written(tmp_path / "m.jsonl"), "-m", "mock/say:A", "--ask", "open", *option, check=2)
    assert "changes nothing" in done.stderr


def test_no_open_prompt_shows_an_option_or_asks_for_a_letter() -> None:
    asked = open_form(cities())
    for name in ("plain", "plain-native"):
        for language in COUNTRIES:
            text = render_open(asked.probes[language][0], get_style(name), asked)[-1].content
            assert instruction(language)[0] in text
            assert not any(country in text for country in COUNTRIES[language])
            assert "A." not in text
    with pytest.raises(UserError, match="to ask openly, use plain"):
        render_open(asked.probes["en"][0], get_style("paper-zero-shot"), asked)


def test_a_template_of_ones_own_keeps_all_lines_that_do_not_speak_of_options(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("Be brief.\nQ: {question}\n{choices}\nChoose from {labels}.\nA:", encoding="utf-8")
    asked = open_form(cities())
    assert render_open(asked.probes["en"][0], get_style(str(path)), asked)[-1].content == (
        "Be brief.\nQ: Where is oslo?\nA:"
    )


def test_short_answers_are_asked_for_in_every_language_of_atlas_and_else_a_note_says_so() -> None:
    wording = resources.files("clika_client").joinpath("data/atlas/wording")
    tags = {file.name.removesuffix(".toml") for file in wording.iterdir() if file.name.endswith(".toml")}
    text = resources.files("clika_client").joinpath("prompts/open_instructions.toml").read_text("utf-8")
    known = tomllib.loads(text)
    assert tags <= set(known), f"prompts/open_instructions.toml lacks {', '.join(sorted(tags - set(known)))}"
    assert len(tags) >= 40
    assert len(set(known.values())) == len(known)
    yoruba = build("x", [Item("a")], [Probe("a", "yo", "q?", ("b", "c"), 0)])
    assert open_notes(get_style("plain"), yoruba)[0].endswith(": yo")


def test_atlas_asks_openly_only_what_does_not_point_at_its_options() -> None:
    whole = resolve("atlas")
    asked = open_form(whole)
    relations = {item.tags["relation"] for item in whole.items} - {item.tags["relation"] for item in asked.items}
    assert relations == {
        "largest-population", "largest-area", "country-border", "farthest-north", "language-home", "shared-currency",
        "city-currency",
    }  # fmt: skip
    kinds = {(item.tags["relation"], item.tags.get(ANSWER_KIND)) for item in asked.items}
    assert ("calling-code", "number") in kinds
    assert ("city-country", None) in kinds
    assert asked.name == "atlas-open"
    assert asked.chance == 0
    assert open_form(asked) is asked


@pytest.mark.parametrize("name", ["atlas", "atlas-names", "fictional"])
def test_the_gold_of_every_built_in_question_is_read_as_right_in_its_language(name: str) -> None:
    from clika_client import read_open

    asked = open_form(resolve(name))
    missed = []
    for language in asked.languages[:: 4 if name == "fictional" else 3]:
        accepts = Acceptance(asked, language)
        for position in range(0, asked.n, 21 if name == "fictional" else 7):
            probe = asked.probes[language][position]
            if not read_open(probe.choices[probe.gold], accepts.at(position)).right:
                missed.append((language, probe.item_id, probe.choices[probe.gold]))
    assert missed == []


def test_open_questions_of_ones_own_have_answers_in_place_of_options(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [
        {"item_id": "1", "language": "en", "question": "Capital of Norway?", "answers": ["Oslo", "Christiania"]},
        {"item_id": "1", "language": "de", "question": "Hauptstadt Norwegens?", "answers": ["Oslo"]},
        {"item_id": "2", "language": "en", "question": "When?", "answers": "1905", "answer_kind": "number"},
        {"item_id": "2", "language": "de", "question": "Wann?", "answers": 1905, "answer_kind": "number"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = resolve(str(path))
    assert found.open
    assert found.chance == 0
    done = records(
        clika("run", path, "-m", "mock/say:Christiania, 1905", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    )
    # `auto` asks an open set openly; Christiania is English only, and right in English where German was asked.
    assert {(r["language"], r["ask"], r["accuracy"], r["right_elsewhere"]) for r in done} == {
        ("en", "open", 1.0, 0.0),
        ("de", "open", 0.5, 0.5),
    }
    refused = clika("run", path, "-m", "mock/say:A", "--ask", "text", check=2)
    assert "has no options to choose from; ask it with --ask open" in refused.stderr
    exported = tmp_path / "again.jsonl"
    exported.write_text(clika("sets", "export", path).stdout, encoding="utf-8")
    again = resolve(str(exported))
    assert (again.items, dict(again.probes)) == (found.items, dict(found.probes))


def test_answers_and_choices_do_not_make_one_set(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [
        {"item_id": "1", "language": "en", "question": "q?", "answers": ["a"]},
        {"item_id": "2", "language": "en", "question": "q?", "choices": ["a", "b"], "gold": 0},
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(UserError, match="line 2: some rows have `answers` and others `choices`"):
        resolve(str(path))


def test_a_style_that_shows_examples_ends_them_in_the_answer() -> None:
    asked = open_form(resolve("atlas"))
    tags = asked.items[0].tags
    text = render_open(asked.probes["en"][0], get_style("plain", 2), asked, tags=tags)[-1].content
    assert asked.examples is not None
    first = asked.examples.probes["en"][0]
    assert f"{first.question}\nAnswer: {first.choices[first.gold]}\n" in text
    assert text.count("Answer only with a short answer") == 1
    assert any(style.name.startswith("paper") for style in builtin_styles())


CODES = st.sampled_from([0, 1, 2, NO_ANSWER, MISSING, OTHER, ELSEWHERE])


@given(st.lists(st.lists(CODES, min_size=3, max_size=3), min_size=1, max_size=4))
def test_the_most_frequent_answer_is_one_that_was_given(votes: list[list[int]]) -> None:
    import numpy as np

    grid = np.array(votes, np.int8)
    chosen = plurality(grid, 3)
    for column, code in zip(grid.T, chosen, strict=True):
        given_codes: Sequence[int] = [int(vote) for vote in column if answered(np.array(vote))]
        if given_codes:
            assert given_codes.count(int(code)) == max(map(given_codes.count, given_codes))
        else:
            assert int(code) == (MISSING if all(column == MISSING) else NO_ANSWER)


def _written(path: Path) -> Path:
    rows = [
        {
            "item_id": probe.item_id,
            "language": tag,
            "question": probe.question,
            "choices": probe.choices,
            "gold": probe.gold,
        }
        for tag, probes in cities().probes.items()
        for probe in probes
    ]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["bmlama17", "klar"])
def test_a_probe_of_facts_is_asked_openly_from_what_it_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIKA_HOME", str(tmp_path / "home"))
    for needed in dict.fromkeys(("bmlama17", name)):
        getattr(benchmark_factory, needed)(tmp_path / needed)
        kept.add(needed, tmp_path / needed)
    assert_asked_openly(resolve(name), tmp_path)


@pytest.mark.parametrize("name", ["x_geo", "x_name"])
def test_the_papers_sets_of_facts_are_asked_openly_from_what_they_hold(name: str, tmp_path: Path) -> None:
    root = release_factory.write_checkout(tmp_path / "release", (), dict.fromkeys(release_factory.FULL, 6))
    assert_asked_openly(read_release(root, name), tmp_path)


def assert_asked_openly(asked: ProbeSet, folder: Path) -> None:
    """Golds said are right in both languages, and no prompt shows a list of options.

    Of two items with one question, the model knows the later one's gold.
    """
    languages = asked.languages[:2]
    golds = {probe.question: probe.choices[probe.gold] for tag in languages for probe in asked.probes[tag]}
    prompts = []

    def right(request: Request) -> str:
        prompts.append(request.messages[-1].content)
        return next(gold for question, gold in golds.items() if question in prompts[-1])

    report = clika_client.run(
        asked,
        MockProvider(right),
        db=folder / "open.db",
        languages=languages,
        asking=Asking("open"),
        scoring=Options(bootstrap=10),
    )
    assert [(record.language, record.verdicts["right"]) for record in report.scores.records] == [
        (tag, sum(golds[probe.question] == probe.choices[probe.gold] for probe in asked.probes[tag]))
        for tag in languages
    ]
    # Of two items with one question one is asked, and the other takes its reply.
    assert sorted(prompts) == sorted(set(prompts))
    assert len(prompts) == len({(tag, probe.question) for tag in languages for probe in asked.probes[tag]})
    assert not any("A." in prompt for prompt in prompts)
