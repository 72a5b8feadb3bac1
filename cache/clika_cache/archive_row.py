"""One stored reply as a line of an export, and a line as a reply again, checked value by value."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable
from json.encoder import encode_basestring
from operator import itemgetter
from types import NoneType
from typing import Any, NamedTuple

from clika_cache import storable
from clika_cache.completions import PROMPT, Columns, figures_text, read_figures
from clika_cache.errors import CacheError
from clika_cache.foreign import json as json_of_kind
from clika_cache.foreign import text
from clika_cache.keys import KEY_BYTES, canonical, conversation_text, prompt_hash

_PLAIN = tuple(name for name in Columns._fields if name not in ("key", "model_id", "prompt", "choice_logprobs"))
"""Columns that stand in a line under their own names and as they are."""
QUERY = f"""
    SELECT c.key, c.model_id, CASE WHEN {json_of_kind("p.messages", "array")} THEN p.messages END,
           CASE WHEN {json_of_kind("c.choice_logprobs", "array")} THEN c.choice_logprobs END,
           {", ".join(f"c.{name}" for name in _PLAIN)}
    FROM completions c LEFT JOIN prompts p ON p.hash = c.prompt ORDER BY c.rowid
"""
"""What `LineWriter` makes a line of; SQLite looks in a tenth of Python's time whether a text is JSON."""
_TYPES: dict[str, tuple[type, ...]] = {
    "key": (str,), "model": (str,), "identity": (dict,), "messages": (list,), "text": (str,), "source": (str,),
    "finish_reason": (str,), "thinking": (str,), "input_tokens": (int,), "output_tokens": (int,),
    "cached_tokens": (int,), "reasoning_tokens": (int,), "cost": (int, float), "model_served": (str,),
    "fingerprint": (str,), "raw": (str,), "latency_s": (int, float), "created_at": (int, float),
    "choice_logprobs": (list,), "option_figures": (str,),
}  # fmt: skip
NAMES = ("key", "model", "identity", "messages", "choice_logprobs", *_PLAIN)
"""Names in a line, in the order in which they are written."""
_NEEDED = ("key", "model", "identity", "messages", "text")
_LATEST = 4e9
"""Unix seconds in the year 2096; a later moment is no moment."""
_MOST_SHAPES = 1000
ROLES = ("system", "user", "assistant")
_decoder = json.JSONDecoder()
_decode, _scan = _decoder.decode, _decoder.raw_decode


