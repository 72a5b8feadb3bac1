"""What needs several languages of a row at once: means, gaps, agreement of all, transfer between languages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from clika_client.common.answer_codes import divide
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.measure import Measured, origins
from clika_client.scoring.metrics import consistency, performance
from clika_client.scoring.metrics.design_effect import equal_clusters
from clika_client.scoring.metrics.estimates import Estimate, Interval, combined, intervals, p_value
from clika_client.scoring.metrics.intervals import LEVEL
from clika_client.scoring.metrics.jackknife import leave_out
from clika_client.scoring.metrics.row_figures import NOTHING, BesideOthers
from clika_client.scoring.metrics.row_metrics import BESIDE_METRICS, MEAN_METRICS
from clika_client.scoring.metrics.significance import holm
from clika_client.scoring.metrics.student import quantile
from clika_client.scoring.put_aside import Shelf
from clika_client.scoring.records import Figure, RowSummary, Tie
from clika_client.scoring.score_sets import Options, ScoredSet

_FEWEST_CLUSTERS = 3
_RANKED = "ra_unclipped"
"""What rows are ranked by."""
POWER_Z = 0.8416212335729143
"""Normal quantile of .8: a difference is to be found four times out of five."""


def row_summary(
    part: ScoredSet, block: AnswerGrid, measured: Measured, options: Options, unranked: str = ""
) -> RowSummary:
    """What needs several languages at once; without `beside`, which needs the other rows too."""
    row = measured.figures
    found = {metric.field: metric.function(row) for metric in MEAN_METRICS} | dict(measured.row)
    pairs = consistency.all_pairs(block.answers, part.gold, options.variant)
    return RowSummary(
        model=block.key.model,
        set=part.probe_set.name,
        prompt=block.key.prompt,
        ask=block.key.ask,
        reading=block.key.reading,
        source=block.key.source,
        split=part.split,
        settings=block.key.settings,
        anchor=options.anchor,
        languages=block.languages,
        counted=tuple(block.languages[i] for i in row.counted(_RANKED)),
        items=len(part.positions),
        clusters=part.clusters_of(block),
        pairs=tuple(tuple(float(v) for v in line) for line in pairs),
        mother_tongue=_mother_tongues(part, block, options),
        figures={field: Figure(*map(float, figure)) for field, figure in found.items()},
        set_id=part.set_id,
        compared_languages=part.compared.languages,
        unranked=unranked,
        no_mean=row.no_mean,
    )


def beside(summary: RowSummary, others: BesideOthers | None) -> RowSummary:
    """A row's summary with what is told of it beside other models."""
    found = {m.field: NOTHING if others is None else m.function(others) for m in BESIDE_METRICS}
    return replace(summary, figures={**summary.figures, **{f: Figure(*map(float, told)) for f, told in found.items()}})


def for_ranks(measured: Measured, shelf: Shelf) -> Measured:
    """A row without the replicates that only its own summary needs; those that ranks need are put aside."""
    row = measured.figures
    return replace(measured, figures=replace(row, replicates=shelf.put({_RANKED: row.replicates[_RANKED]})))


def neighbours(rows: Sequence[RowSummary], measured: Sequence[Measured]) -> list[tuple[int, int, Figure]]:
    """Rows that follow each other in mean RA of the others, (higher, lower, the paired difference with its interval).

    The difference is taken over the languages that count in both. Rows of one model that was asked or read in two ways
    are compared like those of two models: the items are the same.
    """
    ranked = [i for i, row in enumerate(rows) if not math.isnan(row.other_ra) and not row.unranked]
    order = sorted(ranked, key=lambda i: -rows[i].other_ra)
    found = []
    for higher, lower in pairwise(order):
        difference = mean_difference(measured[lower], measured[higher], _RANKED)
        if difference is not None:
            found.append((higher, lower, difference))
    return found


