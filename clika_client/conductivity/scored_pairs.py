"""What scoring an experiment gives: each pair of languages, all of them, and the same as rows and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clika_client.conductivity.about import About
from clika_client.conductivity.answerer import Answerer
from clika_client.conductivity.certainty import (
    TeachingDifference,
    Xrr,
    json_number,
)
from clika_client.conductivity.chance import Shuffled
from clika_client.conductivity.forgetting import Kept
from clika_client.conductivity.gate import TRULY, Count, GatePart, luck, surely
from clika_client.conductivity.material import Form, Pair
from clika_client.conductivity.trials import Trial
from clika_client.scoring.records import Figure

NOT_INTERPRETABLE = "not interpretable"


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
