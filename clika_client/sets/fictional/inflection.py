"""How names change inside a sentence, language by language: which words can be forms of a name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from clika_client.sets.fictional.language import DATA

KEPT = 3
"""Letters of a name that every inflected form keeps; fewer would be found in ordinary words."""


@dataclass(frozen=True, slots=True)
class Inflection:
    """How one language changes names inside a sentence."""

    lost: int = 0
    """Letters at a name's end that may give way,"""
    gained: int = 0
    """to so many others at most."""
    before: tuple[str, ...] = ()
    """What may be written together with a name's beginning."""
    unspaced: bool = False
    stems: tuple[tuple[str, str], ...] = ()
    """Ends of names that change within, as (end, other end): Київ, Києв-."""

    @property
    def inflects(self) -> bool:
        """Whether a name can stand in any other form than its own."""
        return bool(self.lost or self.gained or self.before)

    def form_of(self, name: str, word: str) -> bool:
        """Whether `word` can be `name` in some form; both in plain form."""
        rests = self.bare(word)
        return any(self.declined(stem, rest, self.gained) for stem in self.stems_of(name) for rest in rests)

    def bare(self, word: str) -> list[str]:
        """The word, and what is left of it without what is written together with a name's beginning."""
        return [word, *(word.removeprefix(before) for before in self.before if word.startswith(before))]

    def stems_of(self, name: str) -> list[str]:
        """The name, and as its end may change within."""
        return [name, *(name.removesuffix(end) + other for end, other in self.stems if name.endswith(end))]

    def declined(self, name: str, word: str, gained: int) -> bool:
        """Whether `word` is `name` with its end given way to at most `gained` letters."""
        if name == word:
            return True
        same = kept(name, word)
        return same >= max(KEPT, len(name) - self.lost) and len(word) - same <= gained


def kept(name: str, word: str) -> int:
    """Letters that a name and a word share from the start on."""
    return next((n for n, (a, b) in enumerate(zip(name, word, strict=False)) if a != b), min(len(name), len(word)))


@lru_cache
def inflection(language: str) -> Inflection:
    """The rule of a language; one that leaves names as they are where the table has none."""
    table = _table()
    bare = language.split("-")[0]
    tail: Mapping[str, int] = table["tail"].get(bare, {})
    before = tuple(table["before"].get(bare, "").split())
    stems = tuple((end, other) for end, _, other in (s.partition(":") for s in table["stem"].get(bare, "").split()))
    return Inflection(tail.get("lost", 0), tail.get("gained", 0), before, bare in table["unspaced"], stems)


@lru_cache
def _table() -> dict[str, Any]:
    return tomllib.loads((DATA / "inflection.toml").read_text("utf-8"))
