"""Runs by name, study files, and thresholds that end a command: what is kept of a run is enough to ask it again."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from asked_models import STRONG, WEAK
from clika import clika, count, write_probes

import clika_client
from clika_client.scoring.gates import compare_runs
from clika_client.sets.probes import Item, Probe, ProbeSet
from clika_client.store.store import Store
from clika_providers import Completion, MockProvider, Request


@pytest.fixture
def db(tmp_path: Path) -> Path:
    write_probes(tmp_path / "mine.jsonl")
    clika("run", tmp_path / "mine.jsonl", "-m", "mock/say:B", "-l", "en,de", "--limit", 4, "--db", tmp_path / "c.db")
    return tmp_path / "c.db"


@pytest.fixture(scope="module")
def three(three_asked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copy(three_asked, tmp_path_factory.mktemp("three") / "c.db")


def listed(db: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(clika("runs", "list", "--db", db, "--json").stdout)["runs"]
    return found


def test_runs_are_listed_shown_and_named(db: Path) -> None:
    (run,) = listed(db)
    assert run["status"] == "done"
    assert run["asked"] == 8
    assert str(run["run"]) in clika("runs", "list", "--db", db).stdout
    clika("runs", "tag", "last", "first", "--db", db)
    shown = json.loads(clika("runs", "show", "first", "--db", db, "--json").stdout)
    assert shown["run"] == run["run"]
    assert shown["config"]["settings"]["limit"] == 4
    assert "there is no run 'second'" in clika("runs", "show", "second", "--db", db, check=2).stderr


def test_a_run_is_repeated_by_its_id_with_all_its_settings(db: Path) -> None:
    clika("runs", "repeat", "last", "--db", db)
    first, second = listed(db)
    configs = [
        json.loads(clika("runs", "show", str(r["run"]), "--db", db, "--json").stdout)["config"] for r in (first, second)
    ]
    assert configs[1]["settings"].pop("refresh") is True
    assert configs[0] == configs[1]
    assert "nothing to send" in clika("runs", "resume", "last", "--db", db).stderr


def test_what_a_run_prints_as_a_study_file_asks_the_same(db: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(clika("runs", "show", "last", "--toml", "--db", db).stdout, encoding="utf-8")
    done = clika("run", study, "--db", db)
    assert "nothing to send" in done.stderr
    assert [r["asked"] for r in listed(db)] == [8, 8]


def test_options_beside_a_study_override_it(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    study = tmp_path / "s.toml"
    study.write_text(
        f'sets = ["{probes}"]\nmodels = ["mock/say:A", "mock/say:B"]\nlanguages = ["en", "de"]\nlimit = 3\n',
        encoding="utf-8",
    )
    plan = json.loads(clika("run", study, "--dry-run", "--json", "--limit", 2, "-m", "mock/say:C").stdout)["plan"]
    assert [(row["model"], row["requests"]) for row in plan] == [("mock/say:C", 4)]


@pytest.mark.parametrize(
    ("text", "said"),
    [("modles = ['x']", "did you mean models"), ("sets = [", "not a study file"), ("limit = {a = 1}", "not a table")],
)
def test_slips_in_a_study_are_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    assert said in clika("run", tmp_path / "s.toml", check=2).stderr


def test_init_writes_a_study_that_runs(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    clika("init", study, "--sets", "atlas", "--models", "mock/random", "--languages", "en,de", "--limit", 2)
    plan = json.loads(clika("run", study, "--dry-run", "--json").stdout)["plan"]
    assert plan[0]["requests"] == 4
    answers = ["--sets", "x", "--models", "x", "--languages", "en", "--limit", 2]
    assert "is there already" in clika("init", study, *answers, check=2).stderr


def test_keys_are_not_kept_with_a_run(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    secret = "sk-planted-0123456789abcdef0123456789"
    clika("run", probes, "-m", "mock/say:B", "--extra", f'user="{secret}"', "--db", tmp_path / "c.db", check=None)
    assert secret.encode() not in (tmp_path / "c.db").read_bytes()


def test_a_question_that_nobody_answers_changes_nothing_and_says_so(db: Path) -> None:
    for command in (("runs", "delete", "last", "--replies"), ("cache", "prune", "--model", "mock/say:B")):
        assert "nothing was changed; --yes goes on" in clika(*command, "--db", db, check=3).stderr
    assert (len(listed(db)), count(db)) == (1, 8)


def test_a_stored_model_is_suggested_for_a_name_that_is_its_end(db: Path) -> None:
    for command in (("score", "-m", "say:B"), ("cache", "prune", "--yes", "--model", "say:B")):
        assert "did you mean mock/say:B?" in clika(*command, "--db", db, check=2).stderr
    assert count(db) == 8


def test_deleting_a_run_keeps_the_replies_unless_told(db: Path) -> None:
    clika("runs", "delete", "last", "--yes", "--db", db)
    assert listed(db) == []
    assert count(db) == 8
    clika("run", db.parent / "mine.jsonl", "-m", "mock/say:C", "--limit", 2, "--db", db)
    clika("runs", "delete", "last", "--replies", "--yes", "--db", db)
    assert count(db) == 8


def test_two_runs_of_one_model_each_are_compared(db: Path) -> None:
    clika("run", db.parent / "mine.jsonl", "-m", "mock/say:A", "-l", "en,de", "--limit", 4, "--db", db)
    first, second = (str(run["run"]) for run in listed(db))
    found = json.loads(clika("runs", "compare", first, second, "--db", db, "--json").stdout)["comparisons"]
    assert [(c["a"], c["b"]) for c in found] == [("mock/say:B", "mock/say:A")]


def test_two_runs_of_one_model_with_equal_prompts_are_compared_with_the_replies_of_their_time(tmp_path: Path) -> None:
    probes, path = write_probes(tmp_path / "mine.jsonl", 40, ("en", "de")), tmp_path / "c.db"
    for wrong in (20, 4, 4):  # of 40 questions in each language

        def say(request: Request, wrong: int = wrong) -> Completion:
            number = int(re.findall(r"question number (\d+)", request.messages[-1].content)[-1])
            return Completion("ABCD"[(number + (number < wrong)) % 4], "stop")

        clika_client.run(probes, MockProvider(say, name="one"), db=path, refresh=True)
    first, second, third = (str(run["run"]) for run in listed(path))
    with Store(path) as store:
        (found,) = compare_runs(store, first, second)
        (same,) = compare_runs(store, second, third)
    assert (found.a, found.b) == (f"mock/one ({first})", f"mock/one ({second})")
    assert {d.language: (d.only_a, d.only_b) for d in found.differences} == {"en": (0, 16), "de": (0, 16)}
    assert found.overall.accuracy.verdict == "b"
    assert {(d.only_a, d.only_b) for d in same.differences} == {(0, 0)}
    clika("score", "--db", path)  # what is read for the past is not kept for the present
    assert {r.accuracy for r in clika_client.score(path).records} == {0.9}


def test_a_run_made_from_python_is_repeated_by_its_id(tmp_path: Path) -> None:
    probes, path = write_probes(tmp_path / "mine.jsonl", 12, ("en", "de", "fr")), tmp_path / "c.db"
    items = clika_client.Items(only=("relation=odd",), limit=4, seed=3)
    asking = clika_client.Asking(ask="text", max_tokens=7, repeats=2, permute=True)
    clika_client.run(probes, "mock/say:B", db=path, languages=["en", "fr"], items=items, asking=asking)
    with Store(path) as store:
        asked = {(cell.key, tuple(cell.asked())) for cell in store.cells()}
    clika("runs", "repeat", "last", "--db", path)
    with Store(path) as store:
        assert {(cell.key, tuple(cell.asked())) for cell in store.cells()} == asked
        first, second = store.runs()
        assert {**first.config, "settings": None} == {**second.config, "settings": None}


def test_sets_and_models_made_in_python_are_found_again_by_the_run(tmp_path: Path) -> None:
    path, asking = tmp_path / "c.db", clika_client.Asking(ask="open", max_tokens=7)
    capitals = ProbeSet(
        "capitals",
        (Item("fr"),),
        {tag: (Probe("fr", tag, f"{tag}: capital?", ("Paris", "Rome"), 0),) for tag in ("en", "de")},
    )
    named = clika_client.connect("mock/say:Paris")
    clika_client.run(capitals, named, db=path, languages=["de"], asking=asking)
    with Store(path) as store:
        asked = {(cell.key, tuple(cell.asked())) for cell in store.cells()}
    clika("runs", "repeat", "last", "--db", path)
    with Store(path) as store:
        assert {(cell.key, tuple(cell.asked())) for cell in store.cells()} == asked
        assert store.runs()[0].config["sets"] == store.runs()[1].config["sets"] == ["capitals-open"]
    assert "the digest of no set" in clika("run", "stored:ffff", "-m", "mock/random", "--db", path, check=2).stderr

    class House(MockProvider):
        """A model that no spec stands for."""

    items = clika_client.Items(limit=1, seed=3)
    clika_client.run(capitals, ["mock/say:A", House("B", name="house")], db=path, items=items, prompt="paper-zero-shot")
    told = clika("runs", "repeat", "last", "--db", path, check=2).stderr
    call = told.partition("pass it again from Python:\n")[2].strip()
    assert "House(...)" in call
    made = House("B", name="house")
    eval(call.replace("House(...)", "made"), {"clika_client": clika_client, "made": made})
    with Store(path) as store:
        *_, before, after = (
            {cell.key: store.run_positions(run.run_id)[cell.cell_id].tolist() for cell in store.cells(run.run_id)}
            for run in store.runs()
        )
    assert len(before) == 4
    assert before == after
    assert len(made.requests) == 2


def test_a_figure_below_its_limit_ends_with_4_and_is_in_junit(three: Path, tmp_path: Path) -> None:
    junit = tmp_path / "j.xml"
    done = clika(
        "score", "--db", three, "-m", STRONG, "--fail-below", "accuracy.sw=.8", "--fail-below", "accuracy.en=.9",
        "--junit", junit, check=4,
    )  # fmt: skip
    assert f"accuracy of {STRONG} mine sw is 0.750; at least 0.8 was asked for" in done.stderr
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    clika("score", "--db", three, "-m", STRONG, "--fail-below", "accuracy.sw=.75")
    clika("score", "--db", three, "-m", STRONG, "--fail-below", "en_co=.7", "--fail-below", "other_ra=.6")


def test_an_undefined_figure_or_an_unasked_language_does_not_pass(three: Path) -> None:
    assert "nobody was asked" in clika("score", "--db", three, "--fail-below", "ra.fr=.1", check=4).stderr
    assert "did you mean" in clika("score", "--db", three, "--fail-below", "raa=.1", check=2).stderr
    assert "has no languages" in clika("score", "--db", three, "--fail-below", "other_ra.sw=.1", check=2).stderr


def test_a_worse_run_than_its_baseline_fails(tmp_path: Path) -> None:
    probes, db = write_probes(tmp_path / "mine.jsonl", 40), tmp_path / "c.db"

    def misses(every: int) -> Callable[[Request], str]:
        def say(request: Request) -> str:
            number = int(request.messages[-1].content.split("number ")[1].split("?")[0])
            return "ABCD"[(number + (number % every == 0)) % 4]

        return say

    for name, script in {"old": misses(40), "new": misses(2), "stuck": "A"}.items():
        clika_client.run(probes, MockProvider(script, name=name), db=db)
    good, bad, habit = (str(run["run"]) for run in listed(db))
    done = clika("score", "--run", bad, "--baseline", good, "--fail-if-worse", "--db", db, check=4)
    assert "mock/old is more accurate than mock/new" in done.stderr
    clika("score", "--run", good, "--baseline", bad, "--fail-if-worse", "--db", db)
    clika("score", "--run", habit, "--baseline", good, "--fail-if-worse", "--db", db, check=4)
    assert "--baseline" in clika("score", "--fail-if-worse", "--db", db, check=2).stderr


def test_a_run_that_is_asked_ends_with_4_too(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    summary = tmp_path / "summary.md"
    clika(
        "run", probes, "-m", "mock/say:B", "--fail-below", "accuracy=.9", "--github-summary", "--db", tmp_path / "c.db",
        check=4, GITHUB_STEP_SUMMARY=str(summary),
    )  # fmt: skip
    assert "| ✗ | accuracy of mock/say:B" in summary.read_text(encoding="utf-8")
    assert WEAK not in summary.read_text(encoding="utf-8")
