"""`clika batch` as a person uses it: how batches stand, waiting for them, what was lost, and giving one up."""

from __future__ import annotations

from pathlib import Path

import pytest
from clika import KEY, clika, count, write_probes
from servers.loopback import Loopback
from servers.vendor import Vendor

from clika_client.cli import batch_cmd
from clika_providers.traffic import retry


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_a_running_batch_is_waited_for_and_what_it_lost_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor, db = Vendor(), tmp_path / "c.db"
    vendor.state, vendor.fate = "in_progress", lambda number: "bad" if number == 2 else "good"
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        vendor.state = "completed"

    monkeypatch.setattr(batch_cmd.time, "sleep", sleep)
    with Loopback(vendor) as server:
        address = ("--base-url", server.url, "--db", db)
        clika("run", write_probes(tmp_path / "mine.jsonl", 4), "-m", "openai/gpt-4o-mini", "--batch", *address)
        shown = clika("batch", "status", *address).stdout
        assert "openai/gpt-4o-mini" in shown
        assert "of 8 done" in shown
        assert "answers stored" not in shown
        done = clika("batch", "collect", "--wait", "--poll", 7, *address, check=1)
        assert slept == [7]
        assert "1 batches are still running; asking again in 7 s" in done.stderr
        assert "7 answers stored" in done.stdout
        assert "1 requests got no answer" in done.stderr
        assert count(db) == 7
        assert "no batch is waiting" in clika("batch", "status", *address).stdout


def test_a_batch_is_cancelled_or_forgotten_by_its_number(tmp_path: Path) -> None:
    vendor, db = Vendor(), tmp_path / "c.db"
    vendor.state = "in_progress"
    with Loopback(vendor) as server:
        address = ("--base-url", server.url, "--db", db)
        run = ("run", write_probes(tmp_path / "mine.jsonl", 4), "-m", "openai/gpt-4o-mini", "--batch", *address)
        clika(*run)
        assert "batch 1: cancelling" in clika("batch", "cancel", 1, *address).stderr
        assert "8 requests may be sent again" in clika("batch", "forget", 1, "--db", db).stderr
        clika(*run)
        assert len(vendor.batches) == 2


def test_a_vendor_that_cannot_be_asked_is_named_with_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "pause", lambda error, attempts, options: 0.001 * attempts)
    db = tmp_path / "c.db"
    with Loopback(Vendor()) as server:
        run = ("run", write_probes(tmp_path / "mine.jsonl", 4), "-m", "openai/gpt-4o-mini", "--batch")
        clika(*run, "--base-url", server.url, "--db", db)
    done = clika("batch", "status", "--base-url", "http://127.0.0.1:9", "--db", db, check=1)
    assert "batch 1: " in done.stderr
    assert "unknown" in done.stdout


def test_without_a_database_there_is_no_batch(tmp_path: Path) -> None:
    done = clika("batch", "status", "--db", tmp_path / "none.db", check=2)
    assert "there is no database at" in " ".join(done.stderr.split())
    assert not (tmp_path / "none.db").exists()
