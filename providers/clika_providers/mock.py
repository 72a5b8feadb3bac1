"""A provider that says what it is told to, without a network, a key or a cent: for trying things out and for tests.

`mock/say:B` always says B; `mock/pick:0` chooses the first label; `mock/random` chooses by the question's hash, always
the same; `mock/PATH.toml` follows a script. In Python, `MockProvider` takes a text, a list or a function.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeAlias

from clika_providers.errors import ItemError, ProviderError, RetryableError, RunError
from clika_providers.options import ProviderOptions
from clika_providers.provider import BaseProvider
from clika_providers.types import AskMode, Completion, Json, Request, Usage

Said: TypeAlias = str | Completion | Exception
Script: TypeAlias = str | Sequence[Said] | Callable[[Request], Said]
_FAILURES: Mapping[str, type[ProviderError]] = {"retryable": RetryableError, "item": ItemError, "run": RunError}
_SURE, _NOT = math.log(0.97), math.log(0.01)


class MockProvider(BaseProvider):
    """One scripted model. Its calls are kept in `requests`, and `most_in_flight` counts how many were open at once.

    `script` is a text that is always said, a sequence said in turn (the last one for ever), or a function of the
    Request; a Completion is given back as it is, an exception is raised. Two scripts that say different things need
    different names, because a stored reply is found again by the model's name.
    """

    usual_ask: AskMode = "text"
    has_server = False

    def __init__(
        self, script: Script = "A", *, name: str = "scripted", concurrency: int = 8, delay_s: float = 0.0
    ) -> None:
        self.spec = f"mock/{name}"
        self.identity: Mapping[str, Json] = {"provider": "mock", "model": name}
        self.concurrency = concurrency
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self._script, self._delay_s, self._in_flight = script, delay_s, 0

    async def complete(self, request: Request) -> Completion:
        """What the script says to this request; raises what it says to raise."""
        number = len(self.requests)
        self.requests.append(request)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await asyncio.sleep(self._delay_s)
            said = self._said(number, request)
        finally:
            self._in_flight -= 1
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Completion) else completion(said, request)

    def _said(self, number: int, request: Request) -> Said:
        if callable(self._script):
            return self._script(request)
        if isinstance(self._script, str):
            return self._script
        return self._script[min(number, len(self._script) - 1)]


def completion(text: str, request: Request) -> Completion:
    """A reply with token counts, and with probabilities where the request asks for them."""
    usage = Usage(sum(len(m.content) for m in request.messages) // 4 + 1, len(text) // 4 + 1)
    chosen = None
    if request.mode == "logprobs":
        chosen = tuple(_SURE if label == text.strip() else _NOT for label in request.labels)
    return Completion(text, "stop", choice_logprobs=chosen, usage=usage, model_served="mock")


def connect(model: str, options: ProviderOptions) -> MockProvider:
    """The provider for `mock/MODEL`; raises RunError for a name or script that says nothing."""
    kind, _, value = model.partition(":")
    script: Script
    name = model
    if model == "random":
        script = _by_hash
    elif kind == "say" and value:
        script = value
    elif kind == "pick" and value.isdecimal():
        script = lambda request: _label(request, int(value))  # noqa: E731
    elif model.endswith(".toml"):
        path = Path(model)
        content = _read(path)
        script = _Follow(path, content)
        # Another script under the same file name is another model.
        name = f"{path.name}#{hashlib.blake2b(content.encode(), digest_size=4).hexdigest()}"
    else:
        raise RunError(
            f"mock/{model} says nothing: write mock/say:TEXT, mock/pick:NUMBER, mock/random or mock/SCRIPT.toml",
            code="spec",
        )
    return MockProvider(script, name=name, concurrency=options.concurrency or 8)


def _by_hash(request: Request) -> str:
    digest = hashlib.blake2b("\0".join(m.content for m in request.messages).encode("utf-8", "replace"), digest_size=8)
    return _label(request, int.from_bytes(digest.digest()))


def _label(request: Request, number: int) -> str:
    return request.labels[number % len(request.labels)] if request.labels else "A"


@dataclass(slots=True)
class _ScriptedReply:
    """One `[[reply]]` of a script; the first that fits answers."""

    say: str = ""
    when: str = ""
    """A regular expression found in the conversation; empty fits all."""
    fail: str = ""
    """`retryable`, `item` or `run`: raise that error, with `say` as its message."""
    times: int = 0
    """Fits only so often; 0 for always."""
    pick: int = -1
    used: int = field(default=0, init=False)


class _Follow:
    """A script from a file."""

    def __init__(self, path: Path, content: str) -> None:
        self._path = path
        try:
            table = tomllib.loads(content)
        except (ValueError, RecursionError) as error:  # an absurd number is no TOMLDecodeError
            raise RunError(f"{path} is not valid TOML: {error}", code="setup") from None
        self._rules = list(self._parsed(table))

    def __call__(self, request: Request) -> Said:
        text = "\n".join(m.content for m in request.messages)
        for rule in self._rules:
            if (rule.times and rule.used >= rule.times) or not re.search(rule.when, text):
                continue
            rule.used += 1
            if rule.fail:
                return _FAILURES[rule.fail](rule.say or f"the script says to fail ({rule.fail})")
            return _label(request, rule.pick) if rule.pick >= 0 else rule.say
        return ItemError(f"{self._path}: no [[reply]] fits this question")

    def _parsed(self, table: dict[str, Any]) -> Iterator[_ScriptedReply]:
        known = {f.name: f.type for f in fields(_ScriptedReply) if f.init}
        rows = table.get("reply")
        if not isinstance(rows, list) or not rows or table.keys() != {"reply"}:
            raise RunError(f"{self._path} must hold [[reply]] tables and nothing else", code="setup")
        for number, row in enumerate(rows, 1):
            where = f"{self._path}: reply {number}"
            for name, value in row.items():
                if name not in known or type(value).__name__ != known[name]:
                    listed = ", ".join(f"{n} ({t})" for n, t in known.items())
                    raise RunError(f"{where}: {name} = {value!r} is none of {listed}", code="setup")
            rule = _ScriptedReply(**row)
            if rule.fail not in ("", *_FAILURES):
                raise RunError(f"{where}: fail {rule.fail!r} is none of {', '.join(_FAILURES)}", code="setup")
            try:
                re.compile(rule.when)
            except re.error as error:
                raise RunError(f"{where}: when {rule.when!r} is no regular expression: {error}", code="setup") from None
            yield rule


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}", code="setup") from None
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is not UTF-8: {error.reason} at byte {error.start}", code="setup") from None
