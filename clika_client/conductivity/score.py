"""Scores an experiment: did the teaching succeed (the gate), and what of it is known in the other language (XRR)?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clika_client.common.answer_codes import Bools
from clika_client.common.errors import UserError
from clika_client.conductivity.about import About
from clika_client.conductivity.answerer import name
from clika_client.conductivity.certainty import (
    Part,
    TeachingDifference,
    paired_shares,
    parts_of_mean,
    share_ends,
    stacked,
    xrr,
)
from clika_client.conductivity.chance import shuffle
from clika_client.conductivity.forgetting import Kept
from clika_client.conductivity.free_answers import offered_to, with_names
from clika_client.conductivity.gate import Count, GatePart
from clika_client.conductivity.material import GATES, TEST, ExperimentQuestion, Material, Pair
from clika_client.conductivity.replies import ExperimentReplies
from clika_client.conductivity.scored_pairs import PairScore, Score, Tests
from clika_client.conductivity.trials import Trial, read_names, trial
from clika_client.scoring.metrics.conductivity import GATE_PARTS, failed_gates
from clika_client.scoring.metrics.intervals import DRAWS
from clika_client.scoring.metrics.significance import holm
from clika_client.scoring.records import Figure

ALIKE = 0.5
"""Similarity from which a name counts as like its English one; 1 is identical."""
FEWEST = 50
"""Facts on each side, below which the split by similarity is not shown."""


def score(
    material: Material,
    after: ExperimentReplies,
    before: ExperimentReplies | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    about: About | None = None,
    forgetting: Sequence[Kept] = (),
) -> Score:
    """Score one model's replies; `before` are those of the untaught model.

    Raises UserError where a question was not answered, or before and after were read differently.
    """
    if before is not None and before.form != after.form:
        raise UserError(f"before teaching was read as {before.form!r}, after as {after.form!r}; ask both alike")
    offered = offered_to(material.questions)
    after, before = with_names(after, offered), None if before is None else with_names(before, offered)
    pairs = [_Pair(material, pair, after, before, draws, seed).score() for pair in material.pairs]
    adjusted = holm([pair.tests.chance_p for pair in pairs])
    pairs = [_judged(pair, p) for pair, p in zip(pairs, adjusted, strict=True)]
    model = about.model if about else after.model
    return Score(
        model,
        seed,
        draws,
        tuple(pairs),
        material.notes,
        _by_script(pairs),
        about,
        material.world,
        tuple(forgetting),
    )


def _judged(pair: PairScore, p: float) -> PairScore:
    """The pair with its test against chance adjusted for the number of languages, and named by that."""
    named = name([pair.trial], bool(pair.failed), p, pair.tests.ceiling)
    return replace(pair, tests=replace(pair.tests, chance_p=p), answerer=named)


class _Pair:
    """Scoring one language; holds what its steps share."""

    def __init__(
        self,
        material: Material,
        pair: Pair,
        after: ExperimentReplies,
        before: ExperimentReplies | None,
        draws: int,
        seed: int,
    ) -> None:
        self.material, self.pair, self.after, self.before = material, pair, after, before
        self.draws, self.seed = draws, seed
        self.trial = trial(material, pair, after, before)

    def score(self) -> PairScore:
        """The whole row."""
        counts = {part: self.count(self.after, part) for part in (*GATES, TEST)}
        accuracies = {key: counts[part].figure.value for key, part in zip(GATE_PARTS, GATES, strict=True)}
        failed = tuple(dict(zip(GATE_PARTS, GATES, strict=True))[key] for key in failed_gates(accuracies))
        gate = tuple(GatePart(part, self.language(part), counts[part], part not in failed) for part in GATES)
        found, before = self.trial, self.before
        shuffled = shuffle([found], self.draws, self.seed)
        tests = Tests(shuffled.p, self.against(found.before), self.against(self.copies()))
        return PairScore(
            self.pair,
            self.after.form,
            found.chance,
            gate,
            failed,
            None if failed else xrr([found]),
            None if before is None else self.count(before, TEST),
            None if before is None else self.count(before, "taught_type1"),
            shuffled,
            None if self.copies() is None else Count(int(found.copies_right.sum()), len(found.facts)),
            Count(int(found.other_language.sum()), len(found.facts)),
            split_by_likeness(found, self.material.asked(self.pair.language, TEST)),
            tests,
            name([found], bool(failed), shuffled.p, tests.ceiling),
            found,
        )

    def language(self, part: str) -> str:
        return self.pair.asked if part in ("translation", "asked_type0", TEST) else self.pair.taught

    def count(self, replies: ExperimentReplies, part: str) -> Count:
        questions = self.material.asked(self.pair.language, part)
        given = read_names(replies, questions)
        right = sum(name == q.answer for q, name in zip(questions, given.names, strict=True))
        return Count(right, len(questions), given.none)

    def copies(self) -> Bools | None:
        return self.trial.copies_right if bool((self.trial.copied >= 0).all()) else None

    def against(self, other: Bools | None) -> TeachingDifference | None:
        if other is None:
            return None
        asked, _ = stacked([self.trial])
        return paired_shares([self.trial], asked, other[None, :].astype(np.float64))


def split_by_likeness(found: Trial, questions: Sequence[ExperimentQuestion]) -> dict[str, Count]:
    """Places named alike, identical ones among them, and unlike ones: where both sides can tell something."""
    likeness = {q.fact_id: q.similarity for q in questions}
    alike = np.array([likeness[fact] >= ALIKE for fact in found.facts], np.bool_)
    sides = {"alike": alike, "unlike": ~alike}
    if min(int(side.sum()) for side in sides.values()) < FEWEST:
        return {}
    none = found.given < 0
    return {
        kind: Count(int(found.asked[side].sum()), int(side.sum()), int(none[side].sum()))
        for kind, side in sides.items()
    }


def _by_script(pairs: Sequence[PairScore]) -> dict[str, Figure | None]:
    """Means over languages, with intervals over the facts, which are the same in all of them."""
    groups = {"same script": True, "other script": False}
    return {
        name: _mean([pair for pair in pairs if pair.xrr and pair.pair.same_script == same])
        for name, same in groups.items()
    }


def _mean(pairs: Sequence[PairScore]) -> Figure | None:
    """The mean XRR of languages that were asked for the same facts."""
    if not pairs:
        return None
    trials = [pair.trial for pair in pairs]
    value = sum(pair.xrr.ratio.value for pair in pairs if pair.xrr) / len(pairs)
    if len({one.facts for one in trials}) > 1:
        return Figure(value, math.nan, math.nan)
    taught = np.stack([one.taught for one in trials]).astype(np.float64)
    asked = np.stack([one.asked for one in trials]).astype(np.float64)
    # The languages are these, not drawn from others: only the facts are.
    rate, base = asked.mean(1, keepdims=True) / taught.mean(1, keepdims=True), taught.mean(1, keepdims=True)
    apart = ((asked - rate * taught) / base).mean(0)
    scale = float(taught.mean())
    parts = [Part(part.variance * scale**2, part.df) for part in parts_of_mean(trials[0], apart[None, :])]
    low, high = share_ends(min(value * scale, 1.0), parts, asked.shape[1], asked.size)
    return Figure(value, low / scale, high / scale)
