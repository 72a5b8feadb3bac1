"""Doors: keys go nowhere they should not, in no spelling; nothing is an answer that came from somewhere else."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from clika import KEY, clika, write_probes
from hypothesis import given
from hypothesis import strategies as st
from servers.asking import ask_one
from servers.loopback import SAYS_B, Answer, Loopback, Seen, chat

from clika_providers import ItemError, ProviderOptions, RetryableError, RunError, connect, keys
from clika_providers.hosted.servers import is_local, known_servers
from clika_providers.traffic.circuit_breaker import CircuitBreaker

SECRET = "abc/def+GHI=jkl-0123456789"
SPELLINGS = (
    lambda c: c,
    lambda c: f"\\u{ord(c):04x}",
    lambda c: f"\\u{ord(c):04X}",
    lambda c: "\\/" if c == "/" else c,
    lambda c: "\\\\" + c if not c.isalnum() else c,
    lambda c: f"%{ord(c):02X}",
    lambda c: f"&#{ord(c)};",
    lambda c: f"&#x{ord(c):x};",
)


@given(st.lists(st.sampled_from(SPELLINGS), min_size=len(SECRET), max_size=len(SECRET)), st.text(), st.text())
def test_a_key_is_masked_however_each_of_its_characters_is_escaped(
    spellings: list[Any], before: str, after: str
) -> None:
    keys.remember(SECRET)
    spelt = "".join(spell(c) for spell, c in zip(spellings, SECRET, strict=True))
    assert spelt not in keys.without_keys(f"{before} {spelt} {after}")
    assert "[key]" in keys.without_keys(f"{before} {spelt} {after}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-8-sig"])
def test_a_key_is_masked_in_every_encoding_of_a_reply(encoding: str) -> None:
    keys.remember(SECRET)
    text = keys.reply_text(json.dumps({"said": f"your key is {SECRET}"}).encode(encoding))
    assert json.loads(text.lstrip("\ufeff")) == {"said": "your key is [key]"}


def test_a_key_in_utf_16_inside_other_text_is_masked() -> None:
    keys.remember(SECRET)
    body = b'{"said": "' + SECRET.encode("utf-16-le") + b'"}'
    assert "[key]" in keys.reply_text(body)


def test_masking_a_reply_of_backslashes_four_times_as_long_takes_about_four_times_as_long() -> None:
    """Trying every run of them from each of its characters would take sixteen times."""
    keys.remember(SECRET)

    def seconds(length: int) -> float:
        began = time.process_time()
        keys.without_keys("\\" * length + "a" * length)
        return time.process_time() - began

    part, whole = (min(seconds(length) for _ in range(2)) for length in (100_000, 400_000))
    assert whole < 10 * max(part, 0.05)


def test_a_key_that_a_server_echoes_in_escapes_is_neither_stored_nor_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    escaped = "".join(f"\\u{ord(c):04x}" for c in SECRET)
    slashed = SECRET.replace("/", "\\/")

    def behave(seen: Seen) -> Answer:
        assert seen.headers["authorization"] == f"Bearer {SECRET}"
        said = chat("B MARK")
        if seen.number % 3 == 0:
            return Answer(400, b'{"error": {"message": "bad key ' + slashed.encode() + b'"}}')
        return Answer(200, json.dumps(said).replace("MARK", escaped if seen.number % 3 else slashed).encode())

    probes, db = write_probes(tmp_path / "mine.jsonl"), tmp_path / "c.db"
    with Loopback(behave) as server:
        done = clika("run", probes, "-m", "openai/m", "--base-url", server.url, "--db", db, check=None)
    shown = done.stdout + done.stderr + clika("answers", "--db", db, check=None).stdout
    held = b"".join(file.read_bytes() for file in tmp_path.glob("c.db*")).decode("utf-8", "replace")
    for spelling in (SECRET, slashed, escaped):
        assert spelling not in shown
        assert spelling not in held


# ---- addresses


LOCAL = ("http://localhost:1/v1", "http://127.0.0.1", "http://127.9.9.9:8", "http://[::1]:80/v1", "http://a.localhost")
ELSEWHERE = (
    "http://10.0.0.5:8000/v1", "http://192.168.1.2", "http://172.16.0.1", "http://169.254.1.1", "http://gpu.local",
    "http://vm:18200/v1", "http://[fd00::1]/v1", "http://8.8.8.8",
)  # fmt: skip


@pytest.mark.parametrize("address", LOCAL)
def test_a_loopback_address_is_this_machine(address: str) -> None:
    assert is_local(address)


@pytest.mark.parametrize("address", ELSEWHERE)
def test_a_key_goes_in_the_clear_to_no_other_machine_unless_allowed(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_local(address)
    connect("openai/m", ProviderOptions(base_url=address))  # without a key there is nothing to read on the way
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(RunError, match="--insecure-http"):
        connect("openai/m", ProviderOptions(base_url=address))
    connect("openai/m", ProviderOptions(base_url=address.replace("http:", "https:")))
    connect("openai/m", ProviderOptions(base_url=address, insecure_http=True))


CLEAR = ("--base-url", "http://192.0.2.1:8000/v1")
COMMANDS = {
    "models list": ("models", "list", "openai"),
    "models check": ("models", "check", "openai/m"),
    "in context": ("teach", "in-context", "-m", "openai/m", "-l", "de"),
    "teach ask": ("teach", "ask", "MATERIAL", "-m", "openai/m", "--when", "before", "-o", "OUT"),
    "teach upload": ("teach", "upload", "MATERIAL", "-m", "m", "-o", "OUT", "--yes"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_sends_a_key_has_this_door(command: str, tmp_path: Path) -> None:
    """None of them reaches the address, which is one that nobody has; with the option they would."""
    clika("teach", "build", "-l", "de", "-o", tmp_path / "material", "--continents", "2", "--places", "4", "--k", "2")
    places = {"MATERIAL": str(tmp_path / "material"), "OUT": str(tmp_path / "out")}
    words = [places.get(word, word) for word in COMMANDS[command]]
    done = clika(*words, *CLEAR, check=None, OPENAI_API_KEY=KEY)
    assert done.returncode in (1, 2)
    assert "--insecure-http" in done.stderr
    assert KEY not in done.stderr
    assert "--insecure-http" in clika(*words[:2], "--help").stdout


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "http://[fe80::1%25en0", "http://host:99999/v1", "http://host:port", "http://a\nb/v1", "http://a b",
     "ftp://host", "host/v1", "http://", "https://host/v1?api-key=x", "https://host/v1#x", "https://host/v1?", ""],
)  # fmt: skip
def test_what_is_no_base_url_is_told_in_a_sentence(url: str) -> None:
    if url:
        with pytest.raises(RunError, match="the base URL"):
            known_servers()["openai"].address(url)
    else:
        assert known_servers()["openai"].address(url).startswith("https://api.openai.com")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_told_and_not_followed(status: int, spec: str) -> None:
    with Loopback(lambda seen: Answer(200, SAYS_B)) as elsewhere:
        away = Answer(status, b"", {"location": f"{elsewhere.url}/chat/completions"})
        with Loopback(lambda seen: away) as server, pytest.raises(ItemError, match=r"redirect.*--base-url"):
            ask_one(spec, base_url=server.url)
        assert elsewhere.seen == []


@pytest.mark.parametrize(
    "field",
    [("api_key", "x"), ("Authorization", "Bearer x"), ("X-Api-Key", "x"), ("password", "x"), ("token", "x"),
     ("metadata", {"api_key": "x"}), ("user", "sk-0123456789abcdef"), ("note", SECRET)],
)  # fmt: skip
def test_a_secret_among_extra_fields_is_refused(field: tuple[str, Any]) -> None:
    keys.remember(SECRET)
    with pytest.raises(RunError, match="looks like a secret"):
        connect("ollama/m", ProviderOptions(extra_body=(field,)))


@pytest.mark.parametrize("name", ["max_tokens", "prompt_cache_key", "stop_token_ids", "top_k", "reasoning_effort"])
def test_ordinary_extra_fields_are_not_taken_for_secrets(name: str) -> None:
    connect("ollama/m", ProviderOptions(extra_body=((name, 5),)))


# ---- patience


def test_a_busy_server_on_this_machine_is_waited_for_and_a_failing_one_is_not() -> None:
    now = [1.0]
    busy, failing = (CircuitBreaker("m", 60.0, busy_patience_s=600.0, clock=lambda: now[0]) for _ in range(2))
    for breaker in (busy, failing):
        assert asyncio.run(breaker.admit())
    for now[0] in range(5, 300, 5):
        busy.refused(RetryableError("rate limit", status=429), probe=True)
        failing.bad(RetryableError("oops", status=500), probe=True)
    assert busy.given_up is None
    assert failing.given_up is not None


def test_a_gateway_on_this_machine_may_refuse_for_longer_than_a_dead_server_is_waited_for() -> None:
    """Refusals for 1.5 s, with the patience for failures at 0.5 s: the question is answered."""
    began = time.monotonic()

    def behave(seen: Seen) -> Answer:
        if time.monotonic() - began < 1.5:
            return Answer(429, {"error": {"message": "Rate limit reached"}})
        return Answer(200, chat("B"))

    with Loopback(behave) as server:
        assert ask_one("openai/m", base_url=server.url, backoff_s=0.05, max_retries=40, patience_s=None).text == "B"
