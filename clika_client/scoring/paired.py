"""Is there a difference? One estimate of B - A with its interval, its p-value, and the verdict after Holm's correction.

Two models, two languages or two groups of models are compared on the same items. The interval and the p-value come
from the same errors, which follow the clusters of the items where there are any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clika_client.scoring.metrics.estimates import Interval, combined, p_value
from clika_client.scoring.metrics.row_figures import RowFigures
from clika_client.scoring.metrics.significance import holm

LIMIT = 0.05
"""A difference is stated when its adjusted p-value is below this."""
CANNOT_TELL, NOT_DEFINED, NOT_RANKED = "cannot tell", "not defined", "not ranked"
Cells = Sequence[tuple[RowFigures, int]]
"""Rows, each with the index of a language: what one side's mean is taken over."""


@dataclass(frozen=True, slots=True)
class PairedEstimate:
    """Means of the two sides and their difference B - A."""

    a: float = math.nan
    b: float = math.nan
    diff: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p_value: float = math.nan
    p_holm: float = math.nan
    verdict: str = ""
    """What can be said after Holm's correction; set beforehand when nothing may be said (`not ranked`)."""

    def flat(self, name: str) -> dict[str, float | str]:
        """Its parts as fields that begin with `name`."""
        return {
            f"{name}_a": self.a,
            f"{name}_b": self.b,
            f"{name}_diff": self.diff,
            f"{name}_diff_low": self.low,
            f"{name}_diff_high": self.high,
            f"{name}_p_value": self.p_value,
            f"{name}_p_holm": self.p_holm,
            f"{name}_verdict": self.verdict,
        }

    @property
    def defined(self) -> bool:
        """There is a difference to speak of."""
        return not math.isnan(self.diff)


def paired(a: Cells, b: Cells, field: str, exact_p: float | None = None, verdict: str = "") -> PairedEstimate:
    """Mean of `field` over the cells of each side and the difference, all rows being of the same items.

    `exact_p` replaces the p-value where an exact test applies (McNemar's, for one pair of cells).
    """
    if not a or not b:
        return PairedEstimate(verdict=verdict)
    cells = [*a, *b]
    ends = (np.array([row.figures[field][end][i] for row, i in cells]) for end in range(3))
    parts = Interval(*ends)
    replicates = np.stack([row.replicates[field][i] for row, i in cells])
    weights = np.concatenate([np.full(len(a), -1 / len(a)), np.full(len(b), 1 / len(b))])
    clusters = cells[0][0].equal_clusters
    value, low, high = combined(parts, replicates, weights, clusters)
    p = p_value(value, low, high, clusters) if exact_p is None else exact_p
    before, after = (float(parts.value[part].mean()) for part in (slice(len(a)), slice(len(a), None)))
    return PairedEstimate(before, after, value, low, high, p, verdict=verdict)


def over_sets(estimates: Sequence[PairedEstimate], clusters: int | None) -> PairedEstimate:
    """The mean over sets, whose items have nothing to do with each other; each set counts the same."""
    known = [e for e in estimates if e.defined and e.verdict != NOT_RANKED]
    if not known:
        return PairedEstimate(verdict=NOT_DEFINED)
    a, b, diff = (float(np.mean(side)) for side in zip(*((e.a, e.b, e.diff) for e in known), strict=True))
    below = math.sqrt(sum((e.diff - e.low) ** 2 for e in known)) / len(known)
    above = math.sqrt(sum((e.high - e.diff) ** 2 for e in known)) / len(known)
    low, high = diff - below, diff + above
    return PairedEstimate(a, b, diff, low, high, p_value(diff, low, high, clusters))


def judged(
    estimates: Sequence[PairedEstimate], better: Mapping[bool, str], family: Sequence[int] | None = None
) -> list[PairedEstimate]:
    """The estimates with Holm's p-values and verdicts; what has a verdict already takes no part in the family.

    `better` names the verdict for a positive (True) and a negative (False) difference; `family` restricts the
    correction to some of them, the rest being returned as they are.
    """
    rows = range(len(estimates)) if family is None else family
    tested = [i for i in rows if not estimates[i].verdict and not math.isnan(estimates[i].p_value)]
    adjusted = dict(zip(tested, holm([estimates[i].p_value for i in tested]), strict=True))
    result = list(estimates)
    for i in rows:
        estimate = estimates[i]
        p = adjusted.get(i, math.nan)
        result[i] = replace(estimate, p_holm=p, verdict=estimate.verdict or _verdict(estimate, p, better))
    return result


def _verdict(estimate: PairedEstimate, p: float, better: Mapping[bool, str]) -> str:
    if not estimate.defined:
        return NOT_DEFINED
    return better[estimate.diff > 0] if p < LIMIT else CANNOT_TELL
