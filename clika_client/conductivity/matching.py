"""Finds which of the possible names a free-text answer gives, with the reader of open answers.

A name counts as given when it, or an inflected form of it, stands in the reply undenied and no other name does. What
counts as an inflected form is bounded by a table per language, and the names one can choose from are few
and unlike, so that a form that could be two of them is taken for neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clika_client.answers.open.names import NameFinder
from clika_client.answers.open.negation import asserted
from clika_client.answers.open.passages import cut

Reason = Literal["", "empty", "none", "multiple"]


@dataclass(frozen=True, slots=True)
class Match:
    """Which name a reply gives, as an index into the names, or None with the reason."""

    index: int | None
    reason: Reason = ""


class Matcher:
    """Reads replies in one language against the names that can be answered."""

    def __init__(self, names: Sequence[str], language: str) -> None:
        self.language = language
        self.finder = NameFinder({str(index): (name,) for index, name in enumerate(names)}, language)

    def match(self, reply: str) -> Match:
        """The one name that stands in the reply, not denied."""
        clauses = cut(reply, self.language).clauses
        if not clauses:
            return Match(None, "empty")
        unspaced = self.finder.rule.unspaced
        found: set[str] = set()
        for clause in clauses:
            here = self.finder.find(clause.plain)
            found |= {one.name for one in asserted(clause.plain, here, self.language, unspaced=unspaced)}
        if not found:
            return Match(None, "none")
        return Match(int(found.pop())) if len(found) == 1 else Match(None, "multiple")
