"""Layouts and logs that were reported to fail, each given to the command as a user does, with the right figures."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from clika import clika

DATA = Path(__file__).parent / "data"
LAYOUTS = DATA / "layouts"
BELEBELE = (
    "item_id=link|question_number,language=dialect,question=flores_passage|question,"
    "choices=mc_answer1|mc_answer2|mc_answer3|mc_answer4,"
)
GERMAN = "item_id=id,language=lang,question=frage,choices=a|b|c,gold=richtig"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    with tarfile.open(DATA / "other_logs.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize(
    ("file", "mapping", "right"),
    [
        ("belebele_small.jsonl", BELEBELE + "gold1=correct_answer_num", {"en": ["In May", "Two"]}),
        (
            "xcsqa_official.jsonl",
            "item_id=id,language=lang,question=question.stem,choices=question.choices,gold=answerKey",
            {"en": ["fridge"], "de": ["Kühlschrank"]},
        ),
        (
            "xcopa.jsonl",
            "item_id=idx,language=lang,question=premise|question,choices=choice1|choice2,gold=label",
            {"it": ["L'acqua fluì dal beccuccio."], "et": ["Vesi hakkas voolama."]},
        ),
        ("excel_sep_line.csv", GERMAN, {"de": ["Wien"], "en": ["Vienna"]}),
        ("excel_trailing_cols.csv", GERMAN, {"de": ["Wien"], "en": ["Vienna"]}),
        ("pandas_list.csv", "", {"en": ["Oslo"], "de": ["Oslo"]}),
    ],
)
def test_layouts_are_added_with_their_right_answers(file: str, mapping: str, right: dict[str, list[str]]) -> None:
    clika("sets", "add", "mine", LAYOUTS / file, *(("--map", mapping) if mapping else ()))
    try:
        rows = [json.loads(line) for line in clika("sets", "export", "mine").stdout.splitlines()]
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row["language"], []).append(row["choices"][row["gold"]])
        assert {tag: found[tag] for tag in right} == right
        shown = clika("prompt", "mine", "-l", next(iter(right))).stdout
        assert file != "xcopa.jsonl" or "\neffect\n" in shown
    finally:
        clika("sets", "remove", "mine")


def test_files_of_one_language_each_without_an_id_are_one_set(tmp_path: Path) -> None:
    german, french = LAYOUTS / "mmmlu_DE-DE.csv", tmp_path / "mmmlu_FR-FR.csv"
    french.write_bytes(german.read_bytes())
    mapping = "item_id=column 1,question=Question,choices=A|B|C|D,gold=Answer,tags=Subject"
    said = clika("sets", "add", "mine", german, french, "--map", mapping).stdout
    clika("sets", "remove", "mine")
    assert "mine: 3 items, 4 choices" in said
    assert re.search(r"2 languages \(de(-DE)?, fr(-FR)?\)", said)


@pytest.mark.parametrize(
    ("file", "mapping", "says"),
    [
        ("belebele_small.jsonl", BELEBELE + "gold=correct_answer_num", "--map gold1=COLUMN"),
        ("belebele_with4.jsonl", BELEBELE + "gold=correct_answer_num", "--map gold1=COLUMN"),
        ("gold_is_empty.csv", "choices=a|b|c|d|e", "line 2: choice 5 is empty"),
        ("nan_choice.jsonl", "", "line 1: choice 4 is nan"),
    ],
)
def test_layouts_that_would_be_read_wrong_are_refused_with_the_cure(file: str, mapping: str, says: str) -> None:
    done = clika("sets", "add", "mine", LAYOUTS / file, *(("--map", mapping) if mapping else ()), check=2)
    assert says in done.stderr
    assert file in done.stderr


Figures = dict[str, tuple[int, float]]


@pytest.mark.parametrize(
    ("folder", "right", "en_co"),
    [
        ("lm_num80", {"en": (40, 0.8), "de": (40, 0.75)}, None),
        ("lm_hs", {"en": (197, None), "de": (197, None)}, 1.0),
        ("lm_misal", {"en": (24, 0.792), "de": (24, 0.833)}, 0.773),
        ("lm_mi", {"en": (8, 0.25)}, None),
        ("lm_lim", {"en": (12, 0.75), "de": (12, 1.0)}, None),
        ("lm_dummy", {tag: (24, None) for tag in ("en", "de", "ar", "sw", "ko", "zh")}, None),
    ],
)
def test_logs_give_the_figures_that_the_harness_gave(
    logs: Path, tmp_path: Path, folder: str, right: dict[str, tuple[int, float | None]], en_co: float | None
) -> None:
    found = scored(tmp_path / "c.db", logs / folder)
    assert {tag: r["n"] for tag, r in found.items()} == {tag: n for tag, (n, _) in right.items()}
    for tag, (_, accuracy) in right.items():
        assert accuracy is None or round(found[tag]["accuracy"], 3) == accuracy
    assert en_co is None or round(found["de"]["en_co"], 3) == en_co


def scored(db: Path, *imports: object) -> dict[str, dict[str, Any]]:
    """language → record of the only row, after one import."""
    clika("import", *imports, "--db", db)
    records = json.loads(clika("score", "--db", db, "--bootstrap", 0, "--json").stdout)["records"]
    found = {record["language"]: record for record in records}
    assert len(found) == len(records)
    return found


def test_a_run_with_examples_beside_a_whole_one_keeps_its_own_figures_whatever_comes_first(
    logs: Path, tmp_path: Path
) -> None:
    """The one with examples has no results file: they are counted in its prompts."""
    whole = json.loads(next((logs / "lm_dummy").rglob("results_*.json")).read_text("utf-8"))["results"]
    for number, order in enumerate((("lm_dummy", "lm_lim"), ("lm_lim", "lm_dummy"))):
        db = tmp_path / f"{number}.db"
        for folder in order:
            clika("import", logs / folder, "--model", "m", "--db", db)
        records = json.loads(clika("score", "--db", db, "--bootstrap", 0, "--json").stdout)["records"]
        found = {(r["prompt"], r["language"]): (r["n"], round(r["accuracy"], 3)) for r in records}
        assert found["lm-eval 5-shot", "en"] == (12, 0.75)
        assert found["lm-eval 5-shot", "de"] == (12, 1.0)
        for tag, code in (("en", "eng_Latn"), ("de", "deu_Latn")):
            assert found["lm-eval 0-shot", tag] == (24, round(whole[f"belebele_{code}"]["acc,none"], 3))
        printed = " ".join(clika("score", "--db", db, "--bootstrap", 0).stdout.split())
        assert "12 of them" in printed


def test_other_reports_end_in_a_sentence_that_counts_each_row_once(logs: Path, tmp_path: Path) -> None:
    shuffled = clika("import", logs / "inspect_shufdiff", "--db", tmp_path / "a.db", check=2).stderr
    assert "not parallel" in shuffled
    assert "(16 x" in shuffled
    gold = clika("import", LAYOUTS / "tbl_gold_in_answer.jsonl", "--db", tmp_path / "b.db").stdout
    assert "reply from 'prediction'" in gold
    records = json.loads(clika("score", "--db", tmp_path / "b.db", "--json", "--bootstrap", 0).stdout)["records"]
    assert {record["accuracy"] for record in records} == {0.0}
