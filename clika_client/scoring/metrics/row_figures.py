"""The figures of all languages of a row, as means over languages and the spread between them need them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clika_client.common.answer_codes import Floats
from clika_client.scoring.metrics.estimates import Interval, combined
from clika_client.scoring.metrics.intervals import LEVEL
from clika_client.scoring.metrics.jackknife import variance
from clika_client.scoring.metrics.student import quantile

NOTHING = Interval(*(np.asarray(math.nan) for _ in range(3)))
"""A figure that does not exist."""
KEPT = ("accuracy", "ra", "ra_unclipped", "en_co", "en_co_chance_corrected")
"""Figures whose replicates are kept, so that means and differences can be taken of them."""


@dataclass(frozen=True, slots=True)
class BesideOthers:
    """A row's corrected consistency, and that of its anchor with other models; arrays (1 + groups left out)."""

    own: Floats
    others: Floats
    languages: int
    """Languages with another model about as accurate."""
    models: int
    """Such models, over all languages."""

    def interval(self, values: Floats) -> Interval:
        """A figure of these with its interval: Student's, from the groups of items left out."""
        value, groups = np.asarray(values[0]), len(values) - 1
        if groups < 2:
            return Interval(value, *(np.asarray(math.nan) for _ in range(2)))
        reach = quantile(LEVEL, groups - 1) * np.sqrt(variance(values))
        return Interval(value, value - reach, value + reach)


@dataclass(frozen=True, slots=True)
class RowFigures:
    """One row's figures per language, with the replicates of those that means are taken of."""

    languages: tuple[str, ...]
    anchor: int | None
    """Index of the anchor language."""
    flags: tuple[tuple[str, ...], ...]
    """Per language."""
    figures: Mapping[str, Interval]
    """Field → arrays (languages,)."""
    replicates: Mapping[str, Floats]
    """Field of KEPT → (languages, 1 + G)."""
    clusters: int | None
    """Number of clusters when items come in clusters."""
    equal_clusters: float | None = None
    """How many clusters of equal size tell as much."""
    draws: int = 0
    seed: int = 0
    compared: tuple[str, ...] | None = None
    """The other languages that the rows of the table share; None: all of this row's."""
    worked_out: dict[object, Floats] = field(default_factory=dict, compare=False, repr=False)
    """What took long and is part of several figures, by what it was found with."""

    @property
    def others(self) -> list[int]:
        """The languages other than the anchor that means go over; none where one that other rows share is lacking."""
        if self.compared is None:
            return [i for i in range(len(self.languages)) if i != self.anchor]
        if not set(self.compared) <= set(self.languages):
            return []
        return [self.languages.index(language) for language in self.compared]

    @property
    def sound(self) -> list[int]:
        """The languages whose answers say something: without a flag."""
        return [i for i, flags in enumerate(self.flags) if not flags]

    @property
    def flagged(self) -> int:
        """How many of the other languages have a flag."""
        return sum(bool(self.flags[i]) for i in self.others)

    @property
    def no_mean(self) -> str:
        """Why there is no mean over the others, of RA or at least of consistency; empty where there are both."""
        if 2 * self.flagged > len(self.others):
            return f"{self.flagged} of {len(self.others)} other languages are flagged"
        hollow = self.anchor is not None and bool(self.flags[self.anchor])
        return "the anchor is flagged, so that there is no consistency" if hollow else ""

    def of_anchor(self, field: str) -> Interval:
        """The anchor's figure."""
        if self.anchor is None:
            return NOTHING
        return Interval(*(end[self.anchor] for end in self.figures[field]))

    def counted(self, field: str, everything: bool = False) -> list[int]:
        """The other languages that a mean of `field` is taken over."""
        of_pair = field.startswith("en_co")
        hollow = of_pair and self.anchor is not None and bool(self.flags[self.anchor])
        values = self.figures[field].value
        return [
            i for i in self.others if everything or not (hollow or self.flags[i] or (of_pair and np.isnan(values[i])))
        ]

    def mean(self, field: str, everything: bool = False) -> Interval:
        """Mean over the other languages; without `everything`, over those that are not flagged.

        Where most are flagged the rest does not speak for the row: then there is no mean.
        """
        chosen = self.counted(field, everything)
        if not everything and 2 * self.flagged > len(self.others):
            return NOTHING
        return self.mean_over(field, chosen)

    def mean_over(self, field: str, chosen: Sequence[int]) -> Interval:
        """Mean over some languages; NaN for none."""
        if not chosen:
            return NOTHING
        parts = Interval(*(end[list(chosen)] for end in self.figures[field]))
        weights = np.full(len(chosen), 1 / len(chosen))
        return Interval(*map(np.asarray, combined(parts, self.replicates[field][list(chosen)], weights)))
