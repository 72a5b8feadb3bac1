"""Where the options' texts stand in a reply, in the spellings that people use for them."""

from __future__ import annotations

import re

from clika_client.answers.rules.normalise import fold_word, lower, plain_letters
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.token import joined
from clika_client.answers.rules.words import Role, words

_MOST = 40
"""Places of one text looked at, and"""
_IN_ALL = 200
"""of all."""
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:[,.' ]\d{3})+(?![\d])(?![.,]\d)")

Span = tuple[int, int, int]
"""(start, end, index of the option)."""


def option_spans(text: str, question: Question) -> list[Span]:
    """Places where an option's text stands, longest text first, without overlaps, in order."""
    found: list[Span] = []
    low = plain_letters(lower(text))
    for number in _GROUPED.finditer(low):
        index = question.spelled.numbers.get(re.sub(r"\D", "", number.group()))
        if index is not None:
            found.append((number.start(), number.end(), index))
    for shortened, index in question.spelled.short_forms:  # `DR Congo`, `UAE`: in capitals as written
        _find(text, shortened, index, found)
    for spelling, index in question.spelled.spans:
        _find(low, spelling, index, found)
        if len(found) > _IN_ALL:
            break
    found.sort()
    return [span for span in found if not _announces(low, span)]


def _announces(low: str, span: Span) -> bool:
    """Whether an option's text only begins an announcement: `The correct answer i`, option "correct answer"."""
    start, end, _ = span
    if not low[end:].strip(" .!?\n\"')"):
        return False
    wanted = Role.ANSWER | Role.CORRECT | Role.OPTION | Role.FINAL
    known = words().single
    said = (known.get(fold_word(word), ()) for word in low[start:end].split())
    return all(any(role & wanted for _, role in entries) for entries in said)


def _find(low: str, text: str, index: int, found: list[Span]) -> None:
    at = low.find(text)
    count = 0
    while at >= 0 and count < _MOST:
        end = at + len(text)
        if not joined(low, at) and not _runs_on(low, end) and not any(s < end and at < e for s, e, _ in found):
            found.append((at, end, index))
            count += 1
        at = low.find(text, at + 1)


def _runs_on(low: str, end: int) -> bool:
    if end < len(low) and "\uac00" <= low[end] <= "\ud7a3" and "\uac00" <= low[end - 1] <= "\ud7a3":
        return False  # a Korean particle may follow
    if low[end - 1].isdigit() and _grouped_on(low, end):
        return True
    return joined(low, end)


def _grouped_on(low: str, end: int) -> bool:
    """Whether digits go on behind a separator: `12` in `12,000`."""
    return low[end : end + 1] in (",", "'") and low[end + 1 : end + 4].isdigit()
