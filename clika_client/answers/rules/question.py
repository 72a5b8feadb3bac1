"""One question's labels and options, prepared once for all replies to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

from clika_client.answers.rules.labels import AMBIGUOUS, label_set
from clika_client.answers.rules.normalise import clean, core, lower
from clika_client.answers.rules.result import Answer
from clika_client.answers.rules.spellings import Spelled, spelled

_LIKE_LABEL = re.compile(r"[a-z][.):\]]")
_AFTER_LABELS = frozenset(".):]")


class Question:
    """What a reply is read against; immutable after construction."""

    __slots__ = (
        "answers",
        "by_core",
        "choices",
        "clash",
        "cores",
        "labels",
        "like_labels",
        "loose_cache",
        "spelled_cache",
        "text_answers",
    )

    def __init__(self, labels: Sequence[str], choices: Sequence[str], numeric: bool = False) -> None:
        """`numeric` says that options are numbers where the texts given do not show it."""
        if len(labels) != len(choices):
            counts = f"{len(labels)} labels for {len(choices)} options"
            raise ValueError(f"{counts}: {list(labels)!r}; give each option one label")
        self.choices = tuple(choices)
        self.cores = tuple(core(clean(c)) or lower(c.strip()) for c in choices)
        """Lower-case plain text of each option."""
        numeric = numeric or any(map(_is_number, self.cores))
        self.labels = label_set(tuple(labels), numeric)
        self.by_core: dict[str, int] = {}
        for index, text in enumerate(self.cores):
            if text:
                self.by_core[text] = AMBIGUOUS if text in self.by_core else index
        self.clash = frozenset(
            text
            for text in self.labels.names & self.by_core.keys()
            if self.labels.lowered.get(text, self.labels.by_shape.get(text)) != self.by_core[text]
        )
        """Texts that are one option's text and another option's label: alone, they name nothing."""
        self.like_labels = any([text[1:2] in _AFTER_LABELS and _LIKE_LABEL.match(text) for text in self.cores])
        """Whether an option's own text begins as a labelled option does: `a. m.`"""
        self.answers = _answers(len(self.cores), "label")
        self.text_answers = _answers(len(self.cores), "label-text")
        self.loose_cache: dict[str, int] | None = None
        self.spelled_cache: Spelled | None = None

    @property
    def spelled(self) -> Spelled:
        """How the options may be written in a reply; made when a reply needs more than its first letters read."""
        if self.spelled_cache is None:
            self.spelled_cache = spelled([clean(choice) for choice in self.choices], self.cores, self.by_core)
        return self.spelled_cache

    def begins(self, text: str) -> bool:
        """Whether some option's text goes on after `text`."""
        return any(own.startswith(text) and own != text for own in self.cores)


def _is_number(text: str) -> bool:
    return (text[:1].isdecimal() or text[:1] == ".") and text.replace(".", "").isdecimal()


@cache
def _answers(count: int, rule: str) -> tuple[Answer, ...]:
    return tuple(Answer(i, None, rule) for i in range(count))


@lru_cache(maxsize=16_384)
def question(labels: tuple[str, ...], choices: tuple[str, ...]) -> Question:
    """The prepared question, shared by every reply to it."""
    return Question(labels, choices)
