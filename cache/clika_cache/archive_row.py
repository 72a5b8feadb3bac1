"""One stored reply as a line of an export, and a line as a reply again, checked value by value."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from clika_cache import storable
from clika_cache.completions import StoredReply, read_figures
from clika_cache.errors import CacheError
from clika_cache.keys import KEY_BYTES, canonical
from clika_providers import Completion, Usage

_PLAIN = (
    "source", "text", "finish_reason", "thinking", "input_tokens", "output_tokens", "cached_tokens",
    "reasoning_tokens", "cost", "model_served", "fingerprint", "raw", "latency_s", "created_at", "option_figures",
)  # fmt: skip
QUERY = (
    f"SELECT c.key, m.spec, m.identity, p.messages, c.choice_logprobs, {', '.join('c.' + n for n in _PLAIN)}"
    " FROM completions c JOIN models m ON m.id = c.model_id JOIN prompts p ON p.hash = c.prompt ORDER BY c.rowid"
)
_TYPES: dict[str, tuple[type, ...]] = {
    "key": (str,), "model": (str,), "identity": (dict,), "messages": (list,), "text": (str,), "source": (str,),
    "finish_reason": (str,), "thinking": (str,), "input_tokens": (int,), "output_tokens": (int,),
    "cached_tokens": (int,), "reasoning_tokens": (int,), "cost": (int, float), "model_served": (str,),
    "fingerprint": (str,), "raw": (str,), "latency_s": (int, float), "created_at": (int, float),
    "choice_logprobs": (list,), "option_figures": (str,),
}  # fmt: skip
_NEEDED = ("key", "model", "identity", "messages", "text")
_LATEST = 4e9
"""Unix seconds in the year 2096; a later moment is no moment."""
_MOST_SHAPES = 1000
_ROLES = ("system", "user", "assistant")
_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_identities: dict[str, str | None] = {}


def to_json(values: tuple[Any, ...]) -> str | None:
    """A row of QUERY as one line; None when what it refers to is damaged."""
    key, model, identity, messages, logprobs, *plain = values
    try:
        if identity not in _identities:
            _identities[identity] = _valid(identity, dict)
        if _identities[identity] is None or _valid(messages, list) is None:
            return None
        rest = _encode(dict(zip(_PLAIN, plain, strict=True)))
        return (
            f'{{"key":"{key.hex()}","model":{_encode(model)},"identity":{identity},"messages":{messages},'
            f'"choice_logprobs":{"null" if logprobs is None else _valid(logprobs, list) or "null"},{rest[1:]}'
        )
    except (AttributeError, TypeError, ValueError):
        return None  # a value of a type that no version of clika has stored


@dataclass(frozen=True, slots=True)
class Parsed:
    """One line as values."""

    model: str
    identity: str
    key: bytes
    prompt: str
    completion: Completion
    source: str
    cost: float | None
    created_at: float | None

    def reply(self, model_id: int) -> StoredReply:
        """As it is stored, under the model's number in this file."""
        at = time.time() if self.created_at is None else self.created_at
        return StoredReply(self.key, model_id, self.prompt, self.completion, self.source, self.cost, created_at=at)


class ArchiveReader:
    """Reads lines; remembers the last model, which the next line mostly shares."""

    def __init__(self) -> None:
        self._last: tuple[Any, str] = (None, "")
        self._sound: set[tuple[Any, ...]] = set()
        """Names and types of fields that were found right: nearly all lines of a file share them."""

    def parse(self, where: str, line: bytes) -> Parsed:
        """The reply in a line; raises CacheError naming the line, the field and its value."""
        try:
            row = _decode(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise CacheError(f"{where}: this is not a line of `clika cache export`: {error}") from None
        if not isinstance(row, dict):
            raise CacheError(f"{where}: this is not an exported reply but a JSON {type(row).__name__}")
        shape = (*row, *map(type, row.values()))
        if shape not in self._sound:
            _check_types(where, row)
            if len(self._sound) < _MOST_SHAPES:
                self._sound.add(shape)
        return Parsed(
            row["model"],
            self._identity(where, row["identity"]),
            _key(where, row["key"]),
            _prompt(where, row["messages"]),
            _completion(where, row),
            row.get("source") or "own",
            storable.figure(row.get("cost")),
            _moment(where, row.get("created_at")),
        )

    def _identity(self, where: str, identity: dict[str, Any]) -> str:
        if self._last[0] != identity:
            if not all(isinstance(identity.get(n), str) and identity[n] for n in ("provider", "model")):
                raise CacheError(f"{where}: identity must name a provider and a model, not {_short(identity)}")
            self._last = (identity, canonical(identity))
        return self._last[1]


def _check_types(where: str, row: dict[str, Any]) -> None:
    missing = [n for n in _NEEDED if row.get(n) is None]
    if missing:
        raise CacheError(f"{where}: this is not an exported reply, it lacks {', '.join(missing)}")
    for name, types in _TYPES.items():
        value = row.get(name)
        if value is not None and (not isinstance(value, types) or isinstance(value, bool)):
            raise CacheError(f"{where}: {name} must be {types[0].__name__}, not {_short(value)}")


def _completion(where: str, row: dict[str, Any]) -> Completion:
    counts = [row.get(n) for n in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")]
    for value in counts:
        if value is not None and storable.tokens(value) is None:
            raise CacheError(f"{where}: {_short(value)} is no count of tokens")
    logprobs = row.get("choice_logprobs")
    if logprobs is not None and not all(v is None or (storable.figure(v) is not None and v <= 0) for v in logprobs):
        raise CacheError(f"{where}: choice_logprobs must be numbers up to 0, not {_short(logprobs)}")
    option_tokens, neutral = _figures(where, row.get("option_figures"))
    return Completion(
        text=row["text"],
        finish_reason=row.get("finish_reason"),
        choice_logprobs=None if logprobs is None else tuple(logprobs),
        thinking=row.get("thinking"),
        usage=Usage(*counts),
        model_served=row.get("model_served"),
        raw=row.get("raw"),
        latency_s=storable.figure(row.get("latency_s")),
        fingerprint=row.get("fingerprint"),
        option_tokens=option_tokens,
        neutral_logprobs=neutral,
    )


def _figures(where: str, text: str | None) -> tuple[tuple[int, ...] | None, tuple[float, ...] | None]:
    if text is None:
        return None, None
    try:
        tokens, neutral = read_figures(text)
        sound = (tokens is None or None not in map(storable.tokens, tokens)) and (
            neutral is None or None not in map(storable.figure, neutral)
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise CacheError(f"{where}: option_figures must be JSON lists of numbers by name, not {_short(text)}")
    return tokens, neutral


def _key(where: str, text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise CacheError(f"{where}: key {_short(text)} is not {KEY_BYTES} bytes in hexadecimal")
    return key


def _prompt(where: str, messages: list[Any]) -> str:
    for turn in messages:
        if not (isinstance(turn, list) and len(turn) == 2 and turn[0] in _ROLES and isinstance(turn[1], str)):
            raise CacheError(f"{where}: a message must be [role, text], not {_short(turn)}")
    return storable.words(canonical(messages))


def _moment(where: str, value: float | None) -> float | None:
    if value is None or (storable.figure(value) is not None and 0 <= value <= _LATEST):
        return value
    raise CacheError(f"{where}: created_at {_short(value)} is no Unix time in seconds")


def _valid(text: Any, kind: type) -> str | None:
    """The JSON text when it is one and of this kind."""
    try:
        return text if isinstance(json.loads(text), kind) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"
