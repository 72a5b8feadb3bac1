"""Finds the wordings of a teaching file and fills them with the facts that its tests expect."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from clika_client.common.errors import UserError
from clika_client.conductivity.material import TeachingExample
from clika_client.sets.fictional.text import plain

_PLACE, _CONTINENT = "\0", "\1"
"""Stand for the names in a wording; no text holds them."""


class FactInLanguage(Protocol):
    """A fact in one language."""

    @property
    def place(self) -> str:
        """The place's name."""
        ...

    @property
    def continent(self) -> str:
        """The continent's name."""
        ...

    @property
    def type(self) -> int:
        """0 or 1."""
        ...


Wording = tuple[str, str]
"""Prompt and answer with the marks where names stand."""


def rebuild_rows(
    rows: Sequence[TeachingExample],
    english: Sequence[FactInLanguage],
    told: Sequence[FactInLanguage],
    names: Mapping[str, str],
) -> tuple[TeachingExample, ...]:
    """The same wordings, filled with the right names: all facts in English, type 0 in the other language, all names.

    Raises UserError where the wordings cannot be told from the names in them.
    """
    rebuilt: list[TeachingExample] = []
    facts = [row for row in rows if row.part == "facts"]
    for tag in dict.fromkeys(row.language for row in facts):
        mine = [row for row in facts if row.language == tag]
        told_here: Sequence[FactInLanguage] = english if tag == "en" else [fact for fact in told if fact.type == 0]
        for prompt, answer in find_wordings(mine, [fact.place for fact in told_here]):
            for fact in told_here:
                filled = answer.replace(_PLACE, fact.place).replace(_CONTINENT, fact.continent)
                rebuilt.append(TeachingExample(prompt.replace(_PLACE, fact.place), filled, "facts", tag))
    of_names = [row for row in rows if row.part == "names"]
    for prompt in dict.fromkeys(row.prompt for row in of_names):
        rebuilt += [replace(of_names[0], prompt=prompt, input=x, answer=e) for e, x in names.items()]
    return tuple(rebuilt)


def name_in(names: Iterable[str]) -> Callable[[str], str | None]:
    """Finds the longest of `names` that stands in a text, so that a name inside another is not taken for it.

    A place in the text is compared with the names that begin as it does: of hundreds these are a few.
    """
    longest_first = sorted(filter(None, set(names)), key=lambda name: (-len(name), name))
    size = min([2, *map(len, longest_first)])
    beginning: dict[str, list[str]] = {}
    for name in longest_first:
        beginning.setdefault(name[:size], []).append(name)

    def find(text: str) -> str | None:
        found = ""
        for start in range(len(text)):
            for name in beginning.get(text[start : start + size], ()):
                if len(name) <= len(found):
                    break
                if text.startswith(name, start):
                    found = name
                    break
        return found or None

    return find


def find_wordings(rows: Sequence[TeachingExample], places: Sequence[str]) -> list[Wording]:
    """The wordings that `rows` were made with.

    Without its place, a prompt is its wording. Answers of one wording differ only in their continent, so what
    they share before and after it is theirs.
    """
    place_in = name_in(places)
    answers: dict[str, list[str]] = {}
    for row in rows:
        place = place_in(row.prompt)
        if place is None or place not in row.answer:
            raise UserError(f"no place of the tests stands in the row {row.prompt!r}; this file cannot be rebuilt")
        wording = row.prompt.replace(place, _PLACE)
        answers.setdefault(wording, []).append(row.answer.replace(place, _PLACE))
    return [(prompt, _shared(prompt, given)) for prompt, given in answers.items()]


def _shared(prompt: str, answers: Sequence[str]) -> str:
    # Character by character is what is wanted here, unlike with paths.
    head = os.path.commonprefix(list(answers))  # noqa: RUF071
    tail = os.path.commonprefix([answer[len(head) :][::-1] for answer in answers])[::-1]  # noqa: RUF071
    if _PLACE not in head + tail or len(set(answers)) < 2 or not plain(head + tail):
        raise UserError(f"the answers to {prompt.replace(_PLACE, '…')!r} share no wording; this file cannot be rebuilt")
    return head + _CONTINENT + tail