def find_ties(rows: Sequence[RowSummary], pairs: Sequence[tuple[int, int, Figure]], first: int) -> list[Tie]:
    """Neighbours whose difference has no interval above 0; `first` is the first row's index."""
    return [
        Tie(rows[higher].set, rows[higher].split, first + higher, first + lower)
        for higher, lower, difference in pairs
        if not difference.low > 0
    ]


def smallest_detectable(rows: Sequence[RowSummary], pairs: Sequence[tuple[int, int, Figure]]) -> float:
    """The difference in mean RA that these items show four times out of five; NaN without any interval.

    From the median error of the differences between neighbours; with one row from its own error, taking the answers of
    another model to go with its own as far as those of two models usually do (correlation .5).
    """
    halves = [(difference.high - difference.low) / 2 for _, _, difference in pairs]
    halves = halves or [(row.other_ra_high - row.other_ra_low) / 2 for row in rows]
    known = [half for half in halves if not math.isnan(half)]
    return float(np.median(known)) * (1 + POWER_Z / quantile(LEVEL)) if known else math.nan


def mean_difference(a: Measured, b: Measured, field: str) -> Figure | None:
    """Mean of B - A over the other languages that count in both, with its interval; None without a common one."""
    shared = [
        (i, b.figures.languages.index(language))
        for i in a.figures.counted(field)
        if (language := a.figures.languages[i]) in b.figures.languages
        and b.figures.languages.index(language) in b.figures.counted(field)
    ]
    if not shared:
        return None
    rows = ([i for i, _ in shared], [j for _, j in shared])
    parts = Interval(
        *(np.concatenate([x[r] for x, r in zip(ends, rows, strict=True)])
          for ends in zip(a.figures.figures[field], b.figures.figures[field], strict=True))
    )  # fmt: skip
    replicates = np.concatenate([m.figures.replicates[field][r] for m, r in zip((a, b), rows, strict=True)])
    weights = np.repeat([-1.0, 1.0], len(shared)) / len(shared)
    return Figure(*combined(parts, replicates, weights, a.figures.equal_clusters))


def _mother_tongues(part: ScoredSet, block: AnswerGrid, options: Options) -> dict[str, dict[str, float]]:
    """Does a language know its own people and places better than the anchor does? Holm over the row's languages."""
    anchor = block.row(options.anchor)
    if anchor is None:
        return {}
    origin = origins(part, block)
    replied, right = performance.received(block.answers), performance.correct(block.answers, part.gold)
    effects: dict[str, dict[str, float]] = {}
    for i, language in enumerate(block.languages):
        items = (origin == i) & replied[i] & replied[anchor]
        if i == anchor or not items.any():
            continue
        units = None if part.units is None else part.units[items]
        # All of a language's items can be about one country: then the claim is about that country, and items count.
        if units is not None and len(np.unique(units)) < _FEWEST_CLUSTERS:
            units = None
        both = np.stack([right[i], right[anchor]])[:, items]
        n = int(items.sum())
        by_item, by_unit = (_shares(leave_out(both, u), leave_out(np.ones(n), u)) for u in (None, units))
        equal = None if units is None else equal_clusters(units)
        found = intervals(by_item, None if units is None else by_unit, equal)
        value, low, high = combined(found, by_unit.share, np.array([1.0, -1.0]), equal)
        effects[language] = {
            "n": n,
            "own": float(found.value[0]),
            "anchor": float(found.value[1]),
            "effect": value,
            "effect_low": low if options.bootstrap else math.nan,
            "effect_high": high if options.bootstrap else math.nan,
            "p_value": p_value(value, low, high, equal),
        }
    adjusted = holm([effect["p_value"] for effect in effects.values()])
    for effect, p in zip(effects.values(), adjusted, strict=True):
        effect["p_holm"] = p
    return effects


def _shares(right: np.ndarray, n: np.ndarray) -> Estimate:
    whole = np.broadcast_to(n, right.shape)
    return Estimate(divide(right, whole), whole)
