"""From the replies of one open cell to answer codes: what each question accepts, taken from its set, and what was said.

Codes are those of `common.answer_codes`: the gold's index for right, a known wrong answer's index, OTHER for an unknown
one, ELSEWHERE for right in another language, NO_ANSWER with its reason else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, get_args

import numpy as np
import numpy.typing as npt

from clika_client.answers.open.answer import ELSEWHERE as IN_ANOTHER
from clika_client.answers.open.answer import RIGHT, Accepted, Kind, OpenAnswer
from clika_client.answers.open.reader import read_open
from clika_client.common.answer_codes import ELSEWHERE, NO_ANSWER, OTHER, Answers
from clika_client.sets.open_form import NO_ANSWER_KIND, other_names
from clika_client.sets.probes import ACCEPTED, ANSWER_KIND, SUBJECT, Probe, ProbeSet

OPEN = "open"
"""The reading of open cells."""
REASONS = ("several", "unknown")
"""Why an open reply holds no answer, beside the reasons that a choice can lack one for, too."""
_KINDS: frozenset[str] = frozenset(get_args(Kind))


class Acceptance:
    """What the questions of one set accept; made once per set and language asked."""

    def __init__(self, probe_set: ProbeSet, language: str) -> None:
        self._set = probe_set
        self._language = language
        self._others = {tag: other_names(probe_set, tag) for tag in probe_set.languages}
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    def at(self, position: int) -> Accepted:
        """What is right and what is known to be wrong for one item."""
        tags = self._set.items[position].tags
        kind = tags.get(ANSWER_KIND, "name")
        about = (tags[SUBJECT],) if SUBJECT in tags else ()
        own = self._set.probes[self._language][position]
        if kind == NO_ANSWER_KIND:
            return Accepted(self._language, (), kind="none")
        names = _Elsewhere(self._set, position, self._named, self._language)
        rivals = _Rivals(self._set, position, self._named)
        kind = kind if kind in _KINDS else "name"
        return Accepted(self._language, self._named(self._language, own, own.gold), names, rivals, kind, about)  # type: ignore[arg-type]

    def _named(self, language: str, probe: Probe, choice: int) -> tuple[str, ...]:
        answer = probe.choices[choice]
        if choice == probe.gold and ACCEPTED in probe.fields:
            more = probe.fields[ACCEPTED].split("\n")
            return _distinct((answer, *more, *self._others[language].get(answer, ())))
        # The same few answers are the wrong ones of many questions.
        names = self._known.get((language, answer))
        if names is None:
            names = _distinct((answer, *self._others[language].get(answer, ())))
            self._known[language, answer] = names
        return names


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, names)))


V = TypeVar("V")
Named = Callable[[str, Probe, int], tuple[str, ...]]
"""(language, question, choice) → the choice's names."""


class _Lazy(Mapping[str, V]):
    """Language → what is known in it, gathered when a language is first looked at, which most are not."""

    def __init__(self, probe_set: ProbeSet, position: int, named: Named, without: str | None = None) -> None:
        self._probes, self._position, self._named, self._without = probe_set.probes, position, named, without
        self._made: dict[str, V] = {}

    def _make(self, language: str, probe: Probe) -> V:
        raise NotImplementedError

    def __getitem__(self, language: str) -> V:
        if language not in self._made:
            probe = self._probes[language][self._position]
            if probe.absent or language == self._without:
                raise KeyError(language)
            self._made[language] = self._make(language, probe)
        return self._made[language]

    def __iter__(self) -> Iterator[str]:
        at = self._position
        return (tag for tag, probes in self._probes.items() if tag != self._without and not probes[at].absent)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Elsewhere(_Lazy[tuple[str, ...]]):
    """Other language → the gold's names."""

    def _make(self, language: str, probe: Probe) -> tuple[str, ...]:
        return self._named(language, probe, probe.gold)


class _Rivals(_Lazy[Mapping[str, tuple[str, ...]]]):
    """Language → known wrong answers."""

    def _make(self, language: str, probe: Probe) -> Mapping[str, tuple[str, ...]]:
        return {str(i): self._named(language, probe, i) for i in range(len(probe.choices)) if i != probe.gold}


def read_replies(
    probe_set: ProbeSet,
    language: str,
    positions: Sequence[int],
    texts: Sequence[str],
    finish: Sequence[str | None] | None = None,
) -> list[OpenAnswer]:
    """Each reply to the question at its position, read."""
    accepts = Acceptance(probe_set, language)
    ends = [None] * len(texts) if finish is None else finish
    return [
        read_open(text, accepts.at(int(position)), end)
        for position, text, end in zip(positions, texts, ends, strict=True)
    ]


def verdict_of(code: int, gold: int, reason: str | None) -> str:
    """The verdict that a code stands for; `reason` is the name of the stored reason."""
    if code == gold:
        return RIGHT
    if code == ELSEWHERE:
        return IN_ANOTHER
    return (reason or "unknown") if code == NO_ANSWER else "wrong"


def coded(
    found: Sequence[OpenAnswer], golds: Sequence[int], languages: Sequence[str], reasons: Sequence[str]
) -> tuple[Answers, npt.NDArray[np.uint8]]:
    """(code, reason) of each answer; the reason of ELSEWHERE is the number of its language among `languages`, from 1.

    `reasons` are the names of the stored reasons by code.
    """
    codes, why = np.full(len(found), NO_ANSWER, np.int8), np.zeros(len(found), np.uint8)
    for i, (answer, gold) in enumerate(zip(found, golds, strict=True)):
        if answer.verdict == RIGHT:
            codes[i] = gold
        elif answer.verdict == IN_ANOTHER:
            codes[i] = ELSEWHERE
            why[i] = languages.index(answer.language) + 1 if answer.language in languages else 0
        elif answer.verdict == "wrong":
            codes[i] = OTHER if answer.rival is None else int(answer.rival)
        else:
            why[i] = reasons.index(answer.verdict)
    return codes, why
