"""Where two readings of the same replies disagree, and what that does to accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clika_client.answers.open.cell import OPEN
from clika_client.common.answer_codes import ELSEWHERE, MISSING, OTHER, Answers, answered
from clika_client.scoring.answer_grid import AnswerGrid, gold_of
from clika_client.scoring.metrics.performance import accuracy
from clika_client.sets.probes import ProbeSet


@dataclass(frozen=True, slots=True)
class ReadingDifference:
    """One cell read in two ways."""

    model: str
    set: str
    language: str
    first: str
    second: str
    n: int
    """Replies."""
    differ: int
    """Replies that the two read differently."""
    accuracy_first: float
    accuracy_second: float


def reading_differences(blocks: Sequence[AnswerGrid], sets: Mapping[int, ProbeSet]) -> tuple[ReadingDifference, ...]:
    """Every cell on which two readings among the blocks disagree, most replies first."""
    groups: dict[object, list[AnswerGrid]] = {}
    for block in blocks:
        groups.setdefault(replace(block.key, reading=""), []).append(block)
    found = []
    for first, *others in groups.values():
        gold = gold_of(sets[first.key.set_id])
        for other in others:
            differ = (_said(first, gold) != _said(other, gold)).sum(-1)
            before, after = accuracy(first.answers, gold), accuracy(other.answers, gold)
            for i in (int(i) for i in differ.nonzero()[0]):
                found.append(
                    ReadingDifference(
                        model=first.key.model,
                        set=sets[first.key.set_id].name,
                        language=first.languages[i],
                        first=first.key.reading,
                        second=other.key.reading,
                        n=int((first.answers[i] != MISSING).sum()),
                        differ=int(differ[i]),
                        accuracy_first=float(before[i]),
                        accuracy_second=float(after[i]),
                    )
                )
    return tuple(sorted(found, key=lambda d: -d.differ))


def _said(block: AnswerGrid, gold: Answers) -> Answers:
    """What counts as another answer: of open questions one wrong answer is as wrong as another."""
    if block.key.ask != OPEN:
        return block.answers
    wrong = answered(block.answers) & (block.answers != gold) & (block.answers != ELSEWHERE)
    return np.where(wrong, OTHER, block.answers).astype(np.int8)
