"""Read replies as choices: `read_answer`, its batch form, and the named, versioned readings behind them.

A reading is a pure function. `first-letter` is the paper's (Gao et al., NAACL 2024, released code): strip the
reply and take its first character. `standard` is this project's own; docs/answers.md gives its rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from clika_client.answers.rules.compare import Differences, UnreadGroup, group_unread
from clika_client.answers.rules.compare import differences as compare_answers
from clika_client.answers.rules.option_free import forget_option_free, read_option_free
from clika_client.answers.rules.question import question
from clika_client.answers.rules.result import REASONS, Answer
from clika_client.answers.rules.roles import known_word
from clika_client.answers.rules.shortcut import read_fast
from clika_client.answers.rules.standard import RULES, read_standard
from clika_client.answers.rules.words import extension_digest
from clika_client.common.errors import UserError

__all__ = [
    "READINGS",
    "REASONS",
    "RULES",
    "Answer",
    "Differences",
    "ReadAnswers",
    "Reading",
    "UnreadGroup",
    "differences",
    "group_unread",
    "read_answer",
    "read_answers",
    "read_first_letter",
    "reading",
    "with_finish",
]

Labels = tuple[str, ...]
_RULE_CODES = {rule: code for code, rule in enumerate(RULES)}
_REMEMBERED = 200_000
"""Different replies of one batch remembered at a time."""


class ReadFunction(Protocol):
    """Reads one reply."""

    def __call__(
        self, text: str, labels: Labels, choices: Labels, language: str | None = None, example: str = "", /
    ) -> Answer:
        """`example` is what the prompt showed before the question."""
        ...


class Reading(NamedTuple):
    """One way to read replies; name and version are stored with every score made by it."""

    name: str
    version: str
    function: ReadFunction
    """(text, labels, choices, language, example) → Answer."""


def read_answer(
    text: str | None,
    labels: Sequence[str],
    choices: Sequence[str],
    language: str | None = None,
    finish: str | None = None,
    example: str = "",
) -> Answer:
    """What a reply chooses among `choices`, shown under `labels`, by the `standard` reading.

    `language` (BCP 47) breaks ties between words that several languages share; without it the reply's own words
    decide. `finish` is the provider's finish reason, if any: see `with_finish`. `example` is what the prompt showed
    before the question, such as a worked example: what the reply repeats of it is no answer. No text makes it fail.
    Raises ValueError if labels and choices differ in number.
    """
    return with_finish(_standard(text or "", tuple(labels), tuple(choices), language, example), finish)


def _standard(text: str, labels: Labels, choices: Labels, language: str | None = None, example: str = "") -> Answer:
    return _shortest(text, labels, choices, language, example) or _climb(
        text, labels, choices, language, example, False
    )


def _beginnings(text: str, labels: Labels, choices: Labels, language: str | None = None, example: str = "") -> Answer:
    return _shortest(text, labels, choices, language, example) or _climb(text, labels, choices, language, example, True)


def _shortest(text: str, labels: Labels, choices: Labels, language: str | None, example: str) -> Answer | None:
    """What can be said without the whole ladder, and is what the ladder would say."""
    asked = question(labels, choices)
    return read_fast(text, asked) or read_option_free(text, asked, language, example)


@lru_cache(maxsize=65_536)
def _climb(text: str, labels: Labels, choices: Labels, language: str | None, example: str, beginnings: bool) -> Answer:
    return read_standard(text, question(labels, choices), language, example, beginnings)


def read_first_letter(
    text: str, labels: Labels, choices: Labels, language: str | None = None, example: str = ""
) -> Answer:
    """The paper's reading: strip, take the first character; it is an answer only if it is a label shown."""
    stripped = text.strip()
    if not stripped:
        return Answer(None, "empty", "first-letter")
    if stripped[0] in labels:
        return Answer(labels.index(stripped[0]), None, "first-letter")
    return Answer(None, "unreadable", "first-letter")


def with_finish(answer: Answer, finish: str | None) -> Answer:
    """An answer in the light of the finish reason: a reply without a choice was cut off, or withheld.

    `length` (and `max_tokens`) turns an empty or unreadable reply into `truncated`; `refusal` and
    `content_filter` turn any reply without a choice into `refusal`. A choice that could be read stays.
    """
    if finish is None or answer.choice is not None:
        return answer
    if finish in ("refusal", "content_filter", "safety"):
        return Answer(None, "refusal", "finish")
    if finish in ("length", "max_tokens") and answer.reason in ("unreadable", "empty"):
        return Answer(None, "truncated", "finish")
    return answer


