"""A planted key is looked for everywhere a provider speaks: messages, reprs, logs, notes, replies, identities."""

from __future__ import annotations

import asyncio
import io
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from servers.asking import ONE_OF_EACH, QUICK, question
from servers.loopback import Answer, Loopback, Seen, chat

from clika_providers import ProviderError, ProviderOptions, RunError, connect, model_check
from clika_providers.batches import batch_door
from clika_providers.keys import find_key, redact
from clika_providers.model_check import check
from clika_providers.userfiles import builtin

KEY = "sk-planted-0123456789abcdefXYZ"
SPECS = [
    (model, builtin("servers.toml")[model.partition("/")[0]]["key_env"][0])
    for model in (*ONE_OF_EACH.values(), "gemini/g")
]


@pytest.fixture
def heard() -> Iterator[io.StringIO]:
    """Everything any logger says, at the lowest level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def _echo(seen: Seen) -> str:
    """A server that repeats the key it was given, as some do."""
    given = " ".join(value for value in seen.headers.values() if KEY in value)
    return f"Incorrect API key provided: {given}. Also {KEY[:9]}***{KEY[-4:]}"


FAULTS: list[Any] = [
    *(lambda seen, status=status: Answer(status, {"error": {"message": _echo(seen), "code": _echo(seen)}})
      for status in (400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 529)),
    lambda seen: Answer(400, _echo(seen).encode()),
    lambda seen: Answer(200, f"<html>{_echo(seen)}</html>".encode()),
    lambda seen: Answer(200, {"error": {"message": _echo(seen), "code": 401}}),
    lambda seen: Answer(200, {"choices": [], "note": _echo(seen)}),
    lambda seen: Answer(400, {"error": {"message": f"temperature is not supported: {_echo(seen)}"}}),
    lambda seen: Answer(raw=f"HTTP/1.1 {_echo(seen)}".encode()),
    lambda seen: Answer(hang=True),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "variable"), SPECS)
def test_no_error_of_any_kind_tells_the_key(
    spec: str, variable: str, heard: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, KEY)
    monkeypatch.setattr(model_check, "_PATIENCE_S", 0.25)  # what a silent server is given when a model is checked
    texts: list[str] = []

    async def meet(url: str) -> None:
        options = ProviderOptions(base_url=url, **{**QUICK, "max_retries": 1, "timeout_s": 0.25})  # type: ignore[arg-type]
        provider: Any = connect(spec, options)
        try:
            await provider.complete(question())
        except ProviderError as error:
            texts.extend([str(error), repr(error), "".join(traceback.format_exception(error)), str(error.__dict__)])
            texts.append(str(error.code))
        texts.extend([repr(provider), str(dict(provider.identity)), str(provider.notes), repr(options)])
        texts.append(str(await check(spec, options)))
        await provider.aclose()

    for fault in FAULTS:
        with Loopback(fault) as server:
            asyncio.run(meet(server.url))
            assert any(KEY in str(seen.headers) for seen in server.seen), "the key must have been in use"
    assert len(texts) >= 5 * len(FAULTS)
    for text in [*texts, heard.getvalue()]:
        assert KEY not in text
        assert KEY[:9] + "***" not in text


def test_a_reply_that_repeats_the_key_is_kept_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    async def ask(url: str) -> Any:
        provider = connect("openai/m", ProviderOptions(base_url=url))
        try:
            return await provider.complete(question())
        finally:
            await provider.aclose()

    with Loopback(lambda seen: Answer(200, chat(f"B {KEY}", system_fingerprint=KEY))) as server:
        got = asyncio.run(ask(server.url))
    assert KEY not in repr(got)


def test_batch_errors_do_not_tell_the_key_either(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec, variable in (("openai/m", "OPENAI_API_KEY"), ("anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY")):
        monkeypatch.setenv(variable, KEY)

        async def send(url: str, spec: str = spec) -> str:
            door = batch_door(spec, ProviderOptions(base_url=url, max_retries=0))
            try:
                await door.send([("00", question())], "name")
            except ProviderError as error:
                return "".join(traceback.format_exception(error)) + str(error.__dict__)
            finally:
                await door.aclose()
            return "no error"

        with Loopback(lambda seen: Answer(401, {"error": {"message": _echo(seen)}})) as server:
            text = asyncio.run(send(server.url))
        assert "401" in text
        assert KEY not in text


def test_the_key_may_come_from_a_command_and_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-environment")
    assert find_key(["OPENAI_API_KEY"], f"echo {KEY}") == KEY
    assert find_key(["NOT_SET_HERE", "OPENAI_API_KEY"], None) == "sk-from-environment"
    assert find_key(["NOT_SET_HERE"], None) is None


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (f"echo {KEY} >&2; exit 3", "exit code 3"),
        ("true", "0 lines"),
        (f"echo {KEY}; echo and more", "2 lines"),
        (f"echo 'key is {KEY}'", "no API key has"),
    ],
)
def test_a_key_command_that_fails_is_told_without_its_output(command: str, message: str) -> None:
    with pytest.raises(RunError, match=message) as caught:
        find_key([], command)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "key sk-proj-abcdefghijklmnop used",
        "Authorization: Bearer abcdefgh12345678",
        "https://host/x?key=AIzaSyA1234567890abcdefghijklm",
        "https://me:passw0rd@host/v1",
        "api_key=verysecretvalue",
        "gsk_abcdefghijklmno",
    ],
)
def test_what_looks_like_a_key_is_removed_even_when_it_is_not_ours(text: str) -> None:
    assert "[key]" in redact(text)


def test_ordinary_text_stays_as_it_is() -> None:
    text = "The answer is B; see https://example.org/docs?page=2 and task-oriented models"
    assert redact(text) == text
