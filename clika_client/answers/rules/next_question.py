"""Where a base model goes on, after its answer, to invent the next question."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clika_client.answers.rules.normalise import fold
from clika_client.answers.rules.words import Role, words

_HEADED = re.compile(r"\n\s*([^\W\d_][^\n:.]{0,24}?)\s*\d{0,3}\s*[:.]")
"""`Question: …`, `Exercise 12: …`"""
_COUNTED = re.compile(r"\n\s*([^\W\d_]{1,12}?)\s?\d{1,3}\s")
"""`問2 …`"""
_NUMBERED = re.compile(r"\n\s*\d{1,3}\s?[.)]\s?[^\n]{2,300}\?\s*(?=\n|$)")
"""`2. What is the capital of Canada?`"""
_ASKED = re.compile(r"\n[^\n]{2,300}\?\s*\n\s*\(?\w{1,2}\s?[.):,]")
"""A line that asks, over a line that a label opens."""


def headed(text: str) -> int | None:
    """Where a heading for another question stands: what follows is never this reply's answer."""
    for match in _HEADED.finditer(text):
        if _means_question(match.group(1)):
            return match.start()
    return None


def unheaded(text: str) -> Iterator[int]:
    """Places where another question may begin, if what stands before them answers this one."""
    for pattern in (_COUNTED, _NUMBERED, _ASKED):
        for match in pattern.finditer(text):
            if pattern is not _COUNTED or _means_question(match.group(1)):
                yield match.start()
                break


def _means_question(heading: str) -> bool:
    folded = fold(heading)
    parts = tuple(folded.split())
    if any(role & Role.QUESTION for _, role in words().single.get(folded, ())):
        return True
    return any(parts == known and role & Role.QUESTION for known, role in words().phrases.get(parts[:1][0], ()))