READINGS: dict[str, Reading] = {
    "first-letter": Reading("first-letter", "1", read_first_letter),
    "standard": Reading("standard", "2", _standard),
    "beginnings": Reading("beginnings", "2", _beginnings),
}
"""`beginnings` is `standard`, and takes a reply that is the cut beginning of exactly one option for that option."""


def reading(name: str) -> Reading:
    """The reading called `name`; its version tells when a user's own words were added.

    Raises UserError for an unknown name.
    """
    if name not in READINGS:
        raise UserError(f"no reading is called {name!r}; choose one of: {', '.join(READINGS)}")
    found = READINGS[name]
    own = "" if name == "first-letter" else extension_digest()
    return found._replace(version=f"{found.version}+{own}") if own else found


@dataclass(frozen=True, slots=True)
class ReadAnswers:
    """Answers of many replies as arrays of equal length."""

    choice: NDArray[np.int8]
    """Index at the shown position; -1 for no answer."""
    reason: NDArray[np.uint8]
    """Code into REASONS; 0 where there is a choice."""
    rule: NDArray[np.uint8]
    """Code into `rules`."""
    rules: tuple[str, ...] = RULES

    def answer(self, at: int) -> Answer:
        """One of the answers as a value."""
        choice = int(self.choice[at])
        return Answer(choice if choice >= 0 else None, REASONS[self.reason[at]] or None, self.rules[self.rule[at]])


def read_answers(
    texts: Sequence[str | None],
    labels: Sequence[Sequence[str]] | Sequence[str],
    choices: Sequence[Sequence[str]] | Sequence[str],
    language: str | None = None,
    reading: str = "standard",
    finish: Sequence[str | None] | None = None,
    example: str = "",
) -> ReadAnswers:
    """Read many replies at once; `labels` and `choices` are one per reply, or one for all.

    The same function as `read_answer`, with repeated work remembered. `example` is what all prompts showed before
    their questions. Raises UserError for an unknown reading
    and ValueError for lengths that differ.
    """
    count = len(texts)
    labels_of = _per_reply("labels", labels, count)
    choices_of = _per_reply("choices", choices, count)
    if finish is not None and len(finish) != count:
        raise ValueError(f"finish has {len(finish)} entries for {count} texts")
    function = READINGS[reading].function if reading in READINGS else _unknown(reading)
    codes = np.zeros((count, 3), dtype=np.int16)
    known: dict[tuple[str | None, int, int, str | None], tuple[int, int, int]] = {}
    """Labels and options by identity, which is much faster than by value; the lists keep them alive."""
    ends = finish if finish is not None else [None] * count
    found: list[tuple[int, int, int]] = []
    for text, shown, options, end in zip(texts, labels_of, choices_of, ends, strict=True):
        key = (text, id(shown), id(options), end)
        code = known.get(key)
        if code is None:
            answer = with_finish(function(text or "", shown, options, language, example), end)
            choice = -1 if answer.choice is None else answer.choice
            code = (choice, REASONS.index(answer.reason or ""), _RULE_CODES[answer.rule])
            if len(known) >= _REMEMBERED:
                known.clear()
            known[key] = code
        found.append(code)
    if found:
        codes[:] = found
    return ReadAnswers(codes[:, 0].astype(np.int8), codes[:, 1].astype(np.uint8), codes[:, 2].astype(np.uint8))


def forget() -> None:
    """Drop what is remembered of questions, replies and words: a large set fills the memory and is never met again."""
    question.cache_clear()
    _climb.cache_clear()
    known_word.cache_clear()
    forget_option_free()


def _unknown(name: str) -> ReadFunction:
    return reading(name).function


def _per_reply(what: str, given: Sequence[Sequence[str]] | Sequence[str], count: int) -> Sequence[Labels]:
    """One tuple per reply, equal tuples being one object, from one sequence for all or one per reply."""
    if given and isinstance(given[0], str):
        return [tuple(given)] * count  # type: ignore[arg-type]
    if len(given) != count:
        raise ValueError(f"{what} has {len(given)} entries for {count} texts")
    return [tuple(entry) for entry in given]


def differences(
    first: str,
    second: str,
    texts: Sequence[str | None],
    labels: Sequence[Sequence[str]] | Sequence[str],
    choices: Sequence[Sequence[str]] | Sequence[str],
    language: str | None = None,
    gold: Sequence[int] | None = None,
    finish: Sequence[str | None] | None = None,
) -> Differences:
    """Where the readings named `first` and `second` disagree about the same replies; `gold` as shown positions.

    Raises as `read_answers` does.
    """
    one = read_answers(texts, labels, choices, language, first, finish)
    other = read_answers(texts, labels, choices, language, second, finish)
    count = len(texts)
    return compare_answers(texts, [one.answer(i) for i in range(count)], [other.answer(i) for i in range(count)], gold)
