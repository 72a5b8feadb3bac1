"""What a table over experiments holds: taught models, the pairs of them that differ in one thing, and both as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clika_client.conductivity.about import About
from clika_client.conductivity.answerer import Answerer
from clika_client.conductivity.certainty import (
    TeachingDifference,
    Xrr,
    json_number,
)
from clika_client.conductivity.gate import Count
from clika_client.conductivity.material import Form, Pair
from clika_client.conductivity.scored_pairs import PairScore
from clika_client.conductivity.trials import Trial
from clika_client.scoring.metrics.intervals import DRAWS


@dataclass(frozen=True, slots=True)
class TaughtModel:
    """One model, taught in one way, one direction: all its teachings."""

    model: str
    way: str
    """What of the settings differs between the experiments at hand; empty where nothing does."""
    pair: Pair
    form: Form
    world: str
    """What was invented: rows of different worlds do not compare."""
    teachings: tuple[tuple[About, PairScore], ...]
    xrr: Xrr | None
    """None when no teaching passed the gate."""
    p_chance: float
    """One-sided, over all teachings that passed; adjusted for all rows (Holm)."""
    ceiling: Count | None
    """Of copying."""
    above_ceiling: TeachingDifference | None
    above_before: TeachingDifference | None
    answerer: Answerer

    @property
    def passed(self) -> tuple[tuple[About, PairScore], ...]:
        """The teachings whose gate was passed."""
        return tuple(one for one in self.teachings if one[1].xrr)

    @property
    def trials(self) -> list[Trial]:
        """Of the teachings that passed, or of all when none did."""
        return [score.trial for _, score in self.passed or self.teachings]

    @property
    def direction(self) -> str:
        """`en→de`."""
        return f"{self.pair.taught}→{self.pair.asked}"


@dataclass(frozen=True, slots=True)
class TeachingComparison:
    """Two rows that differ in one thing."""

    family: str
    one: int
    """Numbers of the rows."""
    other: int
    found: TeachingDifference
    """XRR of one less that of the other."""
    adjusted: float
    """p by Holm's correction within the family."""


@dataclass(frozen=True, slots=True)
class Between:
    """The table over all experiments."""

    rows: tuple[TaughtModel, ...]
    compared: tuple[TeachingComparison, ...]
    unfinished: tuple[Path, ...] = ()
    """Experiments that were not asked after teaching yet."""
    draws: int = DRAWS

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "rows": [_record(number, row) for number, row in enumerate(self.rows)],
            "compared": [
                {
                    "family": one.family,
                    "rows": [one.one, one.other],
                    "difference": json_number(one.found.value),
                    "low": json_number(one.found.low),
                    "high": json_number(one.found.high),
                    "p": json_number(one.found.p),
                    "p_adjusted": json_number(one.adjusted),
                }
                for one in self.compared
            ],
            "unfinished": [str(path) for path in self.unfinished],
            "draws": self.draws,
        }


def _record(number: int, row: TaughtModel) -> dict[str, Any]:
    found = row.xrr

    def figure(one: Any) -> dict[str, float | None] | None:
        return None if one is None else {key: json_number(getattr(one, key)) for key in ("value", "low", "high")}

    def differs(one: TeachingDifference | None) -> dict[str, float | None] | None:
        return None if one is None else {**(figure(one) or {}), "p": json_number(one.p)}

    return {
        "row": number,
        "model": row.model,
        "way": row.way,
        "taught_in": row.pair.taught,
        "asked_in": row.pair.asked,
        "form": row.form,
        "world": row.world,
        "status": "scored" if found else "not interpretable",
        "answerer": row.answerer.kind,
        "because": row.answerer.why,
        "teachings": len(row.teachings),
        "passed": len(row.passed),
        "xrr": figure(found.ratio if found else None),
        "raw": figure(found.raw if found else None),
        "conditional": figure(found.conditional if found else None),
        "above_chance": figure(found.above_chance if found else None),
        "chance": row.trials[0].chance,
        "p_chance": json_number(row.p_chance),
        "ceiling": figure(row.ceiling.figure if row.ceiling else None),
        "above_ceiling": differs(row.above_ceiling),
        "above_before": differs(row.above_before),
        "experiments": [
            {
                **one.to_json(),
                "passed": not score.failed,
                "xrr": json_number(score.xrr.ratio.value) if score.xrr else None,
            }
            for one, score in row.teachings
        ],
    }
