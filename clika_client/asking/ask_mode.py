"""Which way a local model can be asked: does it put its answer into the letters it is shown?

A short probe of sums in the wording of the run, in every order of their options. It is no part of any set, and no
score decides: letters are asked for where they hold most of the probability and follow the right option when that
moves; else the likelihood of the options' own texts, which base and small models answer with what they know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clika_client.prompts.catalogue import get_style
from clika_client.prompts.style import Style, render
from clika_client.sets.probes import Item, Probe, ProbeSet, build
from clika_providers import Json, Provider, Request

_SUMS = ((2, 3, ("5", "4", "7", "9")), (6, 2, ("8", "3", "6", "5")), (1, 2, ("3", "9", "6", "8")))
_MOST_LANGUAGES = 3
MOST = 0.5
"""Share of the probability that the letters must hold, and share of the sums that must be right, for letters."""


@dataclass(frozen=True, slots=True)
class LetterProbe:
    """What the probe showed of one model."""

    languages: tuple[str, ...]
    n: int
    label_mass: float
    """Mean probability that the answer begins with any of the letters shown, 0 to 1."""
    right: float
    """Share of the sums whose likeliest letter stands before the right option."""

    @property
    def ask(self) -> Literal["logprobs", "likelihood"]:
        """The way to ask that the probe advises."""
        return "logprobs" if self.label_mass >= MOST and self.right >= MOST else "likelihood"

    def sentence(self) -> str:
        """What was found, and what follows from it."""
        found = (
            f"in a probe of {self.n} sums ({', '.join(self.languages)}) the letters held {self.label_mass:.0%} of the "
            f"probability and {self.right:.0%} of the likeliest letters were right"
        )
        if self.ask == "logprobs":
            return f"{found}: it can be asked for letters (--ask logprobs)"
        return f"{found}: letters would not show what it knows, the likelihood of the options does (--ask likelihood)"

    def record(self) -> Mapping[str, Json]:
        """Plain values."""
        return {
            "languages": list(self.languages), "n": self.n, "label_mass": self.label_mass, "right": self.right,
            "advice": self.ask,
        }  # fmt: skip


async def probe_letters(
    provider: Provider, style: Style | None = None, languages: Sequence[str] = ("en",)
) -> LetterProbe:
    """Ask a model for letters where nothing but reading the options is needed; raises ProviderError."""
    asked = tuple(languages[:_MOST_LANGUAGES])
    sums = _set(asked)
    style = style or get_style("plain")
    mass = right = 0.0
    requests = [
        (_request(probe, style, sums, rotation), (probe.gold - rotation) % sums.k)
        for language in asked
        for probe in sums.probes[language]
        for rotation in range(sums.k)
    ]
    for request, gold in requests:
        found = (await provider.complete(request)).choice_logprobs or ()
        known = [-math.inf if value is None else value for value in found]
        mass += sum(map(math.exp, known))
        right += bool(known) and known.index(max(known)) == gold
    return LetterProbe(asked, len(requests), min(1.0, mass / len(requests)), right / len(requests))


def _request(probe: Probe, style: Style, sums: ProbeSet, rotation: int) -> Request:
    prompt = render(probe, style, sums, rotation=rotation)
    return Request(prompt.messages, "logprobs", prompt.labels)


def _set(languages: Sequence[str]) -> ProbeSet:
    items = [Item(f"sum:{a}+{b}") for a, b, _ in _SUMS]
    probes = [
        Probe(item.item_id, language, f"{a} + {b} = ?", options, 0)
        for language in languages
        for item, (a, b, options) in zip(items, _SUMS, strict=True)
    ]
    return build("sums", items, probes)
