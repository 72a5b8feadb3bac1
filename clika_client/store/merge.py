"""Bringing two databases together: sets, cells and runs follow the replies they speak of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clika_cache import maintenance
from clika_client.common.errors import UserError
from clika_client.store.store import Store


def merge(store: Store, other: Path) -> tuple[int, int]:
    """Copy what `other` has and this file lacks; returns (new replies, cells seen in the other file).

    Cells that both files have are united, key by key; runs keep their ids.
    Raises UserError when both are one file.
    """
    if other.exists() and other.samefile(store.database.path):
        raise UserError(f"{other} cannot be merged into itself; name another database")
    replies = maintenance.merge(store.database, other)
    with Store(other, read_only=True) as theirs:
        numbers: dict[int, int] = {}
        sets: dict[int, int] = {}
        cells = theirs.cells()
        made = {info.set_id: info.created_at for info in theirs.set_infos()}
        for cell in cells:
            set_id = cell.key.set_id
            if set_id not in sets:
                sets[set_id] = store.add_set(theirs.probe_set(set_id), made.get(set_id))
            keys = {int(p): cell.key_at(int(p)) for p in cell.asked()}
            numbers[cell.cell_id] = store.add_cell(replace(cell.key, set_id=sets[set_id]), cell.labels, keys)
        known = {run.run_id for run in store.runs()}
        for run in theirs.runs():
            if run.run_id in known:
                continue
            store.copy_run(run)
            for cell_id, positions in theirs.run_positions(run.run_id).items():
                store.add_run_cell(run.run_id, numbers[cell_id], positions.tolist())
    return replies, len(cells)
