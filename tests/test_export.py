"""Replies, items, scores and runs as rows: types, hostile text, and SQL answers that equal the API's."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from asked_models import HOSTILE, LANGUAGES, STRONG, WEAK, N
from clika import clika, write_probes

import clika_client
from clika_client.common.errors import UserError
from clika_client.common.safe_text import json_shown

ROOT = Path(__file__).parent.parent
REPLIES = 3 * N * len(LANGUAGES)


@pytest.fixture(scope="module")
def db(three_asked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copy(three_asked, tmp_path_factory.mktemp("rows") / "c.db")


@pytest.fixture(scope="module", params=["the database itself", "exported"])
def flat(db: Path, request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    file = db if request.param == "the database itself" else db.with_name("all.sqlite")
    if file != db:
        clika("export", file, "--db", db)
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    yield connection
    connection.close()


def queries() -> list[str]:
    return re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "sql.md").read_text(encoding="utf-8"), re.DOTALL)


def answer(flat: sqlite3.Connection, number: int, **names: str) -> list[dict[str, Any]]:
    return [dict(row) for row in flat.execute(queries()[number], names)]


def test_what_a_language_loses_is_what_the_question_view_shows(flat: sqlite3.Connection, db: Path) -> None:
    rows = answer(flat, 0, model=STRONG, language="sw")
    # The script has every fourth question wrong in Swahili and none in English.
    assert {row["item"] for row in rows} == {f"q{i}" for i in range(0, N, 4)}
    shown = json.loads(clika("answers", "--lost-in", "sw", "-m", STRONG, "--db", db, "--json").stdout)["questions"]
    assert {row["item"] for row in rows} == {question["item"] for question in shown}
    chosen = {question["item"]: question["replies"]["sw"][0]["chosen"] for question in shown}
    assert {row["item"]: row["chosen"] for row in rows} == chosen


def test_accuracies_in_sql_equal_the_scores(flat: sqlite3.Connection, db: Path) -> None:
    scores = clika_client.score(db, scoring=clika_client.Options(bootstrap=0))
    found = {(row["model"], row["language"]): row["accuracy"] for row in answer(flat, 1)}
    assert found == {(r.model, r.language): pytest.approx(r.accuracy) for r in scores.records}
    assert found[STRONG, "sw"] == 0.75


def test_overlaps_in_sql_equal_the_scores(flat: sqlite3.Connection, db: Path) -> None:
    scores = clika_client.score(db, scoring=clika_client.Options(bootstrap=0))
    found = {(row["model"], row["language"]): row["en_co"] for row in answer(flat, 2)}
    assert found == {(r.model, r.language): pytest.approx(r.en_co) for r in scores.records if r.language != "en"}


def test_reasons_in_sql_equal_the_scores(flat: sqlite3.Connection, db: Path) -> None:
    scores = clika_client.score(db, scoring=clika_client.Options(bootstrap=0))
    found = {(row["model"], row["language"], row["reason"]): row["replies"] for row in answer(flat, 3)}
    said = {(r.model, r.language, reason): n for r in scores.records for reason, n in r.no_answer.items()}
    assert found == said
    assert [key[:2] for key in found] == [(WEAK, "sw")]


def test_questions_that_one_model_has_alone_in_sql_equal_the_comparison(flat: sqlite3.Connection, db: Path) -> None:
    compared = clika_client.compare(STRONG, WEAK, db)
    found = {row["language"]: (row["only_a"], row["only_b"]) for row in answer(flat, 4, a=STRONG, b=WEAK)}
    assert found == {d.language: (d.only_a, d.only_b) for d in compared.differences}


def test_accuracies_by_tag_in_sql_equal_the_split_scores(flat: sqlite3.Connection, db: Path) -> None:
    scores = clika_client.score(db, scoring=clika_client.Options(bootstrap=0, split="relation"))
    found = {(r["model"], r["language"], f"relation={r['relation']}"): r["accuracy"] for r in answer(flat, 5)}
    assert found == {(r.model, r.language, r.split): pytest.approx(r.accuracy) for r in scores.records}


def test_queries_by_model_and_language_go_by_an_index(flat: sqlite3.Connection) -> None:
    for where in ("model = 'x' AND language = 'sw' AND NOT correct", "item = 'q1'"):
        plan = [row["detail"] for row in flat.execute(f"EXPLAIN QUERY PLAN SELECT reply FROM replies WHERE {where}")]
        read_whole = [line for line in plan if re.fullmatch(r"SCAN (r|q|k|completions|questions|reply|items)", line)]
        assert not read_whole, plan


def test_every_relation_is_in_the_sqlite_file(flat: sqlite3.Connection) -> None:
    counts = {
        name: flat.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        for name in ("replies", "items", "scores", "runs")
    }
    assert counts == {"replies": REPLIES, "items": N * len(LANGUAGES), "scores": 3 * len(LANGUAGES), "runs": 1}


def test_parquet_has_exact_types(tmp_path: Path, db: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed; Parquet is an extra")
    clika("export", tmp_path / "r.parquet", "--db", db)
    table = pq.read_table(tmp_path / "r.parquet")
    kinds = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert table.num_rows == REPLIES
    assert kinds["correct"] == "bool"
    assert kinds["choice"] == "int64"
    assert kinds["options"].startswith("list<")
    assert kinds["tags"].startswith("map<string, string")
    assert kinds["asked_at"] == "timestamp[us, tz=UTC]"
    assert sum(table.column("correct").to_pylist()) == sum(
        row["correct"] for row in clika_client.rows(db=db).to_records()
    )


@pytest.mark.parametrize("what", ["replies", "items", "scores", "runs"])
def test_every_relation_goes_to_every_format_with_its_columns(tmp_path: Path, db: Path, what: str) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed; Parquet is an extra")
    from clika_client.report.rows.columns import RELATIONS

    names = [column.name for column in RELATIONS[what]]
    for suffix in ("csv", "jsonl", "parquet"):
        clika("export", tmp_path / f"x.{suffix}", "--what", what, "--db", db)
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()]
    table = pq.read_table(tmp_path / "x.parquet")
    assert list(rows[0]) == list(lines[0]) == table.column_names == names
    assert len(rows) == len(lines) == table.num_rows


def test_hostile_replies_stay_text(tmp_path: Path, db: Path) -> None:
    clika("export", tmp_path / "r.csv", "--db", db, "-m", WEAK, "-l", "sw")
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        assert HOSTILE in [row["reply"] for row in csv.DictReader(file)]
    shown = clika("answers", "--item", "q1", "-m", WEAK, "-l", "sw", "--db", db).stdout
    assert "<script>alert(1)</script>" in shown
    assert "\x1b" not in shown
    assert "‮" not in shown


def test_a_spreadsheet_is_given_no_formula() -> None:
    from clika_client.report.scores_csv import safe_cell

    assert [safe_cell(text) for text in ("=1", "+1", "-1", "@x", "a=1")] == ["'=1", "'+1", "'-1", "'@x", "a=1"]


def test_data_frames_have_a_row_per_reply(db: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = clika_client.rows("replies", db).to_pandas()
    assert len(frame) == REPLIES
    assert frame["correct"].dtype == bool
    assert frame["choice"].dtype == "Int64"
    assert frame["choice"].isna().sum() == 1  # the hostile reply
    assert isinstance(frame["asked_at"].iloc[0], pandas.Timestamp)
    scores = clika_client.rows("scores", db).to_records()
    assert {row["language"] for row in scores} == set(LANGUAGES)


def test_one_item_is_shown_in_every_language_with_its_right_option(db: Path) -> None:
    shown = clika("answers", "--item", "q4", "--db", db).stdout
    for language in LANGUAGES:
        assert f"{language}: question number 4?" in shown
    assert "A en choice 4-0 <- right" in shown
    assert f"{STRONG}: wrong, B sw choice 4-1: 'B'" in shown


def test_json_drives_no_terminal_and_loads_as_what_was_said(db: Path, tmp_path: Path) -> None:
    clika("export", tmp_path / "r.jsonl", "--db", db)
    files = (tmp_path / "r.jsonl").read_text(encoding="utf-8")
    screen = clika("answers", "--item", "q1", "--json", "--db", db).stdout
    for text in (files, screen):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert HOSTILE in [json.loads(line)["reply"] for line in files.splitlines()]
    (question,) = json.loads(screen)["questions"]
    assert HOSTILE in [reply["reply"] for reply in question["replies"]["sw"]]
    evil = "\x1b[31m \x9b31m \u202e \u2066 \u2028 \x00 \x7f é 模型 \\"
    written = json_shown(json.dumps({evil: [evil]}, ensure_ascii=False))
    assert json.loads(written) == {evil: [evil]}
    assert all(c.isprintable() for c in written)


def test_replies_of_one_model_asked_in_two_ways_say_which_is_which(tmp_path: Path) -> None:
    from clika_client.asking.settings import Asking

    probes = write_probes(tmp_path / "mine.jsonl", 4)
    for temperature in (0.0, 0.5):
        asking = Asking(temperature=temperature)
        clika_client.run(probes, "mock/pick:0", db=tmp_path / "c.db", asking=asking)
    shown = clika("answers", "--item", "q1", "--db", tmp_path / "c.db").stdout
    assert "mock/pick:0 (default settings): wrong" in shown
    assert "mock/pick:0 (temperature=0.5): wrong" in shown
    table = clika("score", "--db", tmp_path / "c.db").stdout
    assert "temperature=0.5" in table
    assert '{"' not in table


def test_wrong_answers_leave_out_what_all_have_right(db: Path) -> None:
    found = json.loads(clika("answers", "--wrong", "-m", STRONG, "--db", db, "--json").stdout)["questions"]
    assert {question["item"] for question in found} == {f"q{i}" for i in range(0, N, 4)}


def test_a_question_that_was_lost_is_shown_in_the_two_languages(db: Path) -> None:
    shown = json.loads(clika("answers", "--lost-in", "sw", "--db", db, "--json").stdout)["questions"]
    assert shown
    assert {tuple(sorted(question["asked"])) for question in shown} == {("en", "sw")}


def test_a_few_replies_show_every_language(db: Path) -> None:
    said = clika("answers", "--limit", 4, "-m", STRONG, "-l", "en,sw", "--db", db).stdout.splitlines()
    assert [line.split()[2] for line in said] == ["en", "sw"] * 2


def test_a_misspelt_item_or_language_is_told(db: Path) -> None:
    assert "did you mean q4" in clika("answers", "--item", "q4x", "--db", db, check=2).stderr
    assert "it has: de, en, he, sw" in clika("answers", "--lost-in", "fr", "--db", db, check=2).stderr


def test_slips_leave_no_file_behind(tmp_path: Path, db: Path) -> None:
    assert ".parquet" in clika("export", tmp_path / "x.xlsx", "--db", db, check=2).stderr
    assert "replies" in clika("export", tmp_path / "x.csv", "--what", "answers", "--db", db, check=2).stderr
    assert "itself" in clika("export", db, "--db", db, check=2).stderr
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError):
        clika_client.export(tmp_path / "none" / "x.csv", db=db)


def test_moments_are_utc_everywhere(tmp_path: Path, db: Path) -> None:
    (row,) = clika_client.rows("runs", db).to_records()
    assert isinstance(row["started_at"], datetime)
    done = clika("export", "-", "--what", "runs", "--db", db)
    assert json.loads(done.stdout)["started_at"] == row["started_at"].isoformat(timespec="seconds")
