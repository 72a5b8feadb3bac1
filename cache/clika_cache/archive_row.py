"""One stored reply as a line of an export, and a line as a reply again, checked value by value."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from clika_cache import storable
from clika_cache.completions import figures_text, read_figures
from clika_cache.errors import CacheError
from clika_cache.keys import KEY_BYTES, canonical, conversation_text, prompt_hash

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
MODEL = 1
"""The place of the model's number in a row."""
_ROLES = ("system", "user", "assistant")
_decoder = json.JSONDecoder()
_decode, _scan = _decoder.decode, _decoder.raw_decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_identities: dict[str, str | None] = {}


def _finite(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(value)
    return repr(value)


_FIELDS = [f'"{name}":' for name in _PLAIN]
_WITHOUT = [f"{field}null" for field in _FIELDS]
_WRITTEN: dict[type, Callable[[Any], str]] = {str: encode_basestring, int: str, float: _finite}
"""What JSON makes of the values a row may hold, in two thirds of the time that its encoder takes for the whole."""


def to_json(values: tuple[Any, ...]) -> str | None:
    """A row of QUERY as one line; None when what it refers to is damaged."""
    key, model, identity, messages, logprobs, *plain = values
    try:
        if identity not in _identities:
            _identities[identity] = _valid(identity, dict)
        if _identities[identity] is None or _valid(messages, list) is None:
            return None
        rest = ",".join(
            [without if value is None else name + _WRITTEN[type(value)](value)
             for name, without, value in zip(_FIELDS, _WITHOUT, plain, strict=True)]
        )  # fmt: skip
        return (
            f'{{"key":"{key.hex()}","model":{_encode(model)},"identity":{identity},"messages":{messages},'
            f'"choice_logprobs":{"null" if logprobs is None else _valid(logprobs, list) or "null"},{rest}}}'
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # a value of a type that no version of clika has stored


class Parsed(NamedTuple):
    """One line as values."""

    model: str
    identity: str
    prompt: str
    values: list[Any]
    """As `completions.Row`, where at MODEL the model's number in this file is still to come."""


class ArchiveReader:
    """Reads lines; remembers the last model, which the next line mostly shares."""

    def __init__(self) -> None:
        self._last: tuple[Any, str] = (None, "")
        self._sound: set[tuple[Any, ...]] = set()
        """Names and types of fields that were found right: nearly all lines of a file share them."""

    def parse(self, where: str, line: bytes) -> Parsed:
        """The reply in a line; raises CacheError naming the line, the field and its value."""
        try:
            row = _value(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise CacheError(f"{where}: this is not a line of `clika cache export`: {error}") from None
        if not isinstance(row, dict):
            raise CacheError(f"{where}: this is not an exported reply but a JSON {type(row).__name__}")
        shape = (*row, *map(type, row.values()))
        if shape not in self._sound:
            _check_types(where, row)
            if len(self._sound) < _MOST_SHAPES:
                self._sound.add(shape)
        prompt = _prompt(where, row["messages"])
        values = _values(where, row, prompt, _storable_as_it_is(line))
        return Parsed(row["model"], self._identity(where, row["identity"]), prompt, values)

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


def _value(text: str) -> Any:
    """What `json.loads` returns, without looking for blanks first, which are in no line of ours."""
    try:
        value, end = _scan(text)
    except ValueError:
        return _decode(text)
    return value if text[end:] in ("", "\n") else _decode(text)


def _storable_as_it_is(line: bytes) -> bool:
    """Whether every text in a line of UTF-8 is what `storable.text` makes of it: none too long, no half of a pair."""
    return len(line) <= storable.MOST_CHARACTERS and b"\\u" not in line


def _values(where: str, row: dict[str, Any], prompt: str, as_it_is: bool) -> list[Any]:
    """The columns of a line whose fields have the right types, each value checked and made storable.

    What `completions.row_of` makes of a reply, without making the reply, which would take as long as all the rest.
    """
    (source, text, finish, thinking, *counts, cost, served, fingerprint, raw, latency, at, figures) = map(
        row.get, _PLAIN
    )
    texts: tuple[Any, ...] = (source or "own", text, finish, thinking, served, fingerprint, raw)
    if not as_it_is:
        texts = tuple(map(storable.text, texts))
    source, text, finish, thinking, served, fingerprint, raw = texts
    return [
        _key(where, row["key"]), None, source, prompt_hash(prompt), text, finish,
        _logprobs(where, row.get("choice_logprobs")), thinking, *[n and _count(where, n) for n in counts],
        storable.figure(cost), served, fingerprint, raw, storable.figure(latency), _moment(where, at),
        _figures(where, figures),
    ]  # fmt: skip


def _count(where: str, value: int) -> int:
    found = storable.tokens(value)
    if found is None:
        raise CacheError(f"{where}: {_short(value)} is no count of tokens")
    return found


def _logprobs(where: str, values: list[Any] | None) -> str | None:
    if values is None:
        return None
    if not all(v is None or (storable.figure(v) is not None and v <= 0) for v in values):
        raise CacheError(f"{where}: choice_logprobs must be numbers up to 0, not {_short(values)}")
    return storable.logprobs(values)


def _figures(where: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        tokens, neutral = read_figures(text)
        sound = (tokens is None or None not in map(storable.tokens, tokens)) and (
            neutral is None or None not in map(storable.figure, neutral)
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise CacheError(f"{where}: option_figures must be JSON lists of numbers by name, not {_short(text)}")
    return figures_text(tokens, neutral)


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
    return conversation_text(messages)


def _moment(where: str, value: float | None) -> float:
    if value is None:
        return time.time()
    if storable.figure(value) is None or not 0 <= value <= _LATEST:
        raise CacheError(f"{where}: created_at {_short(value)} is no Unix time in seconds")
    return value


def _valid(text: Any, kind: type) -> str | None:
    """The JSON text when it is one and of this kind."""
    try:
        return text if isinstance(json.loads(text), kind) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"
