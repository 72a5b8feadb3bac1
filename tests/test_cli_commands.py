"""The smaller commands as a user meets them: answers, cache, models, doctor, help and exit codes."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import gguf_factory
import pytest
from clika import COMMAND, KEY, clika, count, write_probes
from servers.loopback import Answer, Loopback, Seen, chat

from clika_cache import Database, StoredReply
from clika_cache import completions as rows
from clika_client.answers.read import READINGS
from clika_providers import Completion, Usage


@pytest.fixture
def replies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of 12 replies: English right, German half unreadable."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    probes = write_probes(tmp_path / "mine.jsonl")

    def say(seen: Seen) -> Answer:
        question = seen.json()["messages"][-1]["content"]
        number = int(question.split("question number ")[1].split("?")[0])
        if "de: question" in question:
            return Answer(body=chat("Banane \x1b[31m" if number % 2 else "C</s>"))
        return Answer(body=chat("ABCD"[number % 4]))

    db = tmp_path / "c.db"
    with Loopback(say) as server:
        clika("run", probes, "-m", "openai/test", "--base-url", server.url, "--db", db, "--bootstrap", 0)
    return db


def test_unread_replies_are_grouped_and_cannot_paint_the_terminal(replies: Path) -> None:
    shown = clika("answers", "--unread", "--db", replies).stdout
    assert "3 of 12 replies name no choice" in shown
    assert "banane" in shown
    assert "\x1b" not in shown
    document = json.loads(clika("answers", "--unread", "--db", replies, "--json").stdout)
    assert (document["replies"], document["unread"], document["groups"][0]["count"]) == (12, 3, 3)


def test_two_readings_are_compared_reply_by_reply(replies: Path) -> None:
    document = json.loads(clika("answers", "--differ", "first-letter,standard", "--db", replies, "--json").stdout)
    # The first letter of "Banane" is B: the paper's reading takes it for a choice, ours does not.
    assert document["kinds"]["withdrawn"] == 3
    assert {row["language"] for row in document["differences"]} == {"de"}


def test_a_new_version_of_a_reading_shows_what_it_changed_and_old_scores_keep_theirs(replies: Path) -> None:
    clika("score", "--db", replies, "--bootstrap", 0)
    today = json.loads(clika("score", "--db", replies, "--bootstrap", 0, "--json").stdout)["scoring"]["readings"]
    assert today == {"standard": READINGS["standard"].version}
    with sqlite3.connect(replies) as connection:
        rows = connection.execute("SELECT cell_id, choices, reasons FROM readings").fetchall()
        # As an earlier version would have left them: every reply of the German cell took the first option.
        for cell_id, choices, reasons in rows:
            first = bytes(len(choices)) if any(reasons) else choices
            connection.execute(
                "UPDATE readings SET reading = 'standard@1', choices = ?, reasons = ? WHERE cell_id = ?",
                (first, bytes(len(reasons)), cell_id),
            )
    document = json.loads(clika("answers", "--differ", "standard", "--db", replies, "--json").stdout)
    assert (document["first"], document["second"]) == ("standard@1", f"standard@{today['standard']}")
    assert document["replies"] == 12
    assert {row["language"] for row in document["differences"]} == {"de"}
    assert document["kinds"]["withdrawn"] == 3
    told = clika("answers", "--differ", "standard@7", "--db", replies, check=None)
    assert "no reply was read by an earlier version" in told.stderr


def test_answers_are_listed_with_the_rule_that_read_them(replies: Path) -> None:
    rows = json.loads(clika("answers", "--db", replies, "--languages", "en", "--json").stdout)["answers"]
    assert len(rows) == 6
    assert all(row["correct"] and row["rule"] for row in rows)


def test_both_readings_can_be_scored_side_by_side(replies: Path) -> None:
    document = json.loads(
        clika("score", "--reading", "first-letter,standard", "--db", replies, "--bootstrap", 0, "--json").stdout
    )
    found = {(r["reading"], r["language"]): r["no_answer_rate"] for r in document["records"]}
    assert found["standard", "de"] == 0.5
    assert found["first-letter", "de"] == 0.0


def test_scoring_needs_no_provider_package(replies: Path) -> None:
    packages = ("openai", "httpx", "httpx2", "llama_cpp", "aiohttp", "tenacity")
    code = (
        "import sys\n"
        f"for name in {packages!r}: sys.modules[name] = None\n"
        "from clika_client.cli.app import run\n"
        "run(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code, "score", "--db", str(replies), "--bootstrap", "100", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["records"]) == 2


@pytest.mark.parametrize(
    "command", [("import", "{}"), ("run", "{}", "-m", "mock/say:A"), ("cache", "stats", "--db", "{}")]
)
def test_a_file_name_that_no_disk_takes_is_a_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    words = [word.format("9" * 400) for word in command]
    done = clika(*words, *(() if "--db" in command else ("--db", tmp_path / "c.db")), check=2)
    assert "too long" in done.stderr
    assert len(done.stderr) < 500


def test_figures_of_a_database_are_whole_at_eighty_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = ("openrouter/meta-llama/llama-3.3-70b-instruct:free", "gguf/gemma-3-1b-it-Q4_K_M.gguf")
    with Database(tmp_path / "c.db") as database, database.writing() as connection:
        for number, name in enumerate(names, 1):
            connection.execute("INSERT INTO models VALUES (?, ?, ?)", (number, name, f'{{"model":"{name}"}}'))
            reply = Completion("A", usage=Usage(987_654_321, 76_543_210))
            source = "import:clika-release" if number == 1 else "own"
            rows.insert(connection, [StoredReply(bytes([number]) * 16, number, "[]", reply, source, 1234.5678)])
    shown = clika("cache", "stats", "--db", tmp_path / "c.db").stdout
    assert all(len(line) <= 80 for line in shown.splitlines()[1:])
    for figure in ("987,654,321", "76,543,210", "1,234.57"):
        assert shown.count(figure) == 2


def test_stats_count_what_is_there(replies: Path) -> None:
    document = json.loads(clika("cache", "stats", "--db", replies, "--json").stdout)
    assert document["replies"] == 12
    assert document["models"][0]["model"] == "openai/test"
    assert document["models"][0]["input_tokens"] == 600
    assert "openai/test" in clika("cache", "stats", "--db", replies).stdout


def replies_of(export: str) -> list[str]:
    """The replies of an export; an import may keep them in another order, which the check lines sum up too."""
    return sorted(line for line in export.splitlines() if line.startswith('{"key"'))


def test_replies_go_out_and_come_back(replies: Path, tmp_path: Path) -> None:
    lines = clika("cache", "export", "--db", replies).stdout
    file = tmp_path / "out.jsonl"
    file.write_text(lines, encoding="utf-8")
    clika("cache", "import", file, "--db", tmp_path / "new.db")
    again = clika("cache", "export", "--db", tmp_path / "new.db").stdout
    assert replies_of(again) == replies_of(lines)
    assert len(replies_of(lines)) == 12
    assert count(tmp_path / "new.db") == 12


def test_a_broken_export_is_refused_whole_with_its_line(replies: Path, tmp_path: Path) -> None:
    lines = clika("cache", "export", "--db", replies).stdout.splitlines()
    file = tmp_path / "out.jsonl"
    file.write_text("\n".join([*lines[:3], '{"key": "zz"}', *lines[3:]]), encoding="utf-8")
    done = clika("cache", "import", file, "--db", tmp_path / "new.db", check=2)
    assert "out.jsonl:4" in done.stderr
    assert count(tmp_path / "new.db") == 0


def test_merging_brings_scores_along(replies: Path, tmp_path: Path) -> None:
    clika("cache", "merge", replies, "--db", tmp_path / "new.db")
    options = ("--bootstrap", 0, "--json", "--db")
    assert (
        json.loads(clika("score", *options, tmp_path / "new.db").stdout)["records"]
        == json.loads(clika("score", *options, replies).stdout)["records"]
    )


def test_a_database_is_not_merged_into_itself(replies: Path) -> None:
    done = clika("cache", "merge", replies, "--db", replies, check=2)
    assert "into itself" in done.stderr


def test_pruning_needs_a_yes_and_leaves_no_rows_without_a_reply(replies: Path) -> None:
    clika("cache", "prune", "--model", "openai/test", "--db", replies, check=3)
    assert count(replies) == 12
    clika("cache", "prune", "--model", "openai/test", "--yes", "--db", replies)
    assert count(replies) == 0
    assert "holds no answers yet" in clika("score", "--db", replies, check=2).stderr


def test_verify_finds_a_prompt_that_was_changed(replies: Path) -> None:
    assert "is sound" in clika("cache", "verify", "--db", replies).stdout
    connection = sqlite3.connect(replies)
    with connection:
        connection.execute("UPDATE prompts SET messages = '[]' WHERE rowid = (SELECT min(rowid) FROM prompts)")
    connection.close()
    assert "does not match" in clika("cache", "verify", "--db", replies, check=2).stderr


@pytest.mark.parametrize(
    "command", [("cache", "stats"), ("cache", "export"), ("score",), ("answers",), ("cache", "verify")]
)
def test_a_missing_database_is_named_and_not_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = clika(*command, "--db", tmp_path / "none.db", check=2)
    assert "none.db" in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_a_read_only_copy_can_be_scored(replies: Path, tmp_path: Path) -> None:
    copy = tmp_path / "ro" / "c.db"
    copy.parent.mkdir()
    copy.write_bytes(replies.read_bytes())
    copy.chmod(0o444)
    copy.parent.chmod(0o555)
    try:
        assert json.loads(clika("score", "--db", copy, "--bootstrap", 0, "--json").stdout)["records"]
    finally:
        copy.parent.chmod(0o755)


def test_local_models_are_found_and_described(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    gguf_factory.make(tmp_path / "models" / "tiny.gguf")
    (row,) = json.loads(clika("models", "list", "--models-dir", tmp_path / "models", "--json").stdout)["models"]
    assert row["name"] == "tiny.gguf"
    assert row["context_length"] > 0
    assert row["architecture"] == "llama"


def test_a_model_can_be_tried_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Loopback() as server:
        document = json.loads(clika("models", "check", "openai/x", "--base-url", server.url, "--json").stdout)
    assert document["ok"] is True
    assert document["model_served"] == "loopback-served"
    done = clika("models", "check", "openai/x", "--base-url", "http://127.0.0.1:9/v1", check=1)
    assert "127.0.0.1:9" in done.stderr


def test_doctor_names_keys_but_never_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    done = clika("doctor")
    assert "OPENAI_API_KEY" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert json.loads(clika("doctor", "--json").stdout)["keys_set"] == ["OPENAI_API_KEY"]


@pytest.mark.parametrize("arguments", [("nonsense",), ("run",), ("run", "atlas", "-m", "a/b", "--limit", "many")])
def test_wrong_usage_ends_with_two(arguments: tuple[str, ...]) -> None:
    assert "Error" in clika(*arguments, check=2).stderr


def test_debug_shows_what_a_user_is_spared(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "score", "--db", str(tmp_path / "none.db"), "--debug"],
        capture_output=True, text=True, env=os.environ, check=False,
    )  # fmt: skip
    assert "Traceback" in done.stderr
    assert done.returncode == 2


def test_an_experiment_is_scored_by_its_own_command_and_no_option_is_passed_over(tmp_path: Path) -> None:
    assert str(tmp_path) in clika("score", tmp_path, "--csv", tmp_path / "e.csv", check=2).stderr
    assert not (tmp_path / "e.csv").exists()


def test_the_options_of_a_run_stand_under_headings_each_once() -> None:
    text = clika("run", "--help", COLUMNS="200").stdout
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    named = ["Arguments", "Questions", "Asking", "Server", "Local model", "Cluster", "Money", "Output", "Checks"]
    assert headings == [f"{name}:" for name in [*named, "Options"]]
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE)
    assert len(options) == len(set(options)) > 40


@pytest.mark.parametrize("spelling", ["EN,De", "eng, deu", "English,German"])
def test_languages_are_written_in_any_spelling_where_answers_are_scored(spelling: str, replies: Path) -> None:
    rows = json.loads(clika("score", "--db", replies, "-l", spelling, "--bootstrap", 0, "--json").stdout)["records"]
    assert {row["language"] for row in rows} == {"en", "de"}
