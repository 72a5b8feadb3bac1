"""The reading `named`: which of the names that can be answered a free reply gives.

A name counts as given when it, or an inflected form of it, stands in the reply undenied and no other name does. What
counts as an inflected form is bounded by a table per language, and the names one can choose from are few
and unlike, so that a form that could be two of them is taken for neither.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from clika_client.answers.open.names import NameFinder
from clika_client.answers.open.negation import asserted
from clika_client.answers.open.passages import cut

NAMED = "named@2"
"""With its version: what is kept by another one is read anew."""
Reason = Literal["", "empty", "none", "multiple"]


@dataclass(frozen=True, slots=True)
class NamesOffered:
    """The names that a reply may give, in the language that they are written in."""

    language: str
    names: tuple[str, ...]

    @property
    def stamp(self) -> str:
        """The reading by which what replies give of just these names is kept."""
        digest = hashlib.blake2b("\n".join(self.names).encode(), digest_size=8)
        return f"{NAMED}+{self.language}:{digest.hexdigest()}"


@dataclass(frozen=True, slots=True)
class Match:
    """Which name a reply gives, as an index into the names, or None with the reason."""

    index: int | None
    reason: Reason = ""


class Matcher:
    """Reads replies in one language against the names that can be answered."""

    def __init__(self, offered: NamesOffered) -> None:
        self.language = offered.language
        self.finder = NameFinder({str(i): (name,) for i, name in enumerate(offered.names)}, offered.language)

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
