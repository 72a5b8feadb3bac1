"""Every fault of a server is a failure of one request: what else arrived is kept, and no run is stopped by it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from clika import write_probes
from servers.faults import faults
from servers.loopback import Answer, Loopback, Seen, chat

from clika_client import api
from clika_client.asking.settings import Asking
from clika_providers import ProviderOptions

QUICK = ProviderOptions(backoff_s=0.001, timeout_s=10.0, max_retries=1, concurrency=8, patience_s=120.0)
"""Patient: most of these servers only fail at first, and a busy machine is slow to get past it."""


def number_of(seen: Seen) -> int:
    return int(seen.json()["messages"][-1]["content"].split("question number ")[1].split("?")[0])


def ask(tmp_path: Path, items: int, url: str, options: ProviderOptions = QUICK) -> api.RunReport:
    probes = write_probes(tmp_path / "mine.jsonl", items, languages=("en",))
    return api.run(
        [str(probes)], ["openai/m"], db=tmp_path / "c.db", asking=Asking(ask="text"),
        provider=replace(options, base_url=url),
        scoring=api.Options(bootstrap=0),
    )  # fmt: skip


def stored(tmp_path: Path) -> set[int]:
    """Numbers of the questions that have a reply on disk."""
    with sqlite3.connect(tmp_path / "c.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT messages FROM completions JOIN prompts ON hash = prompt").fetchall()
    return {int(json.loads(m)[-1][1].split("question number ")[1].split("?")[0]) for (m,) in rows}


def test_lasting_faults_of_every_kind_lose_no_other_answer(tmp_path: Path) -> None:
    table = list(faults().items())

    def behave(seen: Seen) -> Answer:
        number = number_of(seen)
        return table[number // 3][1] if number % 3 == 1 else Answer(200, chat("B"))

    with Loopback(behave) as server:
        report = ask(tmp_path, 3 * len(table), server.url)
    (outcome,) = report.result.outcomes
    good = {n for n in range(3 * len(table)) if n % 3 != 1}
    assert outcome.stop is None, outcome.stop
    assert good - stored(tmp_path) == set()
    assert outcome.answered + outcome.lost == 3 * len(table)
    assert len(table) > 400


def test_faults_that_pass_cost_no_answer_where_a_request_may_be_repeated(tmp_path: Path) -> None:
    """What a server says is wrong with a request itself (4xx) is not repeated; everything else is answered."""
    table = list(faults().items())
    final = {
        n for n, (name, fault) in enumerate(table) if 300 <= fault.status < 500 and fault.status not in (408, 409, 425)
    }
    asked: Counter[int] = Counter()

    def behave(seen: Seen) -> Answer:
        number = number_of(seen)
        asked[number] += 1
        return table[number][1] if asked[number] == 1 else Answer(200, chat("B"))

    with Loopback(behave) as server:
        # One attempt is for the fault; two more, because a busy machine can be late as well.
        report = ask(tmp_path, len(table), server.url, replace(QUICK, max_retries=3))
    assert report.result.outcomes[0].stop is None
    lost = set(range(len(table))) - stored(tmp_path) - final
    # A reply that reads as filtered, or as an answer of no words, is a reply.
    assert {table[n][0] for n in lost} <= set(), {table[n][0] for n in lost}


ENDING = {
    "no key": (401, {"error": {"message": "Incorrect API key provided"}}),
    "no credit": (402, {"error": {"message": "Insufficient Balance"}}),
    "no access": (403, {"error": {"message": "Country not supported"}}),
    "no model": (404, {"error": {"message": "The model `m` does not exist"}}),
    "litellm's unknown model": (400, {"error": {"message": "/chat/completions: Invalid model name passed in model=m"}}),
    "quota": (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
}


@pytest.mark.parametrize("name", ENDING)
def test_what_ends_a_run_keeps_what_arrived_and_the_rest_is_asked_later(tmp_path: Path, name: str) -> None:
    status, body = ENDING[name]

    def behave(seen: Seen) -> Answer:
        return Answer(200, chat("B")) if seen.number <= 30 else Answer(status, body)

    with Loopback(behave) as server:
        report = ask(tmp_path, 60, server.url)
        assert report.result.outcomes[0].stop is not None
        assert len(server.seen) <= 30 + 8
    assert len(stored(tmp_path)) == 30


def test_a_server_that_only_refuses_is_not_asked_to_the_end(tmp_path: Path) -> None:
    with Loopback(lambda seen: Answer(400, {"error": {"message": "Invalid value"}})) as server:
        report = ask(tmp_path, 300, server.url)
        assert len(server.seen) <= 20 + 8
    assert report.result.fatal is not None
    assert "refused each of the first" in str(report.result.fatal)
