"""Services that fine-tune models: which there are, whether they still take jobs, and what a job will cost."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from clika_client.common.errors import UserError
from clika_client.common.wording import counted
from clika_client.conductivity.examples import read_examples

FEWEST_EXAMPLES = 10
"""Services refuse smaller files."""
PER_EXAMPLE, PER_MESSAGE = 3, 4
"""Tokens that the chat form adds: OpenAI's cookbook counts three and the role for a message, three for the reply."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that fine-tunes, and whether it still accepts jobs."""

    name: str
    title: str
    hosts: tuple[str, ...]
    base_url: str
    key_env: str
    api: str
    """`openai`, or `own` for an API that is not spoken here."""
    status: str
    closes: date | None = None
    prices: Mapping[str, float] = field(default_factory=dict)
    """Start of the model's name → US dollars per million trained tokens."""


@dataclass(frozen=True, slots=True)
class JobEstimate:
    """What a job will cost, as far as it can be known before the service has counted."""

    examples: int
    tokens: int
    """Tokens of one pass: guessed as one per three bytes of text, with those that the chat form adds."""
    epochs: int
    price: float | None
    """US dollars per million trained tokens; None when unknown."""

    @property
    def dollars(self) -> float | None:
        """The whole job's price; None when the price per token is unknown."""
        return None if self.price is None else self.tokens * self.epochs * self.price / 1e6

    def __str__(self) -> str:
        seen = f"{counted(self.examples, 'example')}, about {counted(self.tokens, 'token')}"
        size = f"{seen}, {counted(self.epochs, 'epoch')}"
        if self.dollars is None:
            return f"{size}: price unknown, see the service's price list"
        return f"{size}: about ${self.dollars:.2f} at ${self.price:g} per million trained tokens"


@cache
def services() -> Mapping[str, Service]:
    """The known services by name."""
    text = resources.files("clika_client").joinpath("conductivity/services.toml").read_text("utf-8")
    return {
        name: Service(name=name, **{**row, "hosts": tuple(row["hosts"])}) for name, row in tomllib.loads(text).items()
    }


def service_at(base_url: str) -> Service | None:
    """The service behind an address; None for one that is not in the table."""
    host = urlsplit(base_url).hostname or ""
    for service in services().values():
        if any(host == known or host.endswith("." + known) for known in service.hosts):
            return service
    return None


def check_open(base_url: str, today: date) -> str | None:
    """What to know about the service before paying, or None; raises UserError where no job can be started."""
    service = service_at(base_url)
    if service is None:
        return None
    if service.api != "openai":
        raise UserError(
            f"{service.title}: {service.status} Export the file with `clika teach build` and upload it there"
        )
    if service.closes and today > service.closes:
        raise UserError(
            f"{service.title} accepts no fine-tuning jobs since {service.closes}; teach a local model instead"
        )
    return f"{service.title}: {service.status}"


def estimate(teaching_file: Path, model: str, epochs: int, base_url: str, price: float | None = None) -> JobEstimate:
    """Count the examples and guess the price; `price` overrides the table (US dollars per million trained tokens).

    Raises UserError for a file the services would refuse.
    """
    examples = read_examples(teaching_file)
    if len(examples) < FEWEST_EXAMPLES:
        raise UserError(
            f"{teaching_file} has {counted(len(examples), 'example')}; services ask for at least {FEWEST_EXAMPLES}"
        )
    if epochs < 1:
        raise UserError(f"epochs must be at least 1, got {epochs}")
    text = sum(len(t.encode()) for e in examples for t in (*(content for _, content in e.messages), e.answer))
    chat = sum(PER_EXAMPLE + PER_MESSAGE * (len(e.messages) + 1) for e in examples)
    service = service_at(base_url)
    if price is None and service is not None:
        matches = [start for start in service.prices if model.startswith(start)]
        price = service.prices[max(matches, key=len)] if matches else None
    return JobEstimate(len(examples), math.ceil(text / 3) + chat, epochs, price)
