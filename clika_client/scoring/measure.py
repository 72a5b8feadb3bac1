"""Every metric of one row: its counts with and without each unit, the metrics of the table, and their intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import MISSING, Floats, answered
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.metrics import position
from clika_client.scoring.metrics.catalogue import CELL_METRICS
from clika_client.scoring.metrics.cell_metrics import LANGUAGE_METRICS, PAIR_METRICS
from clika_client.scoring.metrics.counting import Summed, language_counts, pair_counts, row_counts
from clika_client.scoring.metrics.counts import LanguageCounts, PairCounts
from clika_client.scoring.metrics.estimates import Estimate, Interval, intervals
from clika_client.scoring.metrics.jackknife import leave_out, leaving_out
from clika_client.scoring.metrics.row_figures import KEPT, RowFigures
from clika_client.scoring.metrics.row_metrics import ROW_METRICS
from clika_client.scoring.score_sets import Options, ScoredSet

_AT_ONCE = 4_000_000
"""Numbers held per group of languages: keeps memory near 200 MB however many items and languages there are."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One row with all its figures."""

    figures: RowFigures
    row: Mapping[str, Interval]
    """Field of ROW_METRICS → its figure."""


def measure(part: ScoredSet, block: AnswerGrid, options: Options, fields: Collection[str] | None = None) -> Measured:
    """All metrics of a row; without `options.bootstrap` no intervals are computed, and no replicates.

    With `fields` only those metrics of its languages: a comparison needs three of thirty.
    """
    ways = _ways(part, options)
    most = part.questions.most
    ranks = 0 if block.scores is None else 3 * most**2
    per_language = 6 * most + 3 * len(part.questions.strata) + ranks + 20
    step = max(1, _AT_ONCE // max(per_language * len(part.positions), 1))
    count = len(block.languages)
    groups = [_languages(part, block, slice(i, i + step), ways, options, fields) for i in range(0, count, step)]
    figures = {
        field: Interval(*(np.concatenate([group[0][field][end] for group in groups]) for end in range(3)))
        for field in groups[0][0]
    }
    replicates = {field: np.concatenate([group[1][field] for group in groups]) for field in groups[0][1]}
    row = RowFigures(
        languages=block.languages,
        anchor=block.row(options.anchor),
        flags=language_flags(part, block),
        figures=figures,
        replicates=replicates,
        clusters=part.clusters_of(block),
        equal_clusters=part.equal_clusters_of(block),
        draws=options.bootstrap,
        seed=options.seed,
        compared=part.compared.languages,
    )
    return Measured(row, _row_metrics(part, block, ways, options) if fields is None else {})


def language_flags(part: ScoredSet, block: AnswerGrid) -> tuple[tuple[str, ...], ...]:
    """Per language, what makes its figures hollow: one letter for nearly everything, or few answers at all."""
    share = position.top_choice_share(block.on_screen, part.questions.most)
    given, replied = answered(block.answers).sum(-1), (block.answers != MISSING).sum(-1)
    return tuple(position.flags(float(s), int(a), int(r)) for s, a, r in zip(share, given, replied, strict=True))


def origins(part: ScoredSet, block: AnswerGrid) -> npt.NDArray[np.int64]:
    """Per item the row of the language it comes from (tag `original_lang`), -1 without one."""
    tags = [part.probe_set.items[i].tags.get("original_lang") for i in part.positions]
    return np.array([block.languages.index(t) if t in block.languages else -1 for t in tags], np.int64)


def _ways(part: ScoredSet, options: Options) -> tuple[Summed, Summed | None]:
    """How columns are summed: by item, and by cluster where items come in clusters."""
    if not options.bootstrap:
        return _total, None
    return leave_out, None if part.units is None else leaving_out(part.units)


def _total(columns: npt.NDArray[np.generic]) -> Floats:
    return np.asarray(columns.astype(np.float64).sum(-1, keepdims=True))


def _languages(
    part: ScoredSet,
    block: AnswerGrid,
    chosen: slice,
    ways: tuple[Summed, Summed | None],
    options: Options,
    fields: Collection[str] | None,
) -> tuple[dict[str, Interval], dict[str, Floats]]:
    """(figures, replicates of the kept ones) of some languages."""
    by_item, by_unit = (None if way is None else _estimates(part, block, chosen, way, options, fields) for way in ways)
    assert by_item is not None
    figures, replicates = {}, {}
    clusters = part.equal_clusters_of(block)
    smallest = {metric.field: metric.smallest for metric in CELL_METRICS}
    found: dict[int, Interval] = {}
    for field, estimate in by_item.items():
        if id(estimate) not in found:
            found[id(estimate)] = _with_interval(estimate, None if by_unit is None else by_unit[field], clusters)
        value, low, high = found[id(estimate)]
        shown = np.maximum(value, smallest[field])
        # Cut off, the ends of a figure below its smallest would meet: an interval of no width that tells nothing.
        figures[field] = Interval(shown, low.copy(), np.maximum(high, shown))
        if field in KEPT:
            replicates[field] = np.maximum((by_unit or by_item)[field].value, smallest[field])
    anchor = block.row(options.anchor)
    if anchor is not None and chosen.start <= anchor < chosen.stop:
        for metric in PAIR_METRICS:
            for end in figures.get(metric.field, ()):
                end[anchor - chosen.start] = np.nan
    return figures, replicates


def _with_interval(by_item: Estimate, by_unit: Estimate | None, clusters: float | None) -> Interval:
    if by_item.share.shape[-1] == 1:
        value = by_item.value[..., 0].copy()
        return Interval(value, np.full(value.shape, np.nan), np.full(value.shape, np.nan))
    return Interval(*(np.array(end) for end in intervals(by_item, by_unit, clusters)))


def _estimates(
    part: ScoredSet,
    block: AnswerGrid,
    chosen: slice,
    summed: Summed,
    options: Options,
    fields: Collection[str] | None,
) -> dict[str, Estimate]:
    of_language = [metric for metric in LANGUAGE_METRICS if fields is None or metric.field in fields]
    of_pair = [metric for metric in PAIR_METRICS if fields is None or metric.field in fields]
    answers = block.answers[chosen]
    again = None if block.again is None else (block.again[0][chosen], block.again[1][chosen])
    alone: LanguageCounts = language_counts(
        answers, block.on_screen[chosen], part.questions, part.reference, summed, again
    )
    # RA and RA as in the paper are one estimate, of which one is cut off at 0.
    made = {function: function(alone) for function in dict.fromkeys(metric.function for metric in of_language)}
    found = {metric.field: made[metric.function] for metric in of_language}
    anchor = block.row(options.anchor)
    if anchor is None:
        nothing = Estimate(np.full(alone.right.shape, np.nan), alone.replied)
        return found | {metric.field: nothing for metric in of_pair}
    scores = (None, None) if block.scores is None else (block.scores[anchor], block.scores[chosen])
    pair: PairCounts = pair_counts(block.answers[anchor], answers, part.questions, options.variant, summed, *scores)
    return found | {metric.field: metric.function(pair) for metric in of_pair}


def _row_metrics(
    part: ScoredSet, block: AnswerGrid, ways: tuple[Summed, Summed | None], options: Options
) -> dict[str, Interval]:
    source = origins(part, block)
    counts = [None if way is None else row_counts(block.answers, part.questions, source, way) for way in ways]
    by_item, by_unit = counts
    assert by_item is not None
    return {
        metric.field: _with_interval(
            metric.function(by_item),
            None if by_unit is None else metric.function(by_unit),
            part.equal_clusters_of(block),
        )
        for metric in ROW_METRICS
    }
