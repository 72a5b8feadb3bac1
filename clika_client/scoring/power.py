"""Which difference could a run show, before anything is asked? From stored answers where there are any, else assumed.

The error of a difference of two models' mean accuracy over languages is made of how often one language is right, how
much two models are right on the same items, how much languages are, and how the items cluster. Stored answers to the
set give all four; without them a stated middle is assumed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Floats
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.metrics.jackknife import unit_numbers
from clika_client.scoring.metrics.performance import correct, received
from clika_client.scoring.metrics.student import quantile
from clika_client.scoring.score_sets import ScoredSet

LEVEL, POWER = 0.95, 0.80
ASSUMED_ACCURACY, ASSUMED_MODELS, ASSUMED_LANGUAGES, ASSUMED_ICC = 0.6, 0.2, 0.3, 0.1
"""Accuracy; correlation of being right, of two models on one item; correlation of the models' difference, of two
languages on one item; intraclass correlation of clusters.

Rounded from the medians of the responses that the authors of CLiKA published (17 models; four sets: accuracy .38-.63,
between models .08-.25, between languages .19-.41; x_name's pairs of questions about a person .11).
"""


@dataclass(frozen=True, slots=True)
class Power:
    """What a run of this size could show about two models."""

    set: str
    items: int
    languages: int
    clusters: int | None
    accuracy: float
    between_models: float
    """Correlation of being right between two models on one item in one language."""
    between_languages: float
    design_effect: float
    stored: int
    """Rows of stored answers the above is taken from; 0: assumed."""
    one_language: float
    """Smallest difference of accuracy in one language found four times out of five, at 5 %, uncorrected."""
    one_of_all: float
    """The same with Holm's correction over the languages."""
    mean: float
    """The same for the mean over the languages."""
    effect: float | None = None
    chance_to_find: float | None = None
    """Probability of finding `effect` in the mean over the languages."""
    items_needed: int | None = None
    """Items at which `effect` in the mean is found four times out of five."""
    languages_assumed: bool = False
    """No two models' answers in two languages are stored: `between_languages` is the assumed middle."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; fractions."""
        return asdict(self)


def plan(
    name: str,
    items: int,
    languages: int,
    clusters: Sequence[object] | None,
    stored: ScoredSet | None = None,
    effect: float | None = None,
) -> Power:
    """`effect` is a difference of accuracies as a fraction; `clusters` names each item's cluster."""
    units = unit_numbers(items, clusters)
    groups = int(units.max()) + 1 if items else 0
    clustered = 0 < groups < items
    measured = None if stored is None else _measured(stored.blocks, stored)
    accuracy, models, tongues, effect_of_design, rows = measured or (
        ASSUMED_ACCURACY, ASSUMED_MODELS, ASSUMED_LANGUAGES,
        1 + ASSUMED_ICC * (_size(units) - 1) if clustered else 1.0, 0,
    )  # fmt: skip
    unknown = math.isnan(tongues)
    tongues = ASSUMED_LANGUAGES if unknown else tongues
    variance = 2 * accuracy * (1 - accuracy) * (1 - models) * effect_of_design / max(items, 1)
    of_mean = variance * (1 + (languages - 1) * tongues) / max(languages, 1)
    found = (
        _detectable(math.sqrt(variance), LEVEL),
        _detectable(math.sqrt(variance), 1 - (1 - LEVEL) / max(languages, 1)),
    )
    power = needed = None
    if effect is not None:
        error = math.sqrt(of_mean)
        power = _normal(effect / error - quantile(LEVEL)) if error > 0 else 1.0
        needed = math.ceil(items * of_mean * ((quantile(LEVEL) + quantile(2 * POWER - 1)) / effect) ** 2)
    return Power(
        name, items, languages, groups if clustered else None, accuracy, models, tongues, effect_of_design, rows,
        *found, _detectable(math.sqrt(of_mean), LEVEL), effect, power, needed, unknown or not rows,
    )  # fmt: skip


def _detectable(error: float, level: float) -> float:
    return (quantile(level) + quantile(2 * POWER - 1)) * error


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _size(units: npt.NDArray[np.int64]) -> float:
    """Mean size of the cluster an item is in."""
    counts = np.bincount(units)
    return float((counts**2).sum() / counts.sum())


def _measured(blocks: Sequence[AnswerGrid], part: ScoredSet) -> tuple[float, float, float, float, int] | None:
    """(accuracy, correlation between models, between languages, design effect, rows); None without two such models.

    NaN for the languages where no two models have two in common.
    """
    right = [np.where(received(b.answers), correct(b.answers, part.gold), np.nan).astype(np.float64) for b in blocks]
    if len(right) < 2:
        return None
    models: list[float] = []
    tongues: list[float] = []
    effects: list[float] = []
    for (a, first), (b, second) in combinations(zip(blocks, right, strict=True), 2):
        shared = [t for t in a.languages if t in b.languages]
        if a.key.model == b.key.model or not shared:
            continue
        difference = np.stack([first[a.languages.index(t)] - second[b.languages.index(t)] for t in shared])
        models += [_correlation(first[a.languages.index(t)], second[b.languages.index(t)]) for t in shared]
        tongues += [_correlation(difference[i], difference[j]) for i, j in combinations(range(len(shared)), 2)]
        effects += [_design_effect(line, part) for line in difference]
    accuracy = float(np.nanmean([np.nanmean(line) for rows in right for line in rows if not np.isnan(line).all()]))
    middle = [_middle(values) for values in (models, tongues, effects)]
    if math.isnan(middle[0]):
        return None
    tongue = middle[1] if math.isnan(middle[1]) else max(middle[1], 0.0)
    return accuracy, middle[0], tongue, max(1.0, middle[2]), len(blocks)


def _middle(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


def _correlation(a: Floats, b: Floats) -> float:
    known = ~(np.isnan(a) | np.isnan(b))
    if known.sum() < 3 or a[known].std() == 0 or b[known].std() == 0:
        return math.nan
    return float(np.corrcoef(a[known], b[known])[0, 1])


def _design_effect(difference: Floats, part: ScoredSet) -> float:
    """Variance of a mean difference over clusters, against that over items."""
    known = ~np.isnan(difference)
    if part.units is None or known.sum() < 3:
        return 1.0
    centred = np.where(known, difference - difference[known].mean(), 0.0)
    alone = (centred**2).sum()
    return float((np.bincount(part.units, weights=centred) ** 2).sum() / alone) if alone > 0 else math.nan
