"""Batches: split by the vendor's limits, joined by custom id, whole or not; against own and others' servers."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from servers.asking import QUICK, question
from servers.loopback import Answer, Loopback, Seen
from servers.programs import aimock_server, llmock_server
from servers.vendor import Vendor

from clika_providers import Completion, ItemError, ProviderError, ProviderOptions, Request, RetryableError, RunError
from clika_providers.batches import BatchTicket, batch_door, ticket
from clika_providers.batches.anthropic import AnthropicBatches
from clika_providers.batches.openai import OpenAIBatches

REQUESTS = {f"{n:032x}": question(f"question {n}") for n in range(7)}


def options(**changes: Any) -> ProviderOptions:
    return ProviderOptions(**{**QUICK, **changes})


async def _submitted(door: Any, requests: dict[str, Request]) -> list[BatchTicket]:
    return [await door.send(chunk, f"batch {n}") for n, chunk in enumerate(door.chunks(requests.items()))]


async def _collected(door: Any, ticket: BatchTicket, requests: dict[str, Request]) -> dict[str, Any]:
    return {key: found async for key, found in door.collect(ticket, requests.get)}


def run(work: Callable[[Any], Any], door: Callable[[], Any]) -> Any:
    async def whole() -> Any:
        made = door()
        try:
            return await work(made)
        finally:
            await made.aclose()

    return asyncio.run(whole())


def test_results_in_any_order_are_joined_by_their_id() -> None:
    async def work(door: Any) -> Any:
        (ticket,) = await _submitted(door, REQUESTS)
        return ticket, await door.status(ticket), await _collected(door, ticket, REQUESTS)

    with Loopback(Vendor()) as server:
        ticket, status, found = run(work, lambda: batch_door("openai/gpt-4o-mini", options(base_url=server.url)))
    assert (status.state, status.done, status.is_over, ticket.requests) == ("done", 7, True, 7)
    assert {key: got.text for key, got in found.items()} == {k: f"B question {n}" for n, k in enumerate(REQUESTS)}


def test_a_ticket_is_found_again_by_another_process() -> None:
    vendor = Vendor()
    with Loopback(vendor) as server:

        def door() -> Any:
            return batch_door("openai/gpt-4o-mini", options(base_url=server.url))

        (ticket,) = run(lambda d: _submitted(d, REQUESTS), door)
        again = BatchTicket.from_json(json.loads(json.dumps(ticket.to_json())))
        found = run(lambda d: _collected(d, again, REQUESTS), door)
    assert found.keys() == REQUESTS.keys()


@pytest.mark.parametrize(
    ("most_lines", "most_bytes", "files"), [(3, 10**6, [3, 3, 1]), (100, 500, [2, 2, 2, 1]), (7, 10**6, [7])]
)
def test_files_stay_within_lines_and_bytes(most_lines: int, most_bytes: int, files: list[int]) -> None:
    vendor = Vendor()
    with Loopback(vendor) as server:
        tickets = run(
            lambda door: _submitted(door, REQUESTS),
            lambda: OpenAIBatches(
                "openai", "m", options(base_url=server.url), most_lines=most_lines, most_bytes=most_bytes
            ),
        )
    assert [t.requests for t in tickets] == files
    assert all(len(data) <= most_bytes for data in vendor.files.values())
    ids = [json.loads(line)["custom_id"] for data in vendor.files.values() for line in data.splitlines()]
    assert ids == list(REQUESTS)


def test_a_batch_is_found_again_by_the_name_it_was_sent_under() -> None:
    async def work(door: Any) -> Any:
        for name in ("one", "two"):
            await door.send(list(REQUESTS.items()), name)
        return await door.find("one", list(REQUESTS), 0.0, ()), await door.find("three", list(REQUESTS), 0.0, ())

    with Loopback(Vendor()) as server:
        found, missing = run(work, lambda: batch_door("openai/m", options(base_url=server.url)))
    assert (found.batch_id, found.name, found.requests) == ("batch_0", "one", 7)
    assert missing is None


def test_errors_expiry_and_gaps_are_told_apart() -> None:
    vendor = Vendor()
    vendor.fate = lambda number: {1: "bad", 2: "expired", 3: "lost"}.get(number, "good")
    vendor.state = "expired"

    async def work(door: Any) -> Any:
        (ticket,) = await _submitted(door, REQUESTS)
        status = await door.status(ticket)
        return status, await _collected(door, ticket, REQUESTS)

    with Loopback(vendor) as server:
        status, found = run(work, lambda: batch_door("openai/m", options(base_url=server.url)))
    keys = list(REQUESTS)
    assert status.state == "expired"
    assert type(found[keys[1]]) is ItemError
    assert type(found[keys[2]]) is RetryableError
    assert keys[3] not in found
    assert sum(isinstance(got, Completion) for got in found.values()) == 4


def test_results_nobody_asked_for_are_passed_over() -> None:
    with Loopback(Vendor()) as server:

        async def work(door: Any) -> Any:
            (ticket,) = await _submitted(door, REQUESTS)
            return await _collected(door, ticket, dict(list(REQUESTS.items())[:2]))

        assert len(run(work, lambda: batch_door("openai/m", options(base_url=server.url)))) == 2


def test_a_cancelled_batch_says_so() -> None:
    async def work(door: Any) -> Any:
        (ticket,) = await _submitted(door, REQUESTS)
        await door.cancel(ticket)
        return await door.status(ticket)

    with Loopback(Vendor()) as server:
        status = run(work, lambda: batch_door("openai/m", options(base_url=server.url)))
    assert (status.state, status.is_over) == ("cancelled", True)


def test_a_file_the_vendor_rejects_is_told_with_its_line() -> None:
    rejected = {"id": "b", "status": "failed", "errors": {"data": [{"line": 3, "message": "Invalid JSON"}]}}
    with Loopback(lambda seen: Answer(200, rejected)) as server:
        ticket = BatchTicket("openai/m", "b", 1, "openai")
        status = run(lambda door: door.status(ticket), lambda: batch_door("openai/m", options(base_url=server.url)))
    assert (status.state, status.message) == ("failed", "line 3: Invalid JSON")


def test_a_batch_is_not_made_twice_when_the_answer_gets_lost() -> None:
    vendor = Vendor()

    def behave(seen: Seen) -> Answer:
        answer = vendor(seen)
        return Answer(raw=b"") if seen.path == "/v1/batches" else answer

    with Loopback(behave) as server, pytest.raises(RetryableError):
        run(lambda door: _submitted(door, REQUESTS), lambda: batch_door("openai/m", options(base_url=server.url)))
    assert len(vendor.batches) == 1


def test_a_lost_upload_is_sent_again() -> None:
    vendor = Vendor()

    def behave(seen: Seen) -> Answer:
        return Answer(500, {"error": {"message": "oops"}}) if seen.number == 1 else vendor(seen)

    with Loopback(behave) as server:
        tickets = run(
            lambda door: _submitted(door, REQUESTS), lambda: batch_door("openai/m", options(base_url=server.url))
        )
    assert tickets[0].requests == 7
    assert len(vendor.files["file-0"].splitlines()) == 7


def test_claudes_results_are_read_by_their_kind() -> None:
    def message(text: str) -> dict[str, Any]:
        return {"type": "message", "model": "claude-x", "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn", "usage": {"input_tokens": 5, "output_tokens": 1}}  # fmt: skip

    keys = list(REQUESTS)
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    invalid = {"type": "error", "error": {"type": "invalid_request_error", "message": "bad"}}
    lines = [
        {"custom_id": keys[1], "result": {"type": "succeeded", "message": message("B\u2028 one")}},
        {"custom_id": keys[0], "result": {"type": "succeeded", "message": message("A")}},
        {"custom_id": keys[2], "result": {"type": "errored", "error": overloaded}},
        {"custom_id": keys[3], "result": {"type": "errored", "error": invalid}},
        {"custom_id": keys[4], "result": {"type": "expired"}},
        {"custom_id": keys[5], "result": {"type": "canceled"}},
    ]
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + '\n{"custom_id": "half'

    def behave(seen: Seen) -> Answer:
        if seen.path.endswith("/results"):
            return Answer(200, text.encode(), {"content-type": "application/x-jsonl"})
        counts = {"processing": 0, "succeeded": 2, "errored": 2, "expired": 1, "canceled": 0}
        # An address that a reply names is not followed: the key would go there.
        return Answer(200, {"id": "msgbatch_1", "processing_status": "ended", "request_counts": counts,
                            "results_url": "http://127.0.0.1:1/elsewhere"})  # fmt: skip

    async def work(door: Any) -> Any:
        (ticket,) = await _submitted(door, REQUESTS)
        return await door.status(ticket), await _collected(door, ticket, REQUESTS)

    with Loopback(behave) as server:
        status, found = run(work, lambda: batch_door("anthropic/claude-haiku-4-5", options(base_url=server.url)))
        sent = server.seen[0].json()["requests"]
    assert (status.state, status.done, status.failed) == ("expired", 2, 3)
    assert [row["custom_id"] for row in sent] == keys
    assert sent[0]["params"]["max_tokens"] == 64
    assert (found[keys[0]].text, found[keys[1]].text) == ("A", "B\u2028 one")
    assert [type(found[k]) for k in keys[2:6]] == [RetryableError, ItemError, RetryableError, RetryableError]
    assert keys[6] not in found


def test_claudes_requests_are_split_by_number() -> None:
    made: list[int] = []

    def behave(seen: Seen) -> Answer:
        made.append(len(seen.json()["requests"]))
        return Answer(200, {"id": f"msgbatch_{len(made)}", "processing_status": "in_progress"})

    with Loopback(behave) as server:
        run(
            lambda door: _submitted(door, REQUESTS),
            lambda: AnthropicBatches("anthropic", "claude-haiku-4-5", options(base_url=server.url), most_lines=5),
        )
    assert made == [5, 2]


@pytest.mark.parametrize("limit", ["MOST_LINE", "MOST_RESULTS"])
def test_results_without_end_are_cut_off(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket, limit, 10_000)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 999 if limit == "MOST_LINE" else b"{}\n" * 300

    async def read() -> None:
        async for _ in ticket.split_lines(endless()):
            pass

    with pytest.raises(RetryableError, match="longer than 10,000 bytes"):
        asyncio.run(read())


@pytest.mark.parametrize(
    "door",
    [lambda o: OpenAIBatches("openai", "m", o), lambda o: AnthropicBatches("anthropic", "claude-haiku-4-5", o)],
    ids=["openai", "anthropic"],
)
def test_a_failure_that_unpacks_without_end_fills_no_memory(door: Callable[[ProviderOptions], Any]) -> None:
    unpacked = 100_000_000
    bomb = gzip.compress(b'{"error": {"message": "' + b"x" * unpacked, 1)

    def behave(seen: Seen) -> Answer:
        if seen.path.endswith(("/content", "/results")):
            return Answer(400, bomb, {"content-encoding": "gzip"})
        return Answer(200, {"id": "b", "status": "completed", "output_file_id": "f", "processing_status": "ended"})

    async def collect(one: Any) -> None:
        async for _ in one.collect(BatchTicket("vendor/m", "b", 1, "", "n"), REQUESTS.get):
            pass

    with Loopback(behave) as server:
        tracemalloc.start()
        try:
            with pytest.raises(ProviderError):
                run(collect, lambda: door(options(base_url=server.url)))
            assert tracemalloc.get_traced_memory()[1] < unpacked / 3
        finally:
            tracemalloc.stop()


def test_vendors_without_batches_are_named() -> None:
    with pytest.raises(RunError, match="not for groq"):
        batch_door("groq/llama-3.1-8b-instant")


async def _wait(door: Any, ticket: BatchTicket, seconds: float) -> Any:
    until = time.monotonic() + seconds
    while not (status := await door.status(ticket)).is_over and time.monotonic() < until:
        await asyncio.sleep(0.3)
    return status


async def _whole(door: Any) -> tuple[Any, dict[str, Completion | ProviderError]]:
    (ticket,) = await _submitted(door, REQUESTS)
    status = await _wait(door, ticket, 15)
    return status, await _collected(door, ticket, REQUESTS)


@pytest.mark.parametrize(
    ("spec", "path"), [("openai/gpt-4o-mini", "/v1"), ("anthropic/claude-haiku-4-5", "/anthropic")]
)
def test_a_batch_goes_all_the_way_through_llmock(spec: str, path: str) -> None:
    with llmock_server() as root:
        status, found = run(_whole, lambda: batch_door(spec, options(base_url=root + path)))
    assert status.state == "done"
    assert found.keys() == REQUESTS.keys()
    assert all(isinstance(got, Completion) and got.text for got in found.values())


def test_a_batch_goes_through_aimocks_steps(tmp_path: Path) -> None:
    fixtures = [{"match": {"userMessage": "question"}, "response": {"content": "B"}}]
    with aimock_server(fixtures, tmp_path) as root:
        status, found = run(_whole, lambda: batch_door("openai/gpt-4o-mini", options(base_url=f"{root}/v1")))
    assert status.state == "done"
    assert found.keys() == REQUESTS.keys()
