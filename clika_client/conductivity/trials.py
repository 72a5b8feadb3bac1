"""What one experiment showed about one pair of languages, fact by fact: what all figures and tests are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Bools
from clika_client.common.errors import UserError
from clika_client.conductivity.material import TEST, ExperimentQuestion, Material, Pair
from clika_client.conductivity.replies import ExperimentReplies, ExperimentReply

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Given:
    """The names that replies gave, one per question; None for a reply that gives none, or several."""

    names: tuple[str | None, ...]

    @property
    def none(self) -> int:
        """Replies without an answer."""
        return sum(name is None for name in self.names)


@dataclass(frozen=True, slots=True)
class Trial:
    """The test of one pair: arrays over its facts, in the order of their ids; names are numbers of continents."""

    facts: tuple[str, ...]
    continents: tuple[str, ...]
    """All that can be answered, in the language of asking."""
    answer: Numbers
    """The right continent of each fact; its facts stand or fall together."""
    given: Numbers
    """The continent that was answered, -1 for none."""
    copied: Numbers
    """What spelling alone would have answered, -1 where that is not known."""
    asked: Bools
    """Whether the answer was right in the language of asking."""
    taught: Bools
    """Whether it was in the language of teaching."""
    before: Bools | None
    """Whether it was right before teaching; None when that was not asked."""
    other_language: Bools
    """Whether the right continent was named, but by its name in the language of teaching: no right answer."""
    choices: int
    """How many answers a question offers: all continents, or fewer in multiple choice."""

    @property
    def chance(self) -> float:
        """Of a guess."""
        return 1 / self.choices

    @property
    def copies_right(self) -> Bools:
        """Whether spelling alone would have been right."""
        return np.asarray(self.copied == self.answer, np.bool_)


def read_names(replies: ExperimentReplies, questions: Sequence[ExperimentQuestion]) -> Given:
    """The name each reply gives in its language, as it was read; raises UserError for a question without a reply."""
    found = [_reply(replies, question) for question in questions]
    if replies.form == "choice":
        chosen = zip(questions, found, strict=True)
        return Given(tuple(None if r.choice is None else q.choices[r.choice] for q, r in chosen))
    return Given(tuple(reply.named[0] for reply in found))


def trial(material: Material, pair: Pair, after: ExperimentReplies, before: ExperimentReplies | None) -> Trial:
    """The test's facts of one pair; raises UserError where test and its other side do not ask for the same facts."""
    test = sorted(material.asked(pair.language, TEST), key=lambda q: q.fact_id)
    other = sorted(material.asked(pair.language, "taught_type1"), key=lambda q: q.fact_id)
    if [q.fact_id for q in test] != [q.fact_id for q in other]:
        raise UserError(f"{pair.language}: the test and its side in {pair.taught} do not ask for the same facts")
    part = material.asked(pair.language, "asked_type0")
    continents = tuple(dict.fromkeys(name for q in (*part, *test) for name in (q.answer, *q.choices)))
    number = {name: n for n, name in enumerate(continents)}
    given = read_names(after, test)
    taught = read_names(after, other)
    answer = np.array([number[q.answer] for q in test], np.int64)
    chosen = np.array([-1 if name is None else number[name] for name in given.names], np.int64)
    by_choice = after.form == "choice"
    answers = len({q.answer for q in (*part, *test)})
    told = None if before is None else read_names(before, test)
    return Trial(
        tuple(q.fact_id for q in test),
        continents,
        answer,
        chosen,
        np.array([_copied(q, number, by_choice) for q in test], np.int64),
        chosen == answer,
        np.array([name == q.answer for q, name in zip(other, taught.names, strict=True)], np.bool_),
        None if told is None else _right(test, told),
        _in_the_other_language(test, other, after),
        len(test[0].choices) if by_choice else answers,
    )


def _copied(question: ExperimentQuestion, number: dict[str, int], by_choice: bool) -> int:
    if by_choice:
        return number[question.choices[question.copied_choice]] if question.copied_choice >= 0 else -1
    return number.get(question.copied, -1)


def _right(questions: Sequence[ExperimentQuestion], given: Given) -> Bools:
    return np.array([name == q.answer for q, name in zip(questions, given.names, strict=True)], np.bool_)


def _in_the_other_language(
    test: Sequence[ExperimentQuestion], other: Sequence[ExperimentQuestion], after: ExperimentReplies
) -> Bools:
    """A letter names no language; a text that gives the continent as the language of teaching calls it does."""
    if after.form == "choice":
        return np.zeros(len(test), np.bool_)
    named = [_reply(after, q).named[1] for q in test]
    return np.array([name == q.answer for q, name in zip(other, named, strict=True)], np.bool_)


def _reply(replies: ExperimentReplies, question: ExperimentQuestion) -> ExperimentReply:
    try:
        return replies.by_id[question.question_id]
    except KeyError:
        raise UserError(
            f"question {question.question_id!r} has no reply from {replies.model}; ask again to complete them"
        ) from None
