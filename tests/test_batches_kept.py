"""Batches and money: what is sent is known before it is sent, found again, never sent twice, and blocks nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clika import clika, count, write_probes
from servers.loopback import Answer, Loopback, Seen
from servers.vendor import Vendor

from clika_client.asking import batch
from clika_client.asking.config import RunConfig
from clika_client.asking.plan import Items, Plan
from clika_client.asking.run import PreparedRun, evaluate
from clika_client.asking.settings import Asking
from clika_client.asking.workers import Event
from clika_client.common.errors import IncompleteRun, UserError
from clika_client.prompts.catalogue import get_style
from clika_client.sets.user import read_user_set
from clika_client.store import batches as kept
from clika_client.store.store import Store
from clika_providers import ProviderOptions


class Heard:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def started(self, plan: Plan) -> None: ...
    def event(self, plan: Plan, event: Event) -> None: ...
    def say(self, sentence: str) -> None:
        self.said.append(sentence)


class Desk:
    """A store, a vendor on loopback whose answers can be tampered with, and one model's run."""

    def __init__(self, folder: Path) -> None:
        self.vendor, self.tamper = Vendor(), lambda seen, answer: answer
        self.server = Loopback(lambda seen: self.tamper(seen, self.vendor(seen)))
        self.store = Store(folder / "c.db")
        self.options = ProviderOptions(backoff_s=0.01, timeout_s=5.0, patience_s=2.0, max_retries=2)
        self.set = read_user_set(write_probes(folder / "mine.jsonl", 4))
        self.tamper: Callable[[Seen, Answer], Answer] = self.tamper

    def config(self, **changes: Any) -> RunConfig:
        options = replace(self.options, base_url=self.server.url)
        made = RunConfig((self.set,), ("openai/gpt-4o-mini",), get_style("plain"), Asking(ask="text"), options=options)
        return replace(made, **changes)

    def submit(self, **changes: Any) -> list[batch.Submitted]:
        return batch.submit(PreparedRun(self.store, self.config(**changes)))

    def collect(self, **named: Any) -> list[batch.Collected]:
        return batch.collect(self.store, replace(self.options, base_url=self.server.url), **named)

    def state(self) -> list[str]:
        return [b.state for b in kept.all_batches(self.store)]

    def costs(self) -> list[float | None]:
        rows = self.store.database.connection.execute("SELECT cost FROM completions").fetchall()
        return [row[0] for row in rows]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(batch, "_LOOK_AGAIN_S", (0.01,))
    made = Desk(tmp_path)
    with made.server:
        yield made
    made.store.close()


def lost(seen: Seen, answer: Answer) -> Answer:
    """The vendor takes the batch, and the connection breaks before it can say so."""
    return Answer(raw=b"") if (seen.method, seen.path) == ("POST", "/v1/batches") else answer


def test_a_batch_whose_acceptance_was_not_heard_is_found_again_and_not_sent_twice(desk: Desk) -> None:
    desk.tamper = lost
    assert desk.submit()[0].requests == 8
    assert (desk.state(), len(desk.vendor.batches)) == (["running"], 1)
    (again,) = desk.submit()
    assert (again.requests, again.waiting, len(desk.vendor.batches)) == (0, 8, 1)
    (done,) = desk.collect()
    assert (done.answered, done.missing) == (8, 0)


def test_an_unconfirmed_batch_stays_on_the_books_until_the_vendor_can_be_asked(desk: Desk) -> None:
    def deaf(seen: Seen, answer: Answer) -> Answer:
        return Answer(503, {"error": {"message": "down"}}) if seen.path.startswith("/v1/batches") else answer

    desk.tamper = deaf
    with pytest.raises(IncompleteRun, match="not known whether the vendor took batch 1"):
        desk.submit()
    assert desk.state() == ["sending"]
    desk.tamper = lambda seen, answer: answer
    (done,) = desk.collect()
    assert done.answered == 8
    assert len(desk.vendor.batches) == 1


def test_what_the_vendor_never_took_is_sent_once_it_is_given_up(desk: Desk) -> None:
    def away(seen: Seen, answer: Answer) -> Answer:
        return Answer(raw=b"") if seen.path == "/v1/batches" else answer

    desk.tamper = away
    desk.vendor.__class__ = type("Forgetful", (Vendor,), {"__call__": lambda self, seen: _not_kept(self, seen)})
    with pytest.raises(IncompleteRun):
        desk.submit()
    desk.tamper = lambda seen, answer: answer
    (unknown,) = desk.collect()
    assert "does not know it yet" in str(unknown.error)
    assert desk.submit()[0].waiting == 8
    batch.forget(desk.store, 1)
    desk.vendor.__class__ = Vendor
    assert desk.submit()[0].requests == 8
    assert desk.state() == ["forgotten", "running"]


def _not_kept(vendor: Vendor, seen: Seen) -> Answer:
    answer = Vendor.__call__(vendor, seen)
    vendor.batches.clear()
    return answer


