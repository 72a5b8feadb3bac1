"""The part of a store that remembers runs: what was asked when, with which settings, and how it ended."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_cache import Database, canonical
from clika_client.store.schema import RunRow
from clika_providers import Json


class Runs:
    """The runs of one database file."""

    database: Database

    def start_run(self, config: Mapping[str, Json]) -> str:
        """Record an invocation; returns its id, which sorts by time."""
        run_id = time.strftime("%Y%m%d-%H%M%S", time.gmtime()) + "-" + secrets.token_hex(3)
        with self.database.writing() as connection:
            connection.execute(
                "INSERT INTO kept_runs (id, created_at, status, config) VALUES (?,?,?,?)",
                (run_id, time.time(), "running", canonical(dict(config))),
            )
        return run_id

    def add_run_cell(self, run_id: str, cell_id: int, positions: Sequence[int]) -> None:
        """Note which items of a cell a run asked for."""
        packed = np.asarray(positions, dtype=np.int32).tobytes()
        with self.database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO run_cells VALUES (?,?,?)", (run_id, cell_id, packed))

    def run_positions(self, run_id: str) -> dict[int, npt.NDArray[np.int32]]:
        """cell_id → item positions that a run asked for."""
        with self.database.mapped_errors():
            rows = self.database.connection.execute(
                "SELECT cell_id, positions FROM run_cells WHERE run_id = ?", (run_id,)
            ).fetchall()
        return {cell_id: np.frombuffer(blob, dtype=np.int32) for cell_id, blob in rows}

    def finish_run(self, run_id: str, status: str, notes: Sequence[str] = (), events: Sequence[str] = ()) -> None:
        """Close a run as `done`, `incomplete` or `stopped`; `events` concern this run only."""
        values = (time.time(), status, canonical(list(notes)), canonical(list(events)), run_id)
        sql = "UPDATE kept_runs SET finished_at = ?, status = ?, notes = ?, events = ? WHERE id = ?"
        with self.database.writing() as connection:
            connection.execute(sql, values)

    def copy_run(self, run: RunRow) -> None:
        """Record a run of another file under the same id."""
        texts = (canonical(part) for part in (run.config, list(run.notes), list(run.events)))
        values = (run.run_id, run.created_at, run.finished_at, run.status, *texts)
        sql = (
            "INSERT OR IGNORE INTO kept_runs (id, created_at, finished_at, status, config, notes, events)"
            " VALUES (?,?,?,?,?,?,?)"
        )
        with self.database.writing() as connection:
            connection.execute(sql, values)

    def runs(self) -> list[RunRow]:
        """All runs, oldest first."""
        with self.database.mapped_errors():
            rows = self.database.connection.execute(
                "SELECT id, created_at, finished_at, status, config, notes, events FROM kept_runs ORDER BY created_at"
            ).fetchall()
        with self.database.understood():
            return [_run(row) for row in rows]


def _run(row: tuple[Any, ...]) -> RunRow:
    config, notes, events = (json.loads(text) for text in row[4:7])
    if not isinstance(config, dict):
        raise ValueError("a run's settings are no mapping")
    run_id, created_at, finished_at, status = row[:4]
    said = (tuple(map(str, notes)), tuple(map(str, events)))
    return RunRow(run_id, created_at, finished_at, status, config, *said)
