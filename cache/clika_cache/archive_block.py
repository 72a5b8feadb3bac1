"""A block of exported lines read at once: a column of plain values is checked in one go, in a fraction of the time.

Whatever is not plain is left to `ArchiveReader`, line by line: it knows what can be made storable, and what is wrong
and where.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from operator import itemgetter
from types import NoneType
from typing import Any

from clika_cache import storable
from clika_cache.archive_row import NAMES, ROLES, ArchiveReader, Parsed, checked_value, conversation, is_moment
from clika_cache.completions import MODEL, Columns
from clika_cache.errors import CacheError
from clika_cache.keys import KEY_BYTES, prompt_hash

_start = b'{"key":"'
_HEX = slice(len(_start), len(_start) + 2 * KEY_BYTES)
_together = itemgetter(*NAMES)
_Column = Sequence[Any]


class _Unusual(Exception):
    """Something in a block is to be looked at line by line."""


@dataclass(frozen=True, slots=True)
class Block:
    """Replies as columns, in the order of `Columns`; where the model's number will stand is its identity."""

    models: Mapping[str, str]
    """Identity → name."""
    prompts: Sequence[str]
    columns: Sequence[_Column]

    def __len__(self) -> int:
        return len(self.prompts)

    def rows(self, numbers: Mapping[str, int]) -> Iterator[tuple[Any, ...]]:
        """Rows of the file, where an identity has this number."""
        columns = list(self.columns)
        columns[MODEL] = [numbers[identity] for identity in columns[MODEL]]
        return zip(*columns, strict=True)


def of_lines(parsed: Sequence[Parsed]) -> Block:
    """What was read line by line."""
    columns: list[_Column] = list(zip(*(row.values for row in parsed), strict=True))
    columns[MODEL] = [row.identity for row in parsed]
    return Block({row.identity: row.model for row in parsed}, [row.prompt for row in parsed], columns)


def read(lines: Sequence[bytes], reader: ArchiveReader) -> Block | None:
    """The replies of lines as `clika cache export` writes them; None where one is anything else."""
    try:
        return _block(json.loads((b"[" + b",".join(lines) + b"]").decode("utf-8")), lines, reader)
    except (CacheError, _Unusual, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _block(rows: list[dict[str, Any]], lines: Sequence[bytes], reader: ArchiveReader) -> Block:
    # A line that does not stand for itself would move the keys of those after it.
    keys = [line[_HEX].decode("ascii") for line in lines if line.startswith(_start)]
    if [row["key"] for row in rows] != keys or set(map(len, rows)) != {len(NAMES)}:
        raise _Unusual
    given = dict(zip(NAMES, zip(*map(_together, rows), strict=True), strict=True))
    models, identities = _models(given["model"], given["identity"], reader)
    prompts = list(map(_prompt, given["messages"]))
    made: dict[str, _Column] = {
        "key": _keys(keys),
        "model_id": identities,
        "prompt": list(map(prompt_hash, prompts)),
        **{name: _CHECKED[name](name, given[name]) for name in Columns._fields if name in _CHECKED},
    }
    return Block(models, prompts, [made[name] for name in Columns._fields])


def _models(specs: _Column, identities: _Column, reader: ArchiveReader) -> tuple[dict[str, str], list[str]]:
    _kinds(specs, str)
    _kinds(identities, dict)
    texts = [reader.identity("", identity) for identity in identities]
    return dict(zip(reversed(texts), reversed(specs), strict=True)), texts


def _prompt(messages: Any) -> str:
    """A conversation as it is stored; most have one turn."""
    if type(messages) is not list:
        raise _Unusual
    if len(messages) == 1 and type(messages[0]) is list:
        role, content = messages[0]
        if role in ROLES and type(content) is str:
            return storable.words(f"[[{encode_basestring(role)},{encode_basestring(content)}]]")
    return conversation("", messages)


def _keys(texts: Sequence[str]) -> list[bytes]:
    whole = bytes.fromhex("".join(texts))
    if len(whole) != KEY_BYTES * len(texts) or set(map(len, texts)) != {2 * KEY_BYTES}:
        raise _Unusual
    return [whole[start : start + KEY_BYTES] for start in range(0, len(whole), KEY_BYTES)]


def _kinds(column: _Column, *allowed: type) -> set[type]:
    """The types of a column's values; none but those allowed."""
    found = set(map(type, column))
    if not found <= set(allowed):
        raise _Unusual
    return found


def _known(column: _Column, *allowed: type) -> _Column:
    """The values that are not None."""
    found = _kinds(column, NoneType, *allowed)
    return [v for v in column if v is not None] if NoneType in found else column


def _texts(_: str, column: _Column) -> _Column:
    known = _known(column, str)
    if all(map(str.isascii, known)) and (not known or max(map(len, known)) <= storable.MOST_CHARACTERS):
        return column
    return list(map(storable.text, column))


def _said(name: str, column: _Column) -> _Column:
    _kinds(column, str)
    return _texts(name, column)


def _sources(name: str, column: _Column) -> _Column:
    _known(column, str)
    return _texts(name, [v or "own" for v in column])


def _counts(_: str, column: _Column) -> _Column:
    known = _known(column, int)
    if known and not (min(known) >= 0 and storable.tokens(max(known)) is not None):
        raise _Unusual
    return column


def _figures(_: str, column: _Column) -> _Column:
    if not all(map(math.isfinite, _known(column, float))):
        raise _Unusual
    return column


def _moments(_: str, column: _Column) -> _Column:
    _kinds(column, float)
    if not all(map(math.isfinite, column)) or not (is_moment(min(column)) and is_moment(max(column))):
        raise _Unusual
    return column


def _each(name: str, column: _Column) -> _Column:
    """A column that is mostly empty, or costs as much to check at once as value by value."""
    return column if not any(column) and _kinds(column, NoneType) else [checked_value(name, v) for v in column]


_CHECKED: dict[str, Callable[[str, _Column], _Column]] = {
    "source": _sources, "text": _said, "finish_reason": _texts, "choice_logprobs": _each, "thinking": _texts,
    "input_tokens": _counts, "output_tokens": _counts, "cached_tokens": _counts, "reasoning_tokens": _counts,
    "cost": _figures, "model_served": _texts, "fingerprint": _texts, "raw": _texts, "latency_s": _figures,
    "created_at": _moments, "option_figures": _each,
}  # fmt: skip
