"""The gate: is what was taught known? The paper's strict rule, the same with intervals, and what luck passes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from clika_client.scoring.metrics.conductivity import GATE_LIMIT
from clika_client.scoring.metrics.intervals import wilson
from clika_client.scoring.records import Figure

Surely = Literal["passed", "failed", "open"]
TRULY = (0.85, 0.95)
"""Accuracies, one below and one above the limit, for which the gate's own chance is told."""


@dataclass(frozen=True, slots=True)
class Count:
    """Right answers of a number of questions."""

    right: int
    n: int
    no_answer: int = 0
    """Replies that name no choice, or several; counted among the wrong."""

    @property
    def figure(self) -> Figure:
        """Accuracy with Wilson's interval; NaN for no questions."""
        return Figure(self.right / self.n if self.n else math.nan, *wilson(self.right, self.n))


@dataclass(frozen=True, slots=True)
class GatePart:
    """One part of the gate."""

    part: str
    language: str
    count: Count
    passed: bool
    """By the paper's rule: strictly above 90 %, whatever the number of questions."""

    @property
    def surely(self) -> Surely:
        """By its 95 % interval: above 90 %, not above it, or on both sides."""
        figure = self.count.figure
        return "passed" if figure.low > GATE_LIMIT else "failed" if figure.high <= GATE_LIMIT else "open"


def surely(gate: Sequence[GatePart]) -> Surely:
    """By the intervals of all parts: passed when all are, failed when any is."""
    parts = {part.surely for part in gate}
    return "failed" if "failed" in parts else "passed" if parts == {"passed"} else "open"


def luck(gate: Sequence[GatePart], truly: float) -> float:
    """The chance that a model passes the strict gate which knows each part with this probability a question."""
    return math.prod(_above(part.count.n, truly) for part in gate)


def _above(n: int, p: float) -> float:
    """P(more than 90 % of n are right)."""
    least = math.floor(round(GATE_LIMIT * n, 9)) + 1
    log_p, log_q = math.log(p), math.log1p(-p)
    ways = (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(least, n + 1))
    return sum(math.exp(w + k * log_p + (n - k) * log_q) for k, w in enumerate(ways, least)) if n else 0.0
