"""Replies with nothing of the options in them, as `The answer is B.`: read once for all questions with such labels."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from clika_client.answers.rules.echo import without_labels
from clika_client.answers.rules.fields import fields
from clika_client.answers.rules.normalise import bounded, clean, core, loose, lower, plain_letters, strip_thinking
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.result import Answer
from clika_client.answers.rules.standard import read_standard
from clika_client.answers.rules.whole_reply import labelled, loose_options
from clika_client.answers.rules.words import words

_LONGEST = 200
"""Characters of a reply that is remembered: longer ones hardly come back word for word."""
_DECIDED_LATER = frozenset(("option", "label-text", "beginning", "contained", "inflected", "unread"))
"""Rules that look at the options to decide, or that come only after one which does."""


class _Read(NamedTuple):
    """One reply read against its labels alone, in the forms in which options' texts are looked for."""

    answer: Answer
    text: str
    low: str
    plain: str
    loose: str


def read_option_free(text: str, question: Question, language: str | None, example: str) -> Answer | None:
    """The answer of a reply that no option's text can have a part in; None where one might, or that says too little."""
    if len(text) > _LONGEST or question.clash or question.spelled.symbols or not _met_elsewhere(text, question):
        return None
    read = _against_labels(text, question.labels.given, question.labels.numeric_options, language, example)
    return read.answer if read is not None and not _meets(read, question) else None


def _met_elsewhere(text: str, question: Question) -> bool:
    """Whether another question met the reply: one that never comes back is not worth a second reading."""
    return _first_met(text, _Place(question)).question is not question


class _Place:
    """The question that a reply was met at, of no account for what is remembered: all are equal."""

    __slots__ = ("question",)

    def __init__(self, question: Question) -> None:
        self.question = question

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Place)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=32_768)
def _first_met(_: str, place: _Place) -> _Place:
    return place


@lru_cache(maxsize=16_384)
def _against_labels(
    text: str, labels: tuple[str, ...], numeric: bool, language: str | None, example: str
) -> _Read | None:
    """The reading of a reply where no option can stand in it; None for a reply of several parts or for none of its own.

    A reply in several lines or fields is read part by part: what an option might share with each is not looked at here.
    """
    none_stand = Question(labels, ["\ufdd0" * (at + 2) for at in range(len(labels))], numeric)
    answer = read_standard(text, none_stand, language, example)
    said = clean(bounded(strip_thinking(text) or ""))
    if answer.rule in _DECIDED_LATER or "\n" in said or "{" in said or fields(text):
        return None
    if without_labels(said, none_stand) != said or labelled(said, none_stand):
        return None
    low = lower(said)
    return _Read(answer, said, low, plain_letters(low), loose(core(said), words().articles))


def _meets(read: _Read, question: Question) -> bool:
    """Whether an option's text, in any spelling, stands in the reply, or goes on where the reply breaks off."""
    spelled = question.spelled
    return (
        any(own in read.low or own.startswith(read.low) for own in question.cores)
        or any(own in read.plain for own in spelled.plain)
        or any(spelling in read.plain for spelling, _ in spelled.spans)
        or any(form in read.text for form, _ in spelled.short_forms)
        or (bool(spelled.numbers) and any(map(str.isdigit, read.low)))
        or read.loose in loose_options(question)
    )


def forget_option_free() -> None:
    """Drop what is remembered."""
    _against_labels.cache_clear()
    _first_met.cache_clear()
