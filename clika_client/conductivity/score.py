"""Scores an experiment: did the teaching succeed (the gate), and what of it is known in the other language (XRR)?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from clika_client.common.answer_codes import Bools
from clika_client.common.errors import UserError
from clika_client.conductivity.about import About
from clika_client.conductivity.answerer import Answerer, name
from clika_client.conductivity.certainty import (
    Part,
    TeachingDifference,
    Xrr,
    json_number,
    paired_shares,
    parts_of_mean,
    share_ends,
    stacked,
    xrr,
)
from clika_client.conductivity.chance import Shuffled, shuffle
from clika_client.conductivity.forgetting import Kept
from clika_client.conductivity.free_answers import offered_to, with_names
from clika_client.conductivity.gate import TRULY, Count, GatePart, luck, surely
from clika_client.conductivity.material import GATES, TEST, ExperimentQuestion, Form, Material, Pair
from clika_client.conductivity.replies import ExperimentReplies
from clika_client.conductivity.trials import Trial, read_names, trial
from clika_client.scoring.metrics.conductivity import GATE_PARTS, failed_gates
from clika_client.scoring.metrics.intervals import DRAWS
from clika_client.scoring.metrics.significance import holm
from clika_client.scoring.records import Figure

__all__ = ["ALIKE", "NOT_INTERPRETABLE", "Count", "GatePart", "PairScore", "Score", "Xrr", "score"]
NOT_INTERPRETABLE = "not interpretable"
ALIKE = 0.5
"""Similarity from which a name counts as like its English one; 1 is identical."""
FEWEST = 50
"""Facts on each side, below which the split by similarity is not shown."""


@dataclass(frozen=True, slots=True)
class Tests:
    """Whether XRR differs from what says nothing: chance, the model before teaching, copying."""

    chance_p: float
    """One-sided, above chance, by shuffling; adjusted for all languages (Holm)."""
    before: TeachingDifference | None
    """Raw less the same questions before teaching; None when they were not asked."""
    ceiling: TeachingDifference | None
    """Raw less what spelling alone would get right; None where that is not known."""


@dataclass(frozen=True, slots=True)
class PairScore:
    """One language in one form."""

    pair: Pair
    form: Form
    chance: float
    gate: tuple[GatePart, ...]
    failed: tuple[str, ...]
    """Parts of the gate that were not passed; XRR is not interpretable then."""
    xrr: Xrr | None
    """None when the gate failed."""
    baseline: Count | None
    """The test's questions before teaching; None when they were not asked."""
    baseline_taught: Count | None
    """The same facts in the language of teaching, before it."""
    shuffled: Shuffled
    """The same replies against continents dealt at random, many times."""
    ceiling: Count | None
    """What spelling alone would get right; None where the material does not say."""
    other_language: Count
    """Test replies that give the right continent by its name in the language of teaching: wrong, but not ignorant."""
    splits: Mapping[str, Count]
    """The test by similarity of the place's name to the one taught, `alike` and `unlike`; empty below FEWEST facts."""
    tests: Tests
    answerer: Answerer
    trial: Trial = field(repr=False, compare=False)
    """What the figures were made of."""

    @property
    def status(self) -> str:
        """`scored`, or why there is no score."""
        return "scored" if self.xrr else NOT_INTERPRETABLE


@dataclass(frozen=True, slots=True)
class Score:
    """All languages of an experiment."""

    model: str
    seed: int
    draws: int
    pairs: tuple[PairScore, ...]
    notes: tuple[str, ...] = ()
    by_script: Mapping[str, Figure | None] = field(default_factory=dict)
    """Mean XRR over the interpretable languages written in the script of teaching, and in another; None without any."""
    about: About | None = None
    """Which teaching this is; None for replies that came without a folder."""
    world: str = ""
    """What was invented; see `Material.world`."""
    forgetting: tuple[Kept, ...] = ()
    """Per language, what of the real world was known before and after; empty when that was not asked."""

    def to_records(self) -> list[dict[str, Any]]:
        """One flat row per language and form; what is undefined is None."""
        return [_record(self.model, pair) for pair in self.pairs]

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "model": self.model,
            "about": self.about.to_json() if self.about else None,
            "world": self.world,
            "seed": self.seed,
            "draws": self.draws,
            "languages": self.to_records(),
            "by_script": {name: _plain(figure) for name, figure in self.by_script.items()},
            "forgetting": [row.to_json() for row in self.forgetting],
            "notes": list(self.notes),
        }


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


def _record(model: str, row: PairScore) -> dict[str, Any]:
    gate = {
        part.part: {
            "language": part.language,
            "right": part.count.right,
            "n": part.count.n,
            "accuracy": json_number(part.count.figure.value),
            "passed": part.passed,
            "surely": part.surely,
        }
        for part in row.gate
    }
    found = row.xrr
    return {
        "model": model,
        "language": row.pair.language,
        "taught_in": row.pair.taught,
        "asked_in": row.pair.asked,
        "same_script": row.pair.same_script,
        "form": row.form,
        "status": row.status,
        "answerer": row.answerer.kind,
        "because": row.answerer.why,
        "failed_gates": list(row.failed),
        "gate": gate,
        "gate_surely": surely(row.gate),
        "gate_passed_by_luck": {f"{truly:.2f}": json_number(luck(row.gate, truly)) for truly in TRULY},
        "raw": _plain(found.raw if found else None),
        "xrr": _plain(found.ratio if found else None),
        "conditional": _plain(found.conditional if found else None),
        "above_chance": _plain(found.above_chance if found else None),
        "chance": row.chance,
        "p_chance": json_number(row.tests.chance_p),
        "ceiling": _plain_count(row.ceiling),
        "above_ceiling": _plain_difference(row.tests.ceiling),
        "baseline": _plain_count(row.baseline),
        "baseline_taught": _plain_count(row.baseline_taught),
        "above_baseline": _plain_difference(row.tests.before),
        "shuffled": {
            "mean": json_number(row.shuffled.mean),
            "low": json_number(row.shuffled.low),
            "high": json_number(row.shuffled.high),
            "deals": row.shuffled.deals,
        },
        "no_answer": int((row.trial.given < 0).sum()),
        "in_the_taught_language": _plain_count(row.other_language),
        "splits": {name: _plain_count(count) for name, count in row.splits.items()} or None,
    }


def _plain(figure: Figure | None) -> dict[str, float | None] | None:
    if figure is None:
        return None
    return {"value": json_number(figure.value), "low": json_number(figure.low), "high": json_number(figure.high)}


def _plain_difference(found: TeachingDifference | None) -> dict[str, float | None] | None:
    if found is None:
        return None
    ends = {"value": found.value, "low": found.low, "high": found.high, "p": found.p}
    return {key: json_number(value) for key, value in ends.items()}


def _plain_count(count: Count | None) -> dict[str, Any] | None:
    if count is None:
        return None
    return {"right": count.right, "n": count.n, "no_answer": count.no_answer, **(_plain(count.figure) or {})}
