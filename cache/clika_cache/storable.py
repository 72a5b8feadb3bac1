"""What may enter the file: each text, count and figure of a reply made storable before anything is queued.

Replies come from strangers. One lone surrogate, one token count beyond 64 bits or one infinite figure would stop the
writer and take a whole batch of good replies with it, so every value of a row passes here, whoever made it. The
functions are total: they return something SQLite takes, for any input.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

MOST_CHARACTERS = 8_000_000
"""Characters of one field; what a model says in answer to one question is a thousandth of it."""
_MOST_TOKENS = 1_000_000_000
_MOST_STATUS = 999


def text(value: object) -> str | None:
    """Text as UTF-8 takes it: half of a surrogate pair, which JSON escapes can carry, becomes `?`."""
    if value is None:
        return None
    whole = value if isinstance(value, str) else str(value)
    if len(whole) > MOST_CHARACTERS:
        whole = whole[: MOST_CHARACTERS - 1] + "…"
    return whole if whole.isascii() else whole.encode("utf-8", "replace").decode("utf-8")


def words(value: object) -> str:
    """Text where a row needs one."""
    return text(value) or ""


def tokens(value: object) -> int | None:
    """A count of tokens that one request can have; anything else is unknown."""
    return None if value is None else _whole(value, _MOST_TOKENS)


def status(value: object) -> int | None:
    """An HTTP status."""
    return _whole(value, _MOST_STATUS)


def figure(value: object) -> float | None:
    """A finite number; anything else is unknown."""
    if type(value) is float and math.isfinite(value):  # nearly always
        return value
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def logprobs(values: object) -> str | None:
    """Label log-probabilities as JSON text, a figure that is none as null."""
    kept = each(figure, values)
    return None if kept is None else json.dumps(kept)


def each(make: Callable[[object], T], values: object) -> list[T] | None:
    """Every value of a list made storable; None for what is no list."""
    return [make(v) for v in values] if isinstance(values, tuple | list) else None


def _whole(value: object, most: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        return None
    return int(value) if value == int(value) else None
