"""The price table beside litellm's published one: which prices differ, and which dated names are not their family's.

litellm keeps `model_prices_and_context_window.json`, dollars per token of thousands of models, corrected by many. It is
read from a file or an address that the user names; nothing is taken over from it, the differences are only shown.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from clika_providers.errors import RunError
from clika_providers.prices import Price, family_of, find_price, known_prices

_MILLION = 1_000_000
_MOST_BYTES = 100_000_000
_TIMEOUT_S = 60.0
_APART = 1e-6
Verdict = Literal["same", "differs", "not listed"]


@dataclass(frozen=True, slots=True)
class Published:
    """One model of the other table, US dollars per million tokens."""

    server: str
    input: float
    output: float


@dataclass(frozen=True, slots=True)
class PriceCompared:
    """One price beside the other table's."""

    model: str
    input: float
    output: float
    as_of: date | None
    verdict: Verdict
    their_input: float | None = None
    their_output: float | None = None
    priced_as: str | None = None
    """The family whose price this dated name is given, where it has none of its own."""


def fetch(place: str) -> bytes:
    """The other table's bytes, from a file or an http(s) address; raises RunError."""
    if not place.startswith(("http://", "https://")):
        try:
            return Path(place).expanduser().read_bytes()
        except OSError as error:
            raise RunError(f"cannot read {place}: {error.strerror}", code="setup") from None
    import httpx

    body = bytearray()
    try:
        with httpx.stream("GET", place, timeout=_TIMEOUT_S, follow_redirects=True) as response:
            if response.status_code != 200:
                raise RunError(f"{place} answered {response.status_code}; name a file instead", code="setup")
            for piece in response.iter_bytes(1 << 16):
                body += piece
                if len(body) > _MOST_BYTES:
                    raise RunError(f"{place} is longer than {_MOST_BYTES:,} bytes: no table of prices", code="setup")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RunError(f"{place} cannot be reached ({error}); name a file instead", code="setup") from None
    return bytes(body)


def read_published(data: bytes, where: str) -> Mapping[str, Published]:
    """The models of litellm's table that are priced per token; raises RunError for what is no such table."""
    try:
        table = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{where} is not JSON: {error}", code="setup") from None
    if not isinstance(table, dict):
        raise RunError(f"{where} is not litellm's table: it holds a JSON {type(table).__name__}", code="setup")
    found = {name: row for name, values in table.items() if (row := _published(values)) is not None}
    if not found:
        raise RunError(f"{where} is not litellm's table: no model in it has a price per token", code="setup")
    return found


def _published(values: Any) -> Published | None:
    if not isinstance(values, dict):
        return None
    server = values.get("litellm_provider")
    per_input, per_output = (_dollars(values.get(f"{side}_cost_per_token")) for side in ("input", "output"))
    if not isinstance(server, str) or per_input is None or per_output is None:
        return None
    return Published(server, per_input * _MILLION, per_output * _MILLION)


def _dollars(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    return float(value) if known else None


def compare(published: Mapping[str, Published], user_file: Path | None = None) -> list[PriceCompared]:
    """Every price of ours beside theirs, then the dated names that are priced as their family and should not be."""
    rows = known_prices(user_file)
    compared = [_compared(price, published) for price in rows]
    own = {price.model for price in rows}
    for name, theirs in published.items():
        spec = name if name.startswith(f"{theirs.server}/") else f"{theirs.server}/{name}"
        family = family_of(spec)
        price = find_price(spec, user_file=user_file)
        if spec not in own and family in own and price is not None and not _alike(price, theirs):
            compared.append(_beside(price, theirs, spec, family))
    return compared


def _compared(price: Price, published: Mapping[str, Published]) -> PriceCompared:
    server, _, name = price.model.partition("/")
    theirs = published.get(price.model) or published.get(name)
    if theirs is None or theirs.server != server:
        return PriceCompared(price.model, price.input, price.output, price.as_of, "not listed")
    return _beside(price, theirs, price.model, None)


def _beside(price: Price, theirs: Published, model: str, family: str | None) -> PriceCompared:
    verdict: Verdict = "same" if _alike(price, theirs) else "differs"
    return PriceCompared(model, price.input, price.output, price.as_of, verdict, theirs.input, theirs.output, family)


def _alike(price: Price, theirs: Published) -> bool:
    pairs = (price.input, theirs.input), (price.output, theirs.output)
    return all(math.isclose(ours, other, rel_tol=_APART, abs_tol=1e-9) for ours, other in pairs)
