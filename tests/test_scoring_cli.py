"""`clika score` and `clika compare` as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clika import clika, write_probes
from release_factory import write_checkout

from clika_client.store.store import Store

REQUIRED = {
    *("model", "set", "language", "prompt", "ask", "n", "answered", "coverage", "accuracy", "ra", "no_answer_rate"),
    *("en_co", "accuracy_low", "accuracy_high", "ra_low", "ra_high", "en_co_low", "en_co_high", "en_co_variant"),
    *("en_co_chance_corrected", "kappa_correct", "agreement", "kappa_answer", "same_wrong", "transfer"),
    *("top_choice_share", "flags", "source", "reading", "ra_reference", "chance"),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scoring")
    sizes = {"x_geo": 40, "x_name": 40}
    checkout = write_checkout(folder / "CLiKA", ("chatgpt", "alpha", "beta"), sizes, languages=("en", "de", "zh"))
    clika("import", checkout, "--db", folder / "a.db")
    return folder / "a.db"


def records(database: Path, *options: object) -> list[dict[str, Any]]:
    done = clika("score", "--db", database, "--json", "--bootstrap", 100, *options)
    return json.loads(done.stdout)["records"]  # type: ignore[no-any-return]


def test_a_record_has_every_promised_field_as_a_fraction(database: Path) -> None:
    found = records(database)
    assert len(found) == 3 * 2 * 3
    for record in found:
        assert set(record) >= REQUIRED
        assert 0 <= record["accuracy_low"] <= record["accuracy"] <= record["accuracy_high"] <= 1
        assert record["source"] == "clika-release"
        if record["language"] != "en":
            assert record["en_co_low"] <= record["en_co"] <= record["en_co_high"]


def test_the_paper_s_reading_can_be_chosen_and_two_readings_compared(database: Path) -> None:
    found = records(database, "--reading", "first-letter,standard")
    assert {record["reading"] for record in found} == {"first-letter", "standard"}
    assert len(found) == 36
    assert "choose one of" in clika("score", "--db", database, "--reading", "wrong", check=2).stderr


def test_results_can_be_narrowed_to_models_sets_and_languages(database: Path) -> None:
    found = records(database, "-m", "alpha", "--sets", "x_geo", "-l", "en,de")
    assert {(r["model"], r["set"], r["language"]) for r in found} == {
        ("alpha", "x_geo", "en"),
        ("alpha", "x_geo", "de"),
    }
    message = clika("score", "--db", database, "-m", "alfa", check=2).stderr
    assert "'alfa'" in message
    assert "alpha, beta, chatgpt" in message


def test_items_are_dropped_and_split_by_tag(database: Path) -> None:
    parts = {record["split"] for record in records(database, "--split", "original_lang", "--sets", "x_geo")}
    assert {"original_lang=en", "original_lang=de"} <= parts
    assert "no item carries this tag" in clika("score", "--db", database, "--drop", "ambigous", check=2).stderr


def test_a_file_of_records_is_written_whole(database: Path, tmp_path: Path) -> None:
    records(database, "--csv", tmp_path / "out.csv")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 19
    clika("score", "--db", database, "--csv", tmp_path / "no" / "out.csv", check=2)


def test_two_scorings_of_one_database_print_the_same_bytes(database: Path) -> None:
    first, second = (clika("score", "--db", database, "--json").stdout for _ in range(2))
    assert first == second


def test_scoring_works_on_a_database_that_cannot_be_written(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "ro" / "a.db"
    copy.parent.mkdir()
    with Store(database) as store:
        store.database.connection.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o444)
    copy.parent.chmod(0o555)
    try:
        assert len(records(copy)) == 18
    finally:
        copy.parent.chmod(0o755)


def test_a_missing_or_empty_database_is_explained(tmp_path: Path) -> None:
    assert "no database" in clika("score", "--db", tmp_path / "none.db", check=2).stderr
    Store(tmp_path / "empty.db").close()
    assert "clika import" in clika("score", "--db", tmp_path / "empty.db", check=2).stderr


def test_scoring_loads_no_provider_no_network_client_and_no_plotting(database: Path) -> None:
    code = (
        "import sys; from clika_client.cli import app\n"
        "try: app.run(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'openai', 'httpx', 'httpx2', 'llama_cpp', 'altair', 'torch', 'pyarrow', 'babel', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    arguments = ["score", "--db", str(database), "--json", "--bootstrap", "50"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stderr.strip() == "[]"


def test_compare_prints_a_verdict_for_every_language_and_says_when_it_cannot_tell(database: Path) -> None:
    done = clika("compare", "alpha", "beta", "--db", database, "--json")
    document = json.loads(done.stdout)
    assert len(document["differences"]) == 6
    assert {d["verdict"] for d in document["differences"]} <= {"a", "b", "cannot tell", "not ranked"}
    assert document["summary"]
    text = clika("compare", "alpha", "alpha", "--db", database).stdout
    assert "cannot tell the two apart in en, zh, de" in text


def test_compare_of_one_model_compares_its_languages(database: Path) -> None:
    document = json.loads(clika("compare", "alpha", "--db", database, "--json").stdout)
    assert {d["language"] for d in document["differences"]} == {"de", "zh"}


def test_compare_of_groups_prints_the_change_per_language(database: Path) -> None:
    options = ("--group", "base=alpha,tuned=beta", "--db", database)
    document = json.loads(clika("compare", *options, "--json").stdout)
    assert {(c["set"], c["language"]) for c in document["changes"]} == {
        (s, tag) for s in ("x_geo", "x_name") for tag in ("en", "de", "zh", "others")
    }
    printed = clika("compare", *options).stdout
    assert "from base to tuned" in printed
    for first, change in zip(
        document["summary"], (c for c in document["changes"] if c["language"] == "others"), strict=True
    ):
        assert f"{change['set']}, base to tuned: mean RA of the other languages" in first
        assert f"from {change['ra_a']:.3f} to {change['ra_b']:.3f} ({change['ra_diff']:+.3f} [" in first


@pytest.mark.parametrize(
    "arguments", [(), ("a", "b", "c"), ("alpha", "--group", "x=alpha,y=beta"), ("alpha", "nobody")]
)
def test_a_comparison_that_makes_no_sense_is_refused_with_the_cure(database: Path, arguments: tuple[str, ...]) -> None:
    message = clika("compare", *arguments, "--db", database, check=2).stderr
    assert "error:" in message


def test_any_figure_can_be_shown_and_all_languages_together(database: Path) -> None:
    options = ("--db", database, "--bootstrap", 0, "--show", "accuracy,kappa_correct", "--details")
    text = clika("score", *options).stdout
    assert "kappa right" in text
    assert "en-CO of all pairs" in text
    assert "Mother tongue" in text
    message = clika("score", "--db", database, "--show", "acuracy", check=2).stderr
    assert "did you mean accuracy? choose from coverage, accuracy, ra" in " ".join(message.split())


def test_where_two_readings_differ_is_said_under_the_tables(database: Path) -> None:
    document = json.loads(clika("score", "--db", database, "--reading", "first-letter,standard", "--json").stdout)
    assert document["reading_differences"] == []


@pytest.mark.parametrize("command", [("score",), ("report", "r.html")])
def test_an_anchor_without_answers_is_told_with_those_there_are(
    command: tuple[str, ...], database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = clika(*command, "--db", database, "--anchor", "sw", check=2).stderr
    assert "anchor 'sw'; there are some in: de, en, zh" in " ".join(said.split())
    assert not list(tmp_path.iterdir())


def test_nothing_is_asked_for_an_anchor_that_no_question_is_in(tmp_path: Path) -> None:
    probes, db = write_probes(tmp_path / "mine.jsonl", 4), tmp_path / "c.db"
    said = clika("run", probes, "-m", "mock/say:A", "--anchor", "Turkish", "--db", db, check=2).stderr
    assert "--anchor Turkish: nothing is asked in it; the languages are: en" in said
    assert not db.exists()


@pytest.mark.parametrize("name", ["-", "out.parquet", "out.JSON"])
def test_csv_goes_into_no_file_of_another_form(name: str, database: Path, tmp_path: Path) -> None:
    target = name if name == "-" else tmp_path / name
    assert "comma-separated values" in clika("score", "--db", database, "--csv", target, check=2).stderr
    assert not (tmp_path / name).exists()
    assert not Path("-").exists()


def test_help_and_the_version_are_had_by_the_words_people_try() -> None:
    assert clika("-V").stdout == clika("--version").stdout
    assert clika("help", "score").stdout == clika("score", "--help").stdout
    assert clika("help").stdout == clika("--help").stdout


def test_an_experiment_of_teaching_is_scored_by_its_own_command(tmp_path: Path) -> None:
    (tmp_path / "asked.json").write_text("{}")
    assert "clika teach score" in clika("score", tmp_path, check=2).stderr
