"""The content key: one name for one question to one model, equal in every process and release.

The key covers everything that can change the answer: the provider's `identity` and every field of the
Request. What cannot change it (keys, timeouts, thread counts, rate limits) never reaches `identity`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring as _quoted
from operator import is_
from typing import Any

from clika_cache import storable
from clika_providers import Json, Message, Request

KEY_BYTES = 16
_VERSION = b"clika-key-1\0"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values: sorted names, no blanks, no escapes."""
    return _encode(value)


def _digest(data: bytes) -> bytes:
    # Lone surrogates can come out of JSON escapes; `surrogatepass` keeps them distinct.
    return hashlib.blake2b(data, digest_size=KEY_BYTES).digest()


def prompt_text(messages: tuple[Message, ...]) -> str:
    """A conversation as stored in the prompts table: a JSON list of [role, content]."""
    return conversation_text([(m.role, m.content) for m in messages])


def conversation_text(turns: Iterable[Sequence[str]]) -> str:
    """The same of (role, content) pairs."""
    return storable.words(_conversation(turns))


def prompt_hash(text: str) -> bytes:
    """The prompts table's key for `prompt_text`."""
    return _digest(text.encode("utf-8", "surrogatepass"))


class KeyMaker:
    """Keys for one provider identity; hashes the identity once, not once per request."""

    def __init__(self, identity: Mapping[str, Json]) -> None:
        for name in ("provider", "model"):
            if not identity.get(name):
                raise ValueError(f"provider identity lacks {name!r}: answers of two models could be mixed")
        self._base = hashlib.blake2b(_VERSION, digest_size=KEY_BYTES)
        self._base.update(canonical(dict(identity)).encode("utf-8", "surrogatepass"))
        self._base.update(b"\0")
        # Requests of one run differ in little but their messages: the rest is written once, not a million times.
        self._settings: tuple[object, ...] = ()
        self._written = ""

    def key(self, request: Request) -> bytes:
        """16 bytes that name this request to this model: the hash of one canonical JSON list."""
        settings = _settings(request)
        # The very same values, as equal ones may be written otherwise: 1, 1.0 and True.
        if len(settings) != len(self._settings) or not all(map(is_, settings, self._settings)):
            self._settings, self._written = settings, canonical(settings)[1:]
        made = self._base.copy()
        said = _conversation([(m.role, m.content) for m in request.messages])
        made.update(f"[{said},{self._written}".encode("utf-8", "surrogatepass"))
        return made.digest()


def _settings(request: Request) -> tuple[object, ...]:
    """Everything of a request but its messages."""
    usual = (
        request.mode,
        request.labels,
        request.max_tokens,
        request.temperature,
        request.seed,
        request.stop,
        request.grammar,
        request.thinking,
        request.repeat,
        request.extra,
    )
    if request.options or request.neutral:
        return (*usual, request.options, [[m.role, m.content] for m in request.neutral])
    return usual


def _conversation(turns: Iterable[Sequence[str]]) -> str:
    """What `canonical` makes of a list of [role, content], in a third of the time."""
    return "[" + ",".join([f"[{_quoted(role)},{_quoted(content)}]" for role, content in turns]) + "]"
