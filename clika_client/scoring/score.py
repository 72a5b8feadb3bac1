"""From answers to scores: every metric of every cell, with intervals, for any number of rows.

Scoring is a pure function of answer blocks and probe sets; it reaches no model, key or network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clika_client.answers.cells import reading_stamp
from clika_client.common.answer_codes import Floats
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.bootstrap import RowDraws, row_draws
from clika_client.scoring.language_scores import cell_records
from clika_client.scoring.load import Wanted, load
from clika_client.scoring.metrics.intervals import DRAWS
from clika_client.scoring.model_scores import find_ties, other_ra_draws, row_summary
from clika_client.scoring.reading_differences import reading_differences
from clika_client.scoring.records import Record, RowSummary, Scores, Tie
from clika_client.scoring.score_sets import Options, ScoredSet, make_parts
from clika_client.sets.filters import kept_items
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import RunRow, Store

__all__ = ["Options", "score", "score_store"]


def score(blocks: Sequence[AnswerGrid], sets: Mapping[int, ProbeSet], options: Options | None = None) -> Scores:
    """Score rows. `sets` maps each block's `set_id` to its probe set.

    Raises UserError for an unknown variant or tag, or a reference accuracy that is not above chance.
    """
    options = options or Options()
    options.check()
    parts = list(make_parts(blocks, sets, options))
    records: list[Record] = []
    rows: list[RowSummary] = []
    ties: list[Tie] = []
    for part in parts:
        cells, summaries, tied = _score_part(part, options, first_row=len(rows))
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
        reference_kind={part.probe_set.name: part.reference_kind for part in parts},
        dropped={s.name: s.n - len(kept_items(s, options.drop)) for s in sets.values()} if options.drop else {},
        drop=options.drop,
    )


def _score_part(part: ScoredSet, options: Options, first_row: int) -> tuple[list[Record], list[RowSummary], list[Tie]]:
    """Scores of one table; `first_row` is the number its first row will have."""
    drawn: Iterator[RowDraws | None] = iter([None] * len(part.blocks))
    if options.bootstrap and len(part.positions):
        drawn = row_draws(part.blocks, part.gold, options.anchor, options.variant, part.resampler(options))
    records: list[Record] = []
    rows: list[RowSummary] = []
    means: list[Floats] = []
    for block, draws in zip(part.blocks, drawn, strict=True):
        cells = cell_records(part, block, draws, options)
        records += cells
        rows.append(row_summary(part, block, draws, cells, options))
        if draws is not None and set(block.languages) - {options.anchor}:
            means.append(other_ra_draws(part, block, draws, options.anchor))
    ties = find_ties(rows, means, first_row) if len(means) == len(rows) else []
    return records, rows, ties


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
    loaded = load(store, wanted)
    runs = [run for run in store.runs() if wanted.run_id in (None, run.run_id)]
    readings = dict.fromkeys(block.key.reading for block in loaded.blocks)
    notes = [f"Run {run.run_id}: {note}" for run in runs for note in run.notes]
    return replace(
        score(loaded.blocks, loaded.sets, options),
        runs=tuple(map(_run, runs)),
        notes=tuple(notes),
        reading_differences=reading_differences(loaded.blocks, loaded.sets),
        reading_versions={name: reading_stamp(name).partition("@")[2] for name in readings},
    )


def _run(run: RunRow) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
        "status": run.status,
        "config": dict(run.config),
        "notes": list(run.notes),
    }
