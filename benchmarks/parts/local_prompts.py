"""Prompts to measure local models on: synthetic ones that share a beginning, and those of a real set."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clika_providers import Message, Request

LABELS = ("A", "B", "C", "D", "E")


@dataclass(frozen=True, slots=True)
class Prompts:
    """Requests by language: `by_language[l][i]` asks item i in language l."""

    name: str
    by_language: tuple[tuple[Request, ...], ...]

    def by_item(self) -> list[Request]:
        """The set's own order: an item in every language, then the next item."""
        return [request for item in zip(*self.by_language, strict=True) for request in item]


def synthetic(share: float, items: int, count: Callable[[str], int]) -> Prompts:
    """Two languages' worth of prompts of which about `share` of the tokens is a common beginning.

    As with real prompts, a larger share means shorter questions rather than endless instructions.
    """
    words, letters = (6, 8) if share < 0.8 else (3, 3)
    languages = []
    for language in ("first", "second"):
        rng = random.Random(language)
        tails = [_question(rng, words, letters) for _ in range(items)]
        own = sum(map(count, tails)) / items + 8  # 8: what a chat template closes a prompt with
        head = ""
        while count(head) < share / (1 - share) * own - 4:
            head += " ".join(_word(rng, 8) for _ in range(4)) + ".\n"
        languages.append(tuple(letter_request(f"{head}Question:{tail}") for tail in tails))
    return Prompts(f"synthetic {share:.0%}", tuple(languages))


def _word(rng: random.Random, letters: int) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, letters)))


def _question(rng: random.Random, words: int, letters: int) -> str:
    options = "".join(f"{label}. {_word(rng, letters)}\n" for label in LABELS)
    return f"{' '.join(_word(rng, letters) for _ in range(words))}?\n{options}Answer:"


def letter_request(text: str) -> Request:
    """Asks for the letter of the right option."""
    return Request((Message("user", text),), mode="logprobs", labels=LABELS)


def real(style: str, items: int) -> Prompts:
    """Prompts of the authors' release if the user has it, else of the built-in atlas."""
    from clika_client.prompts.catalogue import get_style
    from clika_client.prompts.style import render
    from clika_client.sets.catalogue import resolve
    from clika_client.sets.release import read_release

    where = os.environ.get("CLIKA_OFFICIAL_DATA")
    probe_set = read_release(Path(where), "x_geo") if where else resolve("atlas")
    languages = []
    for language in ("en", "de"):
        prompts = [render(probe, get_style(style), probe_set) for probe in probe_set.probes[language][:items]]
        languages.append(tuple(Request(p.messages, mode="logprobs", labels=p.labels) for p in prompts))
    return Prompts(f"{probe_set.name} {style}", tuple(languages))
