"""The part of a store that keeps readings: answers as read once, so that scoring again costs nothing."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_cache import Database
from clika_cache import completions as cached
from clika_client.store.schema import Cell


class Readings:
    """The readings of one database file's cells."""

    database: Database
    _moment: float | None

    def name_reasons(self, connection: sqlite3.Connection, names: Sequence[str]) -> None:
        """Keep what the codes of stored reasons stand for."""
        raise NotImplementedError

    def reading(self, cell: Cell, reading: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]] | None:
        """(choices, reasons), one per item of the set, if they are still what the replies say; else None.

        `reading` names the reading with its version. -1 in choices is no answer, -2 missing or never asked. They come
        as they were saved: a byte each, or two where there is more to choose from than a question's choices.
        """
        if self._moment is not None:
            return None
        with self.database.mapped_errors():
            row = self.database.connection.execute(
                "SELECT stamp, choices, reasons FROM readings WHERE cell_id = ? AND reading = ?",
                (cell.cell_id, reading),
            ).fetchone()
        if row is None or not self._still_valid(cell, row[0]):
            return None
        choices, reasons = row[1:]
        wide = len(choices) > len(reasons)
        return np.frombuffer(choices, dtype=np.int16 if wide else np.int8), np.frombuffer(reasons, dtype=np.uint8)

    def kept_readings(self, cell: Cell) -> list[str]:
        """The readings, each with its version, by which a cell was read and the result kept."""
        with self.database.mapped_errors():
            rows = self.database.connection.execute("SELECT reading FROM readings WHERE cell_id = ?", (cell.cell_id,))
            return [str(row[0]) for row in rows]

    def written_answers(self, cell: Cell, reading: str) -> dict[int, str]:
        """What a cell's open replies wrote as their answers, by position, as the kept reading has it; else nothing."""
        if self.reading(cell, reading) is None:
            return {}
        with self.database.mapped_errors():
            rows = self.database.connection.execute(
                "SELECT position, text FROM written_answers WHERE cell_id = ?", (cell.cell_id,)
            )
            return {int(position): str(text) for position, text in rows}

    def save_reading(
        self,
        cell: Cell,
        reading: str,
        choices: npt.NDArray[np.int8] | npt.NDArray[np.int16],
        reasons: npt.NDArray[np.uint8],
        names: Sequence[str] = (),
        written: Mapping[int, str] | None = None,
    ) -> None:
        """Keep a reading, and what the codes of its reasons stand for; silently skipped when the file is read-only.

        `written` is what open replies wrote as their answers, by the position of the item.
        """
        if self.database.read_only or self._moment is not None:
            return
        replaced, rows = cached.generation(self.database)
        complete = int((choices[cell.asked()] != -2).all())
        stamp = f"{replaced}:{'all' if complete else rows}:{zlib.crc32(cell.keys)}"
        with self.database.writing() as connection:
            self.name_reasons(connection, names)
            said = ((cell.cell_id, position, text) for position, text in (written or {}).items())
            connection.executemany("INSERT OR REPLACE INTO written_answers VALUES (?,?,?)", said)
            connection.execute(
                "INSERT OR REPLACE INTO readings (cell_id, reading, stamp, choices, reasons, read_at)"
                " VALUES (?,?,?,?,?,?)",
                (
                    cell.cell_id,
                    reading,
                    stamp,
                    choices.tobytes(),
                    reasons.astype(np.uint8).tobytes(),
                    time.time(),
                ),
            )

    def _still_valid(self, cell: Cell, stamp: str) -> bool:
        now_replaced, now_rows = cached.generation(self.database)
        made_by = f"{now_replaced}:%s:{zlib.crc32(cell.keys)}"
        return stamp in (made_by % "all", made_by % now_rows)
