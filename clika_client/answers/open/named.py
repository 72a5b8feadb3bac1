"""The reading `named`: which of the names that a set's questions offer a free reply gives.

A name counts as given when it, or an inflected form of it, stands in the reply undenied and no other name does. What
counts as an inflected form is bounded by a table per language, and the names one can choose from are few
and unlike, so that a form that could be two of them is taken for neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from clika_client.answers.open.names import NameFinder
from clika_client.answers.open.negation import asserted
from clika_client.answers.open.passages import cut
from clika_client.common.answer_codes import NO_ANSWER, OTHER, Answers
from clika_client.sets.probes import Probe

NAMED = "named"
VERSION = "1"
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


def names_offered(probes: Sequence[Probe]) -> list[str]:
    """Every name that one of the questions offers, in their order: what a reply to any of them can give."""
    return list(dict.fromkeys(name for probe in probes for name in probe.choices))


def read_named(
    matcher: Matcher, names: Sequence[str], probes: Sequence[Probe], texts: Sequence[str], reasons: Sequence[str]
) -> tuple[Answers, npt.NDArray[np.uint8]]:
    """(choice, reason code) of each reply to the question beside it; OTHER for a name that only others offer.

    `matcher` reads against `names`; `reasons` are the names of the stored reasons by code.
    """
    codes, why = np.full(len(texts), NO_ANSWER, np.int8), np.zeros(len(texts), np.uint8)
    for i, (probe, text) in enumerate(zip(probes, texts, strict=True)):
        found = matcher.match(text)
        if found.index is None:
            why[i] = reasons.index(found.reason)
        else:
            name = names[found.index]
            codes[i] = probe.choices.index(name) if name in probe.choices else OTHER
    return codes, why
