"""The two ways to an OpenAI-shaped server, directly and by the SDK: they send the same and keep the same bounds."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clika import write_probes
from servers.asking import ask_one, question, using
from servers.loopback import Answer, Loopback, chat

from clika_providers import ProviderOptions, RetryableError, connect
from clika_providers.hosted import bounded, openai_chat
from clika_providers.hosted.by_aiohttp import reaches

SENT = ("authorization", "accept", "accept-encoding", "content-type", "openai-organization", "openai-project", "x-team")
"""Headers by which a server tells who asks, and what it may answer."""


def test_both_send_the_same_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-test")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: evaluation\nX-Other: no")
    with Loopback() as server:
        for way in (reaches, lambda address: False):
            monkeypatch.setattr(openai_chat, "reaches", way)
            ask_one("openai/m", question("Größe? 大"), base_url=server.url)
    direct, by_sdk = server.seen
    assert (direct.method, direct.path, direct.body) == (by_sdk.method, by_sdk.path, by_sdk.body)
    assert {n: direct.headers.get(n) for n in SENT} == {n: by_sdk.headers.get(n) for n in SENT}
    assert direct.headers["authorization"] == "Bearer sk-of-this-test"
    assert direct.headers["x-team"] == "evaluation"


@pytest.mark.usefixtures("carrier")
def test_a_user_and_password_in_the_address_are_sent_as_such() -> None:
    with Loopback() as server:
        ask_one("openai/m", base_url=server.url.replace("//", "//ann:p%40ss@"))
    assert server.seen[0].headers["authorization"] == "Basic YW5uOnBAc3M="  # ann:p@ss


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("packed", [False, True])
def test_a_reply_beyond_the_limit_is_a_failure(packed: bool) -> None:
    body = json.dumps(chat("B" * (bounded.MOST_REPLY + 1))).encode()
    answer = Answer(200, gzip.compress(body, 1), {"content-encoding": "gzip"}) if packed else Answer(200, body)
    with Loopback(lambda seen: answer) as server, pytest.raises(RetryableError, match="longer than"):
        ask_one("openai/m", base_url=server.url, max_retries=0, timeout_s=30.0)


@pytest.mark.usefixtures("carrier")
def test_of_an_error_only_the_beginning_is_read_and_the_next_call_works() -> None:
    long = json.dumps({"error": {"message": "busy " + "x" * 4 * bounded.MOST_ERROR}}).encode()
    with Loopback(lambda seen: Answer(503, long) if seen.number == 1 else Answer()) as server:
        assert ask_one("openai/m", base_url=server.url).text == "B"


@pytest.mark.usefixtures("carrier")
def test_a_packed_reply_is_read() -> None:
    packed = gzip.compress(json.dumps(chat("C")).encode())
    with Loopback(lambda seen: Answer(200, packed, {"content-encoding": "gzip"})) as server:
        assert ask_one("openai/m", base_url=server.url).text == "C"


@pytest.mark.usefixtures("carrier")
def test_a_cancelled_call_closes_its_connection() -> None:
    async def run() -> bytes:
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        closed: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            arrived.set_result(None)
            while await reader.read(1 << 16):
                pass
            closed.set_result(b"closed")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        provider = connect("openai/m", ProviderOptions(base_url=address))
        call = asyncio.create_task(provider.complete(question()))
        await asyncio.wait_for(arrived, 30)
        call.cancel()
        told = await asyncio.wait_for(closed, 30)
        await asyncio.gather(call, return_exceptions=True)
        await provider.aclose()
        server.close()
        return told

    assert asyncio.run(run()) == b"closed"


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("what", ["a list", "a post", "one try"])
def test_what_is_asked_beside_questions_has_its_time_limit_too(what: str) -> None:
    async def exchange(provider: Any) -> object:
        if what == "one try":
            return await provider.attempt(question())
        return await (provider.get("/models") if what == "a list" else provider.post("/tokenize", {}))

    with Loopback(lambda seen: Answer(hang=True)) as server, pytest.raises(RetryableError, match="in time") as told:
        using("openai/m", exchange, base_url=server.url, timeout_s=0.2)
    assert told.value.sent  # the model may have answered, and bill it


@pytest.mark.usefixtures("carrier")
def test_a_closed_provider_opens_its_connections_again() -> None:
    async def twice(provider: object) -> list[str]:
        said = [(await provider.complete(question("one"))).text]  # type: ignore[attr-defined]
        await provider.aclose()  # type: ignore[attr-defined]
        return [*said, (await provider.complete(question("two"))).text]  # type: ignore[attr-defined]

    with Loopback() as server:
        assert using("openai/m", twice, base_url=server.url) == ["B", "B"]


def test_a_proxy_is_gone_through_and_its_exceptions_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback() as proxy, Loopback() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        ask_one("openai/m", base_url="http://model.invalid/v1", insecure_http=True)
        assert [seen.path for seen in proxy.seen] == ["http://model.invalid/v1/chat/completions"]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        ask_one("openai/m", base_url=server.url)
        assert [seen.path for seen in server.seen] == ["/v1/chat/completions"]
        assert len(proxy.seen) == 1


def test_the_sdk_is_not_loaded_to_ask_and_no_http_at_all_to_answer_from_the_file(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "p.jsonl", 1)
    program = (
        "import sys\nfrom clika_client.cli import main\n"
        "try:\n    main()\nfinally:\n    print([m for m in ('openai', 'httpx', 'aiohttp') if m in sys.modules])"
    )
    with Loopback() as server:
        run = [sys.executable, "-c", program, "run", str(probes), "-m", "openai/m", "--base-url", server.url,
               "--bootstrap", "0", "--db", str(tmp_path / "c.db")]  # fmt: skip
        environment = {**os.environ, "OPENAI_API_KEY": "k"}
        first, second = (
            subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
            for _ in range(2)
        )
    assert (first, second) == ("['aiohttp']", "[]")
