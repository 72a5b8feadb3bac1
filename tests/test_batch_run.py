"""`--batch` from submission to scores, with processes that end in between, against servers written by others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clika import KEY, clika, count, write_probes
from servers.programs import llmock_server


@pytest.mark.parametrize(
    ("model", "path"), [("openai/gpt-6-luna", "/v1"), ("anthropic/claude-haiku-5-5", "/anthropic")]
)
def test_a_batch_outlives_the_process_that_sent_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, path: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    probes = write_probes(tmp_path / "mine.jsonl", 4)
    db = tmp_path / "c.db"
    with llmock_server() as url:
        address = ("--base-url", url + path)
        run = ("run", probes, "-m", model, *address, "--db", db)
        sent = json.loads(clika(*run, "--batch", "--json").stdout)["submitted"][0]
        assert (sent["requests"], sent["batches"], sent["waiting"]) == (8, 1, 0)
        again = json.loads(clika(*run, "--batch", "--json").stdout)["submitted"][0]
        assert (again["requests"], again["waiting"]) == (0, 8)
        state = json.loads(clika("batch", "status", *address, "--db", db, "--json").stdout)["batches"][0]
        assert state["requests"] == 8
        done = clika("batch", "collect", "--wait", "--poll", 0.5, *address, "--db", db, "--json")
        (batch,) = json.loads(done.stdout)["batches"]
        assert (batch["answered"], batch["failed"], batch["missing"]) == (8, 0, 0)
        assert count(db) == 8
        assert json.loads(clika("batch", "status", *address, "--db", db, "--json").stdout)["batches"] == []
        after = clika(*run, "--bootstrap", 0, "--json")
    assert "nothing to send" in after.stderr
    assert all(r["coverage"] == 1 for r in json.loads(after.stdout)["records"])
    assert KEY.encode() not in db.read_bytes()


def test_open_questions_go_in_a_batch_and_are_read_as_open_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    db = tmp_path / "c.db"
    with llmock_server() as url:
        address = ("--base-url", url + "/v1")
        run = ("run", "atlas", "-l", "en,de", "--limit", 2, "--ask", "open", "-m", "openai/gpt-6-luna", *address)
        sent = json.loads(clika(*run, "--db", db, "--batch", "--json").stdout)["submitted"][0]
        assert (sent["requests"], sent["batches"]) == (4, 1)
        clika("batch", "collect", "--wait", "--poll", 0.5, *address, "--db", db)
        after = clika(*run, "--db", db, "--bootstrap", 0, "--json")
    assert "nothing to send" in after.stderr
    found = json.loads(after.stdout)["records"]
    assert {(r["set"], r["ask"], r["n"]) for r in found} == {("atlas-open", "open", 2)}
    assert all(sum(r["verdicts"].values()) == 2 for r in found)


def test_models_without_batches_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    done = clika("run", probes, "-m", "ollama/x", "--batch", "--db", tmp_path / "c.db", check=2)
    assert "without --batch" in done.stderr


def test_a_ceiling_is_checked_before_a_batch_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    probes = write_probes(tmp_path / "mine.jsonl")
    arguments = ("-m", "anthropic/claude-haiku-5-5", "--base-url", "http://127.0.0.1:9", "--batch", "--max-cost", 1e-9)
    done = clika("run", probes, *arguments, "--db", tmp_path / "c.db", check=2)
    assert "--max-cost" in done.stderr