def _finite(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(value)
    return repr(value)


_WRITTEN: dict[type, Callable[[Any], str]] = {str: encode_basestring, int: str, float: _finite}
"""What JSON makes of the values a row may hold, in two thirds of the time that its encoder takes for the whole."""
_Shape = tuple[str, Callable[[Any], tuple[Any, ...]], list[Callable[[Any], str]]]


class LineWriter:
    """Rows of QUERY as lines. Rows that lack the same values share what is written of them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._models = {
            number: f'"model":{encode_basestring(spec)},"identity":{identity}'
            for number, spec, identity in connection.execute(
                f"SELECT id, spec, identity FROM models WHERE {text('spec')} AND {json_of_kind('identity', 'object')}"
            )
        }
        self._shapes: dict[tuple[type, ...], _Shape] = {}

    def line(self, values: tuple[Any, ...]) -> str | None:
        """One row; None when it, or what it refers to, is damaged."""
        key, model, messages, logprobs, *plain = values
        said = self._models.get(model)
        if said is None or messages is None:
            return None
        types = tuple(map(type, plain))
        try:
            form, there, written = self._shapes.get(types) or self._shape(types)
            rest = form % tuple([write(value) for write, value in zip(written, there(plain), strict=True)])
            return f'{{"key":"{key.hex()}",{said},"messages":{messages},"choice_logprobs":{logprobs or "null"},{rest}}}'
        except (AttributeError, KeyError, TypeError, ValueError):
            return None  # a value of a type that no version of clika has stored

    def _shape(self, types: tuple[type, ...]) -> _Shape:
        form = ",".join(
            f'"{name}":{"null" if kind is NoneType else "%s"}' for name, kind in zip(_PLAIN, types, strict=True)
        )
        there = [i for i, kind in enumerate(types) if kind is not NoneType]
        made: _Shape = (form, itemgetter(*there), [_WRITTEN[types[i]] for i in there])
        if len(self._shapes) < _MOST_SHAPES:
            self._shapes[types] = made
        return made


class Parsed(NamedTuple):
    """One line as values."""

    model: str
    identity: str
    prompt: str
    values: list[Any]
    """As `completions.Row`, where at `completions.MODEL` the model's number in this file is still to come."""


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
        prompt = conversation(where, row["messages"])
        values = _values(where, row, prompt, _storable_as_it_is(line))
        return Parsed(row["model"], self.identity(where, row["identity"]), prompt, values)

    def identity(self, where: str, identity: dict[str, Any]) -> str:
        """A model's identity as canonical text; raises CacheError where it names no model."""
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
    values = list(map(row.get, Columns._fields))
    values[PROMPT] = prompt_hash(prompt)
    for at, check in _CHECKED:
        if values[at] is not None:
            values[at] = check(where, values[at])
    if not as_it_is:
        for at in _TEXTS:
            values[at] = storable.text(values[at])
    values[_SOURCE] = values[_SOURCE] or "own"
    if values[_CREATED] is None:
        values[_CREATED] = time.time()
    return values


def _count(where: str, value: int) -> int:
    found = storable.tokens(value)
    if found is None:
        raise CacheError(f"{where}: {_short(value)} is no count of tokens")
    return found


def _number(_: str, value: float) -> float | None:
    return storable.figure(value)


def _logprobs(where: str, values: list[Any]) -> str | None:
    if not all(v is None or (storable.figure(v) is not None and v <= 0) for v in values):
        raise CacheError(f"{where}: choice_logprobs must be numbers up to 0, not {_short(values)}")
    return storable.logprobs(values)


def _figures(where: str, text: str) -> str | None:
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


def conversation(where: str, messages: list[Any]) -> str:
    """Messages as the text that is stored of them; raises CacheError for one that is none."""
    for turn in messages:
        if not (isinstance(turn, list) and len(turn) == 2 and turn[0] in ROLES and isinstance(turn[1], str)):
            raise CacheError(f"{where}: a message must be [role, text], not {_short(turn)}")
    return conversation_text(messages)


def _moment(where: str, value: float) -> float:
    if storable.figure(value) is None or not is_moment(value):
        raise CacheError(f"{where}: created_at {_short(value)} is no Unix time in seconds")
    return value


def is_moment(value: float) -> bool:
    """Whether a finite number is a moment in Unix seconds."""
    return 0 <= value <= _LATEST


def checked_value(name: str, value: Any) -> Any:
    """One value of a column with a check of its own, as it is stored; raises CacheError for a wrong one."""
    if value is None:
        return None
    if not isinstance(value, _TYPES[name]):
        raise CacheError(f"{name} must be {_TYPES[name][0].__name__}, not {_short(value)}")
    return _CHECKS[name]("", value)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"


def _place(name: str) -> int:
    return Columns._fields.index(name)


_SOURCE, _CREATED = _place("source"), _place("created_at")
_TEXTS = [_place(n) for n in ("source", "text", "finish_reason", "thinking", "model_served", "fingerprint", "raw")]
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "key": _key, "choice_logprobs": _logprobs, "input_tokens": _count, "output_tokens": _count,
    "cached_tokens": _count, "reasoning_tokens": _count, "cost": _number, "latency_s": _number,
    "created_at": _moment, "option_figures": _figures,
}  # fmt: skip
_CHECKED = [(_place(name), check) for name, check in _CHECKS.items()]