def test_a_refused_batch_is_off_the_books(desk: Desk) -> None:
    desk.tamper = lambda seen, answer: (
        Answer(400, {"error": {"message": "no"}}) if seen.path == "/v1/batches" else answer
    )
    with pytest.raises(Exception, match="no"):
        desk.submit()
    assert desk.state() == ["refused"]
    desk.tamper = lambda seen, answer: answer
    assert desk.submit()[0].requests == 8


def test_one_dead_batch_keeps_no_other_from_being_collected(desk: Desk) -> None:
    desk.submit(items=Items(limit=2))
    desk.submit()
    desk.tamper = lambda seen, answer: (
        Answer(404, {"error": {"message": "No such batch"}}) if "batch_0" in seen.path else answer
    )
    dead, good = desk.collect()
    assert "clika batch forget 1" in str(dead.error)
    assert (good.answered, desk.state()) == (4, ["running", "collected"])
    batch.forget(desk.store, 1)
    with pytest.raises(UserError, match="nothing to forget"):
        batch.forget(desk.store, 1)
    assert desk.submit()[0].requests == 4


def test_another_vendors_missing_key_keeps_no_batch_from_being_collected(desk: Desk) -> None:
    desk.submit()
    with desk.store.database.writing() as connection:
        connection.execute(
            "INSERT INTO batches (run_id, model_id, ticket, state, requests, created_at, updated_at) SELECT run_id,"
            " model_id, replace(ticket, 'openai/gpt-4o-mini', 'nobody/m'), state, requests, 0, 0 FROM batches"
        )
    good, unknown = desk.collect()
    assert (good.answered, unknown.error is not None) == (8, True)


def test_a_refreshed_batch_replaces_what_is_stored(desk: Desk) -> None:
    desk.submit()
    desk.collect()
    desk.store.database.connection.execute("UPDATE completions SET text = 'old'")
    desk.submit(refresh=True)
    assert desk.collect()[0].answered == 8
    assert count(desk.store.database.path) == 8
    assert desk.store.database.connection.execute("SELECT count(*) FROM completions WHERE text = 'old'").fetchone() == (
        0,
    )


def test_users_prices_are_those_of_the_bill(desk: Desk, tmp_path: Path) -> None:
    """50 tokens in, 1 out, at 1,000 and 2,000 dollars a million, half price: 0.026 dollars each."""
    table = tmp_path / "prices.toml"
    table.write_text(
        '[[price]]\nmodel = "openai/house-model"\ninput = 1000\noutput = 2000\nbatch = 0.5\nsource = "us"\n'
    )
    desk.submit(models=("openai/house-model",), prices=table)
    desk.collect()
    assert desk.costs() == pytest.approx([0.026] * 8)


def test_a_price_given_only_when_collecting_is_applied(desk: Desk, tmp_path: Path) -> None:
    table = tmp_path / "prices.toml"
    table.write_text(
        '[[price]]\nmodel = "openai/house-model"\ninput = 1000\noutput = 2000\nbatch = 0.5\nsource = "us"\n'
    )
    desk.submit(models=("openai/house-model",))
    desk.collect(prices=table)
    assert desk.costs() == pytest.approx([0.026] * 8)


def test_two_submissions_at_once_send_each_question_once(desk: Desk) -> None:
    """The second begins when the first has planned and not sent yet."""
    import asyncio

    first, second = PreparedRun(desk.store, desk.config()), PreparedRun(desk.store, desk.config())

    async def both() -> list[batch.Submitted]:
        done = [await batch._submit_plan(run, run.begin(), run.plans[0]) for run in (first, second)]
        await first.aclose()
        await second.aclose()
        return done

    one, two = asyncio.run(both())
    assert (one.requests, two.requests, two.waiting) == (8, 0, 8)


def test_a_plain_run_says_what_it_would_pay_twice(desk: Desk) -> None:
    desk.submit(items=Items(limit=3))
    heard = Heard()
    desk.vendor.__class__ = Vendor
    result = evaluate(desk.store, desk.config(), heard)
    assert "6 of these questions are in batches that are not collected yet" in heard.said[0]
    assert heard.said[0] in result.notes


def test_forgetting_is_a_command_that_names_what_there_is(tmp_path: Path) -> None:
    Store(tmp_path / "c.db").close()
    assert (
        "there is no batch 7; batches: none" in clika("batch", "forget", 7, "--db", tmp_path / "c.db", check=2).stderr
    )


def test_odd_results_are_failures_of_their_requests(desk: Desk) -> None:
    desk.submit()
    odd = [
        b"null",
        b"[]",
        b'{"custom_id": 5}',
        b"[" * 100_000,
        b'{"custom_id": "x", "response": {"status_code": "\xff"}}',
    ]

    def behave(seen: Seen, answer: Answer) -> Answer:
        if not seen.path.endswith("/content"):
            return answer
        lines = desk.vendor.files[seen.path.split("/")[3]].splitlines()
        lines[0] = lines[0].replace(b'"status_code": 200', b'"status_code": "two hundred"')
        lines[1] = lines[1].replace(b'"model": "loopback-served"', b'"model": "\\ud800"')
        return Answer(200, b"\n".join([*odd, *lines]), answer.headers)

    desk.tamper = behave
    (done,) = desk.collect()
    assert (done.answered, done.failed, done.missing) == (7, 1, 0)
