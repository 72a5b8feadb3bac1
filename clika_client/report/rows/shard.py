"""What an exported Parquet file of replies says of itself, so that it can be scored without its database."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clika_client.answers.cells import reading_stamp
from clika_client.report.rows.rows import reply_cells
from clika_client.scoring.chosen import Wanted, choose
from clika_client.scoring.shard_footer import Footer, ShardCell, packed
from clika_client.store.store import Store


def footer_of(store: Store, wanted: Wanted | None = None) -> Footer:
    """The footer of the replies that `wanted` names; made after their rows, when all of them have been read."""
    wanted = wanted or Wanted()
    chosen = choose(store, wanted)
    since = {info.set_id: info.created_at for info in store.set_infos()}
    numbers = {set_id: number for number, set_id in enumerate(chosen.sets)}
    cells = [
        ShardCell(
            replace(part.cell.key, set_id=numbers[part.cell.key.set_id]),
            part.shared["reading"],
            part.shared["model"],
            part.shared["set"],
            part.shared["set_version"],
            packed(np.asarray(part.positions, np.int64), chosen.sets[part.cell.key.set_id].n),
        )
        for part in reply_cells(store, wanted, chosen)
    ]
    runs = [run for run in store.runs() if wanted.run_id in (None, run.run_id)]
    return Footer(
        [store.probe_set(set_id) for set_id in chosen.sets],
        [since[set_id] for set_id in chosen.sets],
        cells,
        {cell.reading: reading_stamp(cell.reading) for cell in cells},
        list(dict.fromkeys(note for run in runs for note in run.notes)),
    )
