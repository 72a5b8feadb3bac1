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

_LIST_NUMBER = re.compile(r"\s*\(?\d{1,2}\s?[.),、．）]\s*")
"""`1.`"""


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


def counts_questions(text: str, at: int) -> bool:
    """Whether a list's number is all that stands before another question at `at`: `1.` counts those, not options."""
    return _LIST_NUMBER.fullmatch(text, 0, at) is not None


def opens_with_question(text: str) -> bool:
    """Whether a list's number and a heading for another question open a text: `1. Question: …`."""
    number = _LIST_NUMBER.match(text)
    return number is not None and headed("\n" + text[number.end() :]) == 0


def _means_question(heading: str) -> bool:
    folded = fold(heading)
    parts = tuple(folded.split())
    if any(role & Role.QUESTION for _, role in words().single.get(folded, ())):
        return True
    return any(parts == known and role & Role.QUESTION for known, role in words().phrases.get(parts[:1][0], ()))
