"""Answers of one row of a score table as arrays: what scoring, comparing and reproducing all start from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import ELSEWHERE, MISSING, OTHER, Answers, Bools, Floats, answered
from clika_client.scoring.metrics.counts import ScoredItems
from clika_client.sets.probes import ProbeSet

OWN = "own"


def settings_in_words(settings: str) -> str:
    """The JSON of a `RowKey`'s settings as a reader takes it: `temperature=1.0`."""
    # Values as JSON has them: rows that differ in the kind of a value alone keep two names.
    said = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in json.loads(settings).items())
    return said or "default settings"


@dataclass(frozen=True, slots=True)
class RowKey:
    """What makes a row itself. Answers of two keys are never mixed in one figure."""

    model: str
    set_id: int
    prompt: str
    ask: str
    """How the answer was asked for: `text`, `logprobs`, …"""
    reading: str
    """How a text reply was turned into a choice: `standard`, `first-letter`, … or `probabilities`."""
    source: str = OWN
    settings: str = "{}"
    """Canonical JSON of sampling settings that differ from the defaults."""


@dataclass(frozen=True, slots=True)
class AnswerGrid:
    """One model's answers to one set, in every language it was asked."""

    key: RowKey
    languages: tuple[str, ...]
    answers: Answers
    """(languages, items): index of the choice in the set's own order, or a code of `common.answer_codes`."""
    asked: Bools
    """(languages, items): False for items that were never put to the model in that language."""
    reasons: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    """(languages, items): why there is no answer, as an index into the reading's reasons; 0 for answers.

    For ELSEWHERE the number of the answer's language among the set's, from 1."""
    shown: Answers | None = None
    """(languages, items): position of the chosen option on screen, in the order first asked; None: as `answers`."""
    orders: int = 1
    """In how many orders of the options each question was asked; `answers` holds the plurality over them."""
    repeats: int = 1
    scores: Floats | None = None
    """(languages, items, choices): natural-log probability per choice, NaN where not offered."""
    again: tuple[Answers, Answers] | None = None
    """The first two askings of the same questions (repeats, or orders), each (languages, items); None: asked once."""

    matches: Floats | None = None
    """(languages, 2): mean exact match and token F1 of the replies as MKQA measures them; None where it does not."""

    @property
    def on_screen(self) -> Answers:
        """Positions of the chosen options as they were shown."""
        return self.answers if self.shown is None else self.shown

    def row(self, language: str) -> int | None:
        """Index of a language, None when the block lacks it."""
        return self.languages.index(language) if language in self.languages else None

    def take(self, positions: npt.NDArray[np.int64]) -> AnswerGrid:
        """The block restricted to some items, in the order given."""
        return replace(
            self,
            answers=self.answers[:, positions],
            asked=self.asked[:, positions],
            reasons=self.reasons[:, positions] if self.reasons.size else self.reasons,
            shown=None if self.shown is None else self.shown[:, positions],
            scores=None if self.scores is None else self.scores[:, positions],
            again=None if self.again is None else (self.again[0][:, positions], self.again[1][:, positions]),
        )


def block_of(key: RowKey, languages: Sequence[str], answers: npt.ArrayLike) -> AnswerGrid:
    """A block from answers alone (languages x items), everything not MISSING counting as asked, and all asked."""
    grid = np.asarray(answers, np.int8)
    return AnswerGrid(key, tuple(languages), grid, np.ones(grid.shape, np.bool_), np.zeros(grid.shape, np.uint8))


def gold_of(probe_set: ProbeSet) -> Answers:
    """The gold choice per item, the same in every language that has it; shape (items,)."""
    if probe_set.parallel:
        return np.array([probe.gold for probe in next(iter(probe_set.probes.values()))], np.int8)
    golds = np.array([[probe.gold for probe in probes] for probes in probe_set.probes.values()], np.int8)
    return np.asarray(golds.max(0))


def questions_of(probe_set: ProbeSet) -> ScoredItems:
    """Gold and number of choices per item, the same in every language."""
    return ScoredItems(gold_of(probe_set), probe_set.counts, probe_set.open)


def plurality(votes: Answers, k: int) -> Answers:
    """The most frequent choice over the first axis; a tie goes to the tied choice that was voted first.

    No answer wins only when no vote is an answer; MISSING only when no vote exists.
    """
    counts = np.stack([(votes == code).sum(0) for code in (*range(k), OTHER, ELSEWHERE)])
    best = counts.max(0)
    result = np.where((votes == MISSING).all(0), MISSING, -1).astype(np.int8)
    for vote in votes[::-1]:
        row = np.where(vote >= 0, vote, k + (vote == ELSEWHERE)).astype(np.int64)
        leads = answered(vote) & (np.take_along_axis(counts, row[None], 0)[0] == best)
        result = np.where(leads, vote, result).astype(np.int8)
    return result
