"""Rate-limit headers as numbers: OpenAI's `x-ratelimit-*` and Anthropic's `anthropic-ratelimit-*`."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from clika_providers.traffic.http_errors import duration

Unit = Literal["requests", "tokens"]
_FAMILIES: tuple[tuple[str, Unit], ...] = (
    ("x-ratelimit-{}-requests", "requests"),
    ("x-ratelimit-{}-tokens", "tokens"),
    ("anthropic-ratelimit-requests-{}", "requests"),
    ("anthropic-ratelimit-input-tokens-{}", "tokens"),
    ("anthropic-ratelimit-output-tokens-{}", "tokens"),
    ("anthropic-ratelimit-tokens-{}", "tokens"),
)
_NAMES: tuple[tuple[str, str, str, Unit], ...] = tuple(
    (base.format("limit"), base.format("remaining"), base.format("reset"), unit) for base, unit in _FAMILIES
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of one allowance, in requests or tokens."""

    unit: Unit
    limit: float
    remaining: float
    refill_per_s: float | None
    """Units that come back each second; None when the server does not say when it is full again."""


def read_allowances(headers: Mapping[str, str]) -> Iterator[Allowance]:
    """Every allowance the headers state; names are looked up in lower case."""
    for limit_name, remaining_name, reset_name, unit in _NAMES:
        raw = headers.get(remaining_name)
        if raw is None:
            continue
        try:
            remaining, limit = float(raw), float(headers.get(limit_name) or raw)
        except ValueError:
            continue
        if not (math.isfinite(remaining) and math.isfinite(limit)):
            continue
        seconds = _reset_seconds(headers.get(reset_name))
        refill = None
        if seconds is not None and seconds > 0 and limit > remaining:
            refill = (limit - remaining) / seconds
        yield Allowance(unit, limit, remaining, refill)


def _reset_seconds(text: str | None) -> float | None:
    """Seconds until the allowance is full: a duration, or Anthropic's RFC 3339 moment."""
    if not text:
        return None
    value = duration(text)
    if value is not None:
        # A bare number beyond any sensible wait is a moment in Unix time (seconds or milliseconds).
        if value > 1e11:
            return max(0.0, value / 1000 - time.time())
        return max(0.0, value - time.time()) if value > 1e9 else value
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None
