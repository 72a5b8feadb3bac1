"""What needs several languages of a row at once: means, gaps, agreement of all, transfer between languages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Bools, Floats
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.bootstrap import RowDraws
from clika_client.scoring.metrics import consistency, multilingual, performance, transfer
from clika_client.scoring.metrics.intervals import percentile_interval
from clika_client.scoring.metrics.significance import mcnemar_exact
from clika_client.scoring.records import Record, RowSummary, Tie
from clika_client.scoring.score_sets import Options, ScoredSet

NAN = float("nan")


def row_summary(
    part: ScoredSet, block: AnswerGrid, draws: RowDraws | None, cells: Sequence[Record], options: Options
) -> RowSummary:
    """What needs several languages at once."""
    gold, answers = part.gold, block.answers
    others = [i for i, language in enumerate(block.languages) if language != options.anchor]
    ra = np.array([cell.ra for cell in cells])
    en_co = np.array([cell.en_co for cell in cells])
    ra_interval = co_interval = (NAN, NAN)
    if draws is not None and others:
        ra_interval = _interval(other_ra_draws(part, block, draws, options.anchor))
        co_interval = _interval(draws.en_co[others].mean(0))
    anchor_row = block.row(options.anchor)
    gap, deviation = multilingual.gap([cell.accuracy for cell in cells])
    origin = _origins(part, block)
    right = performance.correct(answers, gold)
    eclektic = transfer.eclektic(right, origin, performance.received(answers))
    pairs = consistency.all_pairs(answers, gold, options.variant)
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
        anchor_ra=NAN if anchor_row is None else float(ra[anchor_row]),
        other_ra=float(ra[others].mean()) if others else NAN,
        other_ra_low=ra_interval[0],
        other_ra_high=ra_interval[1],
        other_en_co=float(en_co[others].mean()) if others else NAN,
        other_en_co_low=co_interval[0],
        other_en_co_high=co_interval[1],
        language_gap=gap,
        language_sd=deviation,
        ac3=multilingual.ac3(answers, gold, 2),
        ac3_3=multilingual.ac3(answers, gold, 3),
        fleiss_kappa=multilingual.fleiss_kappa(answers, part.probe_set.k),
        pairs=tuple(tuple(float(v) for v in row) for row in pairs),
        mother_tongue=_mother_tongues(block, right, origin, anchor_row),
        source_transfer=eclektic.transfer,
        source_overall=eclektic.overall,
    )


def other_ra_draws(part: ScoredSet, block: AnswerGrid, draws: RowDraws, anchor: str) -> Floats:
    """Draws of the mean RA over the languages other than the anchor; (draws,)."""
    others = [i for i, language in enumerate(block.languages) if language != anchor]
    ra = performance.rescaled_accuracy(draws.accuracy[others], part.probe_set.chance, part.reference)
    return np.asarray(ra.mean(0))


def find_ties(rows: Sequence[RowSummary], draws: Sequence[Floats], first: int) -> list[Tie]:
    """Neighbours in mean RA whose paired difference has an interval that holds 0; `first` is the first row's index."""
    order = sorted(range(len(rows)), key=lambda i: -rows[i].other_ra)
    ties = []
    for higher, lower in pairwise(i for i in order if rows[i].other_ra == rows[i].other_ra):
        if rows[higher].model == rows[lower].model:
            continue
        low, high = percentile_interval(draws[higher] - draws[lower])
        if low <= 0 <= high:
            ties.append(Tie(rows[higher].set, rows[higher].split, first + higher, first + lower))
    return ties


def _interval(values: Floats) -> tuple[float, float]:
    low, high = percentile_interval(values)
    return float(low), float(high)


def _origins(part: ScoredSet, block: AnswerGrid) -> npt.NDArray[np.int64]:
    """Per item the row of the language it comes from (tag `original_lang`), -1 without one."""
    tags = [part.probe_set.items[i].tags.get("original_lang") for i in part.positions]
    return np.array([block.languages.index(t) if t in block.languages else -1 for t in tags], np.int64)


def _mother_tongues(
    block: AnswerGrid, right: Bools, origin: npt.NDArray[np.int64], anchor_row: int | None
) -> dict[str, dict[str, float]]:
    """Does a language know its own people and places better than the anchor does?"""
    if anchor_row is None:
        return {}
    effects = {}
    replied = performance.received(block.answers)
    for i, language in enumerate(block.languages):
        items = (origin == i) & replied[i] & replied[anchor_row]
        if i == anchor_row or not items.any():
            continue
        found = transfer.mother_tongue(right[i], right[anchor_row], items)
        effects[language] = {
            "n": found.n,
            "own": found.own,
            "anchor": found.anchor,
            "effect": found.effect,
            "p_value": mcnemar_exact(found.own_only, found.anchor_only),
        }
    return effects
