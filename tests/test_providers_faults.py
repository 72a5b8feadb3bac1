"""Faults of the network and of servers: each ends as a retried success or as a failure, never as an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers.asking import ask_many, ask_one, question, using
from servers.loopback import SAYS_B, Answer, Loopback, Seen, chat
from servers.programs import ask, free_port, wiremock_server

from clika_providers import (
    ItemError,
    ProviderError,
    ProviderOptions,
    RetryableError,
    RunError,
    UnreachableError,
    connect,
)

BROKEN = {
    "nothing at all": b"",
    "half a status line": b"HTTP/1.1 2",
    "random bytes": bytes(range(1, 200)),
    "less than announced": b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"choices": [{"message": {"content": "B"}}',
    "a broken chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{\"choi",
    "not gzip": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nabcde",
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_connection_that_breaks_once_is_tried_again(spec: str, fault: str) -> None:
    def behave(seen: Seen) -> Answer:
        return Answer(raw=BROKEN[fault]) if seen.number == 1 else Answer(200, SAYS_B)

    with Loopback(behave) as server:
        assert ask_one(spec, base_url=server.url).text == "B"
        assert len(server.seen) == 2


@pytest.mark.parametrize("fault", BROKEN)
def test_a_connection_that_always_breaks_is_a_failure(spec: str, fault: str) -> None:
    with Loopback(lambda seen: Answer(raw=BROKEN[fault])) as server, pytest.raises(ProviderError):
        ask_one(spec, base_url=server.url, max_retries=2)


@pytest.fixture(scope="module")
def wiremock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with wiremock_server(tmp_path_factory.mktemp("wiremock")) as root:
        yield root


WIREMOCK_FAULTS: dict[str, dict[str, Any]] = {
    "empty response": {"fault": "EMPTY_RESPONSE"},
    "malformed chunk": {"status": 200, "fault": "MALFORMED_RESPONSE_CHUNK"},
    "random data": {"fault": "RANDOM_DATA_THEN_CLOSE"},
    "reset": {"fault": "CONNECTION_RESET_BY_PEER"},
    "web page": {"status": 200, "body": "<html>maintenance</html>", "headers": {"content-type": "text/html"}},
    "truncated body": {"status": 200, "body": '{"choices": [{"message": {"content": "B"'},
    "empty choices": {"status": 200, "jsonBody": {"choices": []}},
    "error in a success": {"status": 200, "jsonBody": {"error": {"message": "overloaded", "code": 503}}},
    "stall": {"status": 200, "jsonBody": chat("B"), "fixedDelayMilliseconds": 3000},
    "dribble": {
        "status": 200,
        "jsonBody": chat("B"),
        "chunkedDribbleDelay": {"numberOfChunks": 5, "totalDuration": 3000},
    },
    "overload": {"status": 529, "jsonBody": {"error": {"type": "overloaded_error"}}},
    "bad gateway": {"status": 502, "body": "<html>Bad gateway</html>"},
}


def _script(root: str, path: str, first: dict[str, Any], then: dict[str, Any] | None) -> None:
    """The first answer is a fault, later ones are `then`, or the fault for ever."""
    ask(f"{root}/__admin/mappings", method="DELETE")
    ask(f"{root}/__admin/scenarios/reset", {}, "POST")
    request = {"method": "POST", "urlPath": path}
    mapping: dict[str, Any] = {"request": request, "response": first}
    if then is not None:
        mapping |= {"scenarioName": "s", "requiredScenarioState": "Started", "newScenarioState": "next"}
        later = {"request": request, "response": then, "scenarioName": "s", "requiredScenarioState": "next"}
        ask(f"{root}/__admin/mappings", later)
    ask(f"{root}/__admin/mappings", mapping)


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("fault", WIREMOCK_FAULTS)
def test_every_fault_of_wiremock_ends_as_a_retried_success(wiremock: str, fault: str) -> None:
    _script(wiremock, "/v1/chat/completions", WIREMOCK_FAULTS[fault], {"status": 200, "jsonBody": chat("C")})
    assert ask_one("openai/m", base_url=f"{wiremock}/v1", timeout_s=1.0).text == "C"


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("fault", WIREMOCK_FAULTS)
def test_every_lasting_fault_of_wiremock_is_a_failure_and_no_answer(wiremock: str, fault: str) -> None:
    _script(wiremock, "/v1/chat/completions", WIREMOCK_FAULTS[fault], None)
    with pytest.raises(ProviderError):
        ask_one("openai/m", base_url=f"{wiremock}/v1", timeout_s=0.5, max_retries=1)


@pytest.mark.parametrize("fault", ["reset", "random data", "truncated body", "overload", "stall"])
def test_wiremock_faults_are_survived_by_the_native_adapter_too(wiremock: str, fault: str) -> None:
    message = {"type": "message", "content": [{"type": "text", "text": "C"}], "stop_reason": "end_turn"}
    _script(wiremock, "/v1/messages", WIREMOCK_FAULTS[fault], {"status": 200, "jsonBody": message})
    assert ask_one("anthropic/claude-haiku-4-5", base_url=wiremock, timeout_s=1.0).text == "C"


@pytest.mark.usefixtures("carrier")
def test_a_reply_that_never_comes_ends_at_the_total_time_limit() -> None:
    with Loopback(lambda seen: Answer(hang=True)) as server, pytest.raises(RetryableError, match=r"0\.3 s|in time"):
        ask_one("openai/m", base_url=server.url, timeout_s=0.3, max_retries=1)
    # A try may end before its request has left: importing what sends it takes time too.
    assert len(server.seen) <= 2


@pytest.mark.usefixtures("carrier")
def test_nothing_listening_is_told_at_once_with_the_address() -> None:
    port = free_port()
    with pytest.raises(UnreachableError, match=rf"127\.0\.0\.1:{port}/v1.*is the server running"):
        # Were the patience waited for, this test would take a day.
        ask_one("openai/m", base_url=f"http://127.0.0.1:{port}/v1", patience_s=86_400.0)


STATUSES = [
    (400, {"error": {"message": "Invalid value"}}, ItemError),
    (413, {"error": {"message": "Request too large"}}, ItemError),
    (422, {"detail": [{"msg": "value is not valid"}]}, ItemError),
    (
        400,
        {"error": {"message": "This model's maximum context length is 8192", "code": "context_length_exceeded"}},
        ItemError,
    ),
    (400, {"error": {"message": "The response was filtered", "code": "content_filter"}}, ItemError),
    (401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, RunError),
    (400, [{"error": {"message": "API key not valid.", "status": "INVALID_ARGUMENT"}}], RunError),
    (402, {"error": {"message": "Insufficient Balance"}}, RunError),
    (403, {"error": {"message": "Country not supported"}}, RunError),
    (404, {"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}, RunError),
    (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, RunError),
    (
        400,
        {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}},
        RunError,
    ),
]


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize(("status", "body", "kind"), STATUSES)
def test_what_another_try_cannot_mend_is_asked_once(status: int, body: Any, kind: type[ProviderError]) -> None:
    with Loopback(lambda seen: Answer(status, body)) as server, pytest.raises(kind) as caught:
        ask_one("openai/m", base_url=server.url)
    assert type(caught.value) is kind
    assert len(server.seen) == 1


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 504, 520, 524, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    def behave(seen: Seen) -> Answer:
        return Answer(status, {"error": {"message": "later"}}) if seen.number < 3 else Answer(200, chat("B"))

    with Loopback(behave) as server:
        assert ask_one("openai/m", base_url=server.url).text == "B"
        assert len(server.seen) == 3


@pytest.mark.usefixtures("carrier")
def test_a_rejected_key_names_the_variable_and_costs_one_request_however_many_ask() -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 200, 32)

    body = {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}
    with Loopback(lambda seen: Answer(401, body)) as server:
        outcome = using("openai/m", work, base_url=server.url)
        assert len(server.seen) == 1
    assert not outcome.answers
    assert all("OPENAI_API_KEY" in str(error) for error in outcome.errors.values())


@pytest.mark.usefixtures("carrier")
def test_an_exhausted_quota_in_the_middle_stops_everything_at_once() -> None:
    def behave(seen: Seen) -> Answer:
        if seen.number <= 50:
            return Answer(200, chat("B"), delay_s=0.005)
        return Answer(429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})

    async def work(provider: Any) -> Any:
        return await ask_many(provider, 500, 8)

    with Loopback(behave) as server:
        outcome = using("openai/m", work, base_url=server.url)
        assert len(server.seen) <= 50 + 8
    assert len(outcome.answers) == 50
    assert all(isinstance(error, RunError) for error in outcome.errors.values())


@pytest.mark.usefixtures("carrier")
def test_a_server_that_dies_is_given_up_with_what_arrived_kept_and_says_how_to_go_on() -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 600, 16)

    with Loopback(die_after=200) as server:
        outcome = using("openai/m", work, base_url=server.url, patience_s=1.5, backoff_s=0.3)
    assert len(outcome.answers) == 200
    assert outcome.errors
    assert all("run the same command again" in str(error) for error in outcome.errors.values())


@pytest.mark.usefixtures("carrier")
def test_a_server_that_comes_back_loses_nothing() -> None:
    down = {"until": 0.0}

    def behave(seen: Seen) -> Answer:
        if seen.number == 40:
            down["until"] = time.monotonic() + 0.5
        if time.monotonic() < down["until"]:
            return Answer(503, {"error": {"message": "restarting"}})
        return Answer(200, chat("B"))

    async def work(provider: Any) -> Any:
        return await ask_many(provider, 120, 16)

    with Loopback(behave) as server:
        outcome = using("openai/m", work, base_url=server.url, patience_s=10.0, backoff_s=0.1)
    assert len(outcome.answers) == 120


@pytest.mark.usefixtures("carrier")
def test_a_longer_wait_than_allowed_ends_the_run_and_says_when_to_come_back() -> None:
    late = Answer(429, {"error": {"message": "daily limit"}}, {"retry-after": "3600"})
    with Loopback(lambda seen: late) as server, pytest.raises(RunError, match=r"asks to wait 3600 s.*again later"):
        ask_one("openai/m", base_url=server.url)
    assert len(server.seen) == 1


@pytest.mark.usefixtures("carrier")
def test_a_provider_works_in_one_event_loop_after_another() -> None:
    with Loopback() as server:
        for _ in range(2):
            assert ask_one("openai/m", base_url=server.url).text == "B"


@pytest.mark.usefixtures("carrier")
def test_cancelling_a_run_leaves_no_slot_taken() -> None:
    async def run(url: str) -> str:
        provider = connect("openai/m", ProviderOptions(base_url=url, concurrency=2))
        await provider.complete(question("first"))
        hanging = [asyncio.create_task(provider.complete(question(f"hang {i}"))) for i in range(5)]
        await asyncio.sleep(0.2)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        text = (await asyncio.wait_for(provider.complete(question("last")), 60)).text
        await provider.aclose()
        return text

    with Loopback(lambda seen: Answer(hang=b"hang" in seen.body)) as server:
        assert asyncio.run(run(server.url)) == "B"


def test_one_slow_start_is_not_taken_for_a_dead_server() -> None:
    def behave(seen: Seen) -> Answer:
        return Answer(hang=seen.number == 1)

    with Loopback(behave) as server:
        assert ask_one("ollama/m", base_url=server.url, timeout_s=0.8, patience_s=0.5).text == "B"
