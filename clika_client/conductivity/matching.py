"""Finds which of the possible names a free-text answer gives: case, accents and inflection do not matter.

A name counts as given when it, or an inflected form of it, stands in the reply and no other name does. What
counts as an inflected form is bounded by a table per language, and the names one can choose from are few
and unlike, so that a form that could be two of them is taken for neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clika_client.sets.fictional.inflection import inflection, kept
from clika_client.sets.fictional.text import plain

Reason = Literal["", "empty", "none", "multiple"]


@dataclass(frozen=True, slots=True)
class Match:
    """Which name a reply gives, as an index into the names, or None with the reason."""

    index: int | None
    reason: Reason = ""


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
            index: sum(kept(word, form) for word, form in zip(name, words, strict=True))
            for index, name in enumerate(self.words)
            if len(name) == len(words) and all(map(self.rule.form_of, name, words))
        }
        best = [index for index, same in fits.items() if same == max(fits.values())]
        return best[0] if len(best) == 1 else None
