"""The names that free answers are read for: those of a question's own part, and for the test those taught as well.

A test reply that gives the right continent by its name in the language of teaching is wrong, but it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from clika_client.answers.open.named import NAMED, Matcher, NamesOffered
from clika_client.conductivity.material import TEST, ExperimentQuestion

if TYPE_CHECKING:
    from clika_client.conductivity.replies import ExperimentReplies

Part = tuple[str, str]
"""A pair of languages and one of `material.PARTS`."""


def by_part(questions: Iterable[ExperimentQuestion]) -> dict[Part, list[ExperimentQuestion]]:
    """The questions of each part of each pair."""
    parts: dict[Part, list[ExperimentQuestion]] = {}
    for question in questions:
        parts.setdefault((question.pair, question.part), []).append(question)
    return parts


def offered_by_part(parts: Mapping[Part, Sequence[ExperimentQuestion]]) -> dict[Part, tuple[NamesOffered, ...]]:
    """Of each part the names of its own language, and of the test those of its other side as well."""
    own = {part: _offered(some) for part, some in parts.items()}
    return {
        (pair, part): tuple(
            own[one] for one in ((pair, part), *([(pair, "taught_type1")] if part == TEST else [])) if one in own
        )
        for pair, part in parts
    }


def _offered(questions: Sequence[ExperimentQuestion]) -> NamesOffered:
    names = dict.fromkeys(name for q in questions for name in (q.answer, *q.choices))
    return NamesOffered(questions[0].language, tuple(names))


def offered_to(questions: Iterable[ExperimentQuestion]) -> dict[str, tuple[NamesOffered, ...]]:
    """The names that an answer to each question is read for, by the question's id."""
    parts = by_part(questions)
    offered = offered_by_part(parts)
    return {q.question_id: offered[part] for part, some in parts.items() for q in some}


def with_names(replies: ExperimentReplies, offered: Mapping[str, tuple[NamesOffered, ...]]) -> ExperimentReplies:
    """Replies with the names they give, by question id: as kept where today's reading found them, else read now.

    Replies that are kept so come back as they are.
    """
    if replies.form == "choice" or replies.reading == NAMED:
        return replies
    # Thousands of questions share a few lists of names.
    matchers = {one: Matcher(one) for one in {one for lists in offered.values() for one in lists}}

    def named(text: str, lists: Iterable[NamesOffered]) -> Iterable[str | None]:
        for one in lists:
            index = matchers[one].match(text).index
            yield None if index is None else one.names[index]

    read = {
        key: replace(reply, choice=None, named=tuple(named(reply.text, offered.get(key, ()))))
        for key, reply in replies.by_id.items()
    }
    return replace(replies, by_id=read, reading=NAMED)
