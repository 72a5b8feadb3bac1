"""Finds which of the possible names a free-text answer gives: case, accents and inflection do not matter.

A name counts as given when it, or an inflected form of it, stands in the reply and no other name does. What
counts as an inflected form is bounded by a table per language, and the names one can choose from are few
and unlike, so that a form that could be two of them is taken for neither.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from clika_client.sets.fictional.language import DATA
from clika_client.sets.fictional.text import plain

KEPT = 3
"""Letters of a name that every inflected form keeps; fewer would be found in ordinary words."""
Reason = Literal["", "empty", "none", "multiple"]


@dataclass(frozen=True, slots=True)
class Match:
    """Which name a reply gives, as an index into the names, or None with the reason."""

    index: int | None
    reason: Reason = ""


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

    @property
    def inflects(self) -> bool:
        """Whether a name can stand in any other form than its own."""
        return bool(self.lost or self.gained or self.before)


class Matcher:
    """Reads replies in one language against the names that can be answered."""

    def __init__(self, names: Sequence[str], language: str) -> None:
        self.rule = inflection(language)
        self.words = [plain(name).split() for name in names]
        self.joined = ["".join(words) for words in self.words]
        self.exact = {tuple(words): index for index, words in enumerate(self.words) if words}
        self.lengths = sorted({len(words) for words in self.exact}, reverse=True)

    def match(self, reply: str) -> Match:
        """The one name that stands in the reply."""
        text = plain(reply)
        if not text:
            return Match(None, "empty")
        found = self._in_text("".join(text.split())) if self.rule.unspaced else self._in_words(text.split())
        if not found:
            return Match(None, "none")
        return Match(found.pop()) if len(found) == 1 else Match(None, "multiple")

    def _in_text(self, text: str) -> set[int]:
        """Names that stand anywhere; the longest first, so that a name inside another is not counted too."""
        found = set()
        for index in sorted(range(len(self.joined)), key=lambda i: -len(self.joined[i])):
            if self.joined[index] and self.joined[index] in text:
                found.add(index)
                text = text.replace(self.joined[index], " ")
        return found

    def _in_words(self, words: Sequence[str]) -> set[int]:
        """Names that stand as words in a row: exact ones first, inflected ones among the words that are left."""
        found: set[int] = set()
        left: list[str | None] = list(words)
        for name_of in (self.exact.get, self._inflected) if self.rule.inflects else (self.exact.get,):
            for length in self.lengths:
                for start in range(len(left) - length + 1):
                    part = tuple(word for word in left[start : start + length] if word)
                    index = name_of(part) if len(part) == length else None
                    if index is not None:
                        found.add(index)
                        left[start : start + length] = [None] * length
        return found

    def _inflected(self, words: tuple[str, ...]) -> int | None:
        """The only name that these words can be a form of; of two, the one that more letters are kept of."""
        fits = {
            index: sum(_kept(word, form) for word, form in zip(name, words, strict=True))
            for index, name in enumerate(self.words)
            if len(name) == len(words) and all(map(self._form_of, name, words))
        }
        best = [index for index, kept in fits.items() if kept == max(fits.values())]
        return best[0] if len(best) == 1 else None

    def _form_of(self, name: str, word: str) -> bool:
        return any(self._declined(name, rest) for rest in self._without_beginning(word))

    def _without_beginning(self, word: str) -> list[str]:
        return [word, *(word.removeprefix(b) for b in self.rule.before if word.startswith(b))]

    def _declined(self, name: str, word: str) -> bool:
        if name == word:
            return True
        kept = _kept(name, word)
        return kept >= max(KEPT, len(name) - self.rule.lost) and len(word) - kept <= self.rule.gained


def _kept(name: str, word: str) -> int:
    """Letters that a name and a word share from the start on."""
    return next((n for n, (a, b) in enumerate(zip(name, word, strict=False)) if a != b), min(len(name), len(word)))


@lru_cache
def inflection(language: str) -> Inflection:
    """The rule of a language; one that leaves names as they are where the table has none."""
    table = _table()
    bare = language.split("-")[0]
    tail: Mapping[str, int] = table["tail"].get(bare, {})
    before = tuple(table["before"].get(bare, "").split())
    return Inflection(tail.get("lost", 0), tail.get("gained", 0), before, bare in table["unspaced"])


@lru_cache
def _table() -> dict[str, Any]:
    return tomllib.loads((DATA / "inflection.toml").read_text("utf-8"))
