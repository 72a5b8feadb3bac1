"""From answers to scores: every metric of every cell, with intervals, for any number of rows.

Scoring is a pure function of answer blocks and probe sets; it reaches no model, key or network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clika_client.answers.cells import reading_stamp
from clika_client.common.errors import UserError
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.between_models import beside_others
from clika_client.scoring.chosen import NothingStored, Wanted
from clika_client.scoring.language_scores import cell_records
from clika_client.scoring.load import LoadedAnswers, load
from clika_client.scoring.measure import Measured, measure
from clika_client.scoring.metrics.intervals import DRAWS
from clika_client.scoring.metrics.position import one_sided
from clika_client.scoring.model_scores import beside, find_ties, for_ranks, neighbours, row_summary, smallest_detectable
from clika_client.scoring.put_aside import Shelf, nothing
from clika_client.scoring.reading_differences import reading_differences
from clika_client.scoring.records import Record, RowSummary, Scores, Tie
from clika_client.scoring.score_sets import Options, ScoredSet, make_parts
from clika_client.scoring.set_versions import SetVersion, distinct_names
from clika_client.sets.filters import kept_items
from clika_client.sets.probes import NOT_PARALLEL, ProbeSet
from clika_client.store.store import RunRow, Store

__all__ = ["Options", "score", "score_store"]


def score(
    blocks: Sequence[AnswerGrid],
    sets: Mapping[int, ProbeSet],
    options: Options | None = None,
    versions: Mapping[int, SetVersion] | None = None,
    release: Callable[[], None] = nothing,
) -> Scores:
    """Score rows. `sets` maps each block's `set_id` to its probe set, and `versions` to its place among its namesakes.

    `release` is called when a row is done with (see `load.LoadedAnswers`).
    Raises UserError for an unknown variant or tag, or a reference accuracy that is not above chance.
    """
    options = options or Options()
    options.check()
    sets = distinct_names(sets, versions or {})
    parts = list(make_parts(blocks, sets, options, versions))
    release()
    records: list[Record] = []
    rows: list[RowSummary] = []
    ties: list[Tie] = []
    detectable: dict[str, float] = {}
    for part in parts:
        cells, summaries, tied, smallest = _score_part(part, options, len(rows), release)
        if part.split is None and not math.isnan(smallest):
            detectable[part.probe_set.name] = smallest
        records += cells
        rows += summaries
        ties += tied
    return Scores(
        records=tuple(records),
        rows=tuple(rows),
        anchor=options.anchor,
        variant=options.variant,
        bootstrap=options.bootstrap,
        seed=options.seed,
        ties=tuple(ties),
        detectable=detectable,
        one_sided={p.probe_set.name: found for p in parts if (found := one_sided(p.gold)) and p.split is None},
        reference_kind={part.probe_set.name: part.reference_kind for part in parts},
        not_parallel={s.name: s.meta[NOT_PARALLEL] for s in sets.values() if not s.parallel},
        dropped=left_out(sets.values(), options),
        drop=options.drop,
        only=options.only,
    )


def check_anchor(blocks: Sequence[AnswerGrid], anchor: str) -> None:
    """Raise UserError for an anchor without answers; English, which stands where none is named, may be missing."""
    there = sorted({language for block in blocks for language in block.languages})
    if there and anchor not in there and anchor != Options().anchor:
        raise UserError(
            f"no answers that are scored are in the anchor {anchor!r}; there are some in: {', '.join(there)}"
        )


def left_out(sets: Iterable[ProbeSet], options: Options) -> dict[str, int]:
    """Per set name the items that `drop` and `only` leave out; empty where neither is used."""
    if not options.drop and not options.only:
        return {}
    return {s.name: s.n - len(kept_items(s, options.drop, options.only)) for s in sets}


def _score_part(
    part: ScoredSet, options: Options, first_row: int, release: Callable[[], None]
) -> tuple[list[Record], list[RowSummary], list[Tie], float]:
    """Scores of one table, and the smallest difference it shows; `first_row` is the number its first row will have."""
    measured: list[Measured] = []
    records: list[Record] = []
    alone: list[RowSummary] = []
    with Shelf() as shelf:
        for block, unranked in zip(part.blocks, part.compared.unranked, strict=True):
            whole = measure(part, block, options)
            records += cell_records(part, block, whole, options)
            alone.append(row_summary(part, block, whole, options, unranked))
            measured.append(for_ranks(whole, shelf))
            release()
        rows = list(map(beside, alone, beside_others(part, measured, options, release)))
        pairs = neighbours(rows, measured) if options.bootstrap else []
    return records, rows, find_ties(rows, pairs, first_row), smallest_detectable(rows, pairs)


def score_store(
    store: Store,
    *,
    run_id: str | None = None,
    wanted: Wanted | None = None,
    options: Options | None = None,
    anchor: str = "en",
    bootstrap: int = DRAWS,
) -> Scores:
    """Score what a database holds: everything, one run, or the part that `wanted` names.

    `anchor` and `bootstrap` are short for the most usual `options`. Raises UserError when nothing matches.
    """
    options = options or Options(anchor=anchor, bootstrap=bootstrap)
    wanted = replace(wanted or Wanted(), run_id=run_id) if run_id is not None else wanted or Wanted()
    try:
        loaded = load(store, wanted)
    except NothingStored:
        if not any(run.run_id == wanted.run_id for run in store.runs()):
            raise
        loaded = LoadedAnswers((), {})
    if run_id is None:  # a run that has just ended is shown with what it has
        check_anchor(loaded.blocks, options.anchor)
    return score_loaded(store, loaded, wanted, options)


def score_loaded(store: Store, loaded: LoadedAnswers, wanted: Wanted, options: Options) -> Scores:
    """`score_store` for a caller that has gathered the answers of `wanted` already."""
    runs = [run for run in store.runs() if wanted.run_id in (None, run.run_id)]
    readings = dict.fromkeys(block.key.reading for block in loaded.blocks)
    # What stopped an earlier run is no news under a later table.
    lasting = dict.fromkeys(note for run in runs for note in run.notes)
    events = (f"Run {run.run_id}: {event}" for run in runs for event in run.events if wanted.run_id is not None)
    stamps = {name: reading_stamp(name) for name in readings}
    return replace(scored(loaded, options, (*lasting, *events), stamps), runs=tuple(map(_run, runs)))


def scored(loaded: LoadedAnswers, options: Options, notes: Sequence[str], stamps: Mapping[str, str]) -> Scores:
    """The scores of what was loaded; `notes` go below its own, `stamps` are names and versions by reading."""
    readings = dict.fromkeys(block.key.reading for block in loaded.blocks)
    return replace(
        score(loaded.blocks, loaded.sets, options, loaded.versions, loaded.release),
        notes=(*loaded.notes, *notes),
        reading_differences=reading_differences(loaded.blocks, loaded.sets),
        models=loaded.models,
        reading_versions={name: stamps[name].partition("@")[2] for name in readings},
    )


def _run(run: RunRow) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
        "status": run.status,
        "config": dict(run.config),
        "notes": list(run.notes),
        "events": list(run.events),
    }
