"""From answers to scores: every metric of every cell, with intervals, for any number of rows.

Scoring is a pure function of answer blocks and probe sets; it reaches no model, key or network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from clika_client.blocks import AnswerBlock
from clika_client.cell_scores import cell_records
from clika_client.draws import RowDraws, row_draws
from clika_client.parts import Options, make_parts
from clika_client.probes import ProbeSet
from clika_client.records import Record, RowSummary, Scores
from clika_client.row_scores import row_summary
from clika_client.subsets import kept_items

__all__ = ["Options", "score"]


def score(blocks: Sequence[AnswerBlock], sets: Mapping[int, ProbeSet], options: Options | None = None) -> Scores:
    """Score rows. `sets` maps each block's `set_id` to its probe set.

    Raises UserError for an unknown variant or tag, or a reference accuracy that is not above chance.
    """
    options = options or Options()
    options.check()
    parts = list(make_parts(blocks, sets, options))
    records: list[Record] = []
    rows: list[RowSummary] = []
    for part in parts:
        drawn: Iterator[RowDraws | None] = iter([None] * len(part.blocks))
        if options.bootstrap and len(part.positions):
            drawn = row_draws(part.blocks, part.gold, options.anchor, options.variant, part.resampler(options))
        for block, draws in zip(part.blocks, drawn, strict=True):
            cells = cell_records(part, block, draws, options)
            records += cells
            rows.append(row_summary(part, block, draws, cells, options))
    return Scores(
        records=tuple(records),
        rows=tuple(rows),
        anchor=options.anchor,
        variant=options.variant,
        bootstrap=options.bootstrap,
        seed=options.seed,
        reference_kind={part.probe_set.name: part.reference_kind for part in parts},
        dropped={s.name: s.n - len(kept_items(s, options.drop)) for s in sets.values()} if options.drop else {},
        drop=options.drop,
    )
