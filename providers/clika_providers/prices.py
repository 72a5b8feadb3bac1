"""What a request costs: a small dated table, overridable by the user; an unknown price is None, never a guess."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from clika_providers.errors import RunError
from clika_providers.types import AskMode, Usage
from clika_providers.userfiles import UserFile, builtin, checked

_UNBILLED = frozenset({"gguf", "mock", "ollama", "vllm", "llama-server", "lmstudio"})
_MILLION = 1_000_000
_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens, for one model."""

    model: str
    input: float
    output: float
    source: str
    as_of: date | None = None
    cached: float | None = None
    batch: float | None = None
    """Factor on every price in a batch; None when the vendor's batches are not offered here."""
    above: int | None = None
    """Requests with more input tokens than this pay input_above and output_above for all their tokens."""
    input_above: float = 0.0
    output_above: float = 0.0
    mode: AskMode | None = None

    def cost(self, usage: Usage, *, batch: bool = False) -> float | None:
        """US dollars for ONE request, None when the server did not count its tokens.

        Never to be called with the sum of several requests: the higher price of long requests would be taken for it.
        """
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        long = self.above is not None and usage.input_tokens > self.above
        per_input = self.input_above if long else self.input
        per_output = self.output_above if long else self.output
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        per_cached = per_input if self.cached is None else self.cached * (per_input / self.input if self.input else 1.0)
        dollars = (usage.input_tokens - cached) * per_input + cached * per_cached + usage.output_tokens * per_output
        return dollars * (self.batch or 1.0 if batch else 1.0) / _MILLION

    def estimate(self, input_tokens: float, output_tokens: float, *, batch: bool = False) -> float:
        """US dollars for one request of about this size, with nothing cached by the vendor."""
        known = self.cost(Usage(round(input_tokens), round(output_tokens)), batch=batch)
        assert known is not None
        return known


def find_price(spec: str, *, mode: AskMode = "text", user_file: Path | None = None) -> Price | None:
    """The price of a model spec, None when it is not known. Models on the user's own machines cost nothing."""
    rows = _rows(UserFile.now("prices.toml", user_file))
    for name in (spec, family_of(spec)):
        for key in ((name, mode), (name, None)):
            if key in rows:
                return rows[key]
    if spec.partition("/")[0] in _UNBILLED:
        return Price(spec, 0.0, 0.0, "runs on your own machine")
    return None


def family_of(spec: str) -> str:
    """A model's name without its date; a snapshot that costs something else has a row of its own."""
    return _DATED.sub("", spec)


def known_prices(user_file: Path | None = None) -> list[Price]:
    """Every row for all ways of asking, the user's applied over the built-in ones."""
    rows = _rows(UserFile.now("prices.toml", user_file))
    return [price for price in rows.values() if price.mode is None]


@cache
def _rows(mine: UserFile) -> dict[tuple[str, str | None], Price]:
    found: dict[tuple[str, str | None], Price] = {}
    for table, origin in ((builtin("prices.toml"), "prices.toml"), (mine.table(), str(mine.path))):
        rows = table.get("price", [])
        if not isinstance(rows, list):
            raise RunError(f"{origin}: prices are written as [[price]], not [price]", code="setup")
        for number, row in enumerate(rows, 1):
            price = _price(row, f"{origin}: price {number}")
            found[price.model, price.mode] = price
    return found


def _price(row: object, where: str) -> Price:
    values = checked(Price, row, where)
    missing = sorted({"model", "input", "output"} - values.keys())
    if missing:
        raise RunError(f"{where} lacks {', '.join(missing)}", code="setup")
    for name, value in values.items():
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise RunError(f"{where}: {name} must be a number of dollars, 0 or more, not {value!r}", code="setup")
    return Price(**{"source": where, **values})
