"""Cells on their way into the file: read while nobody is kept from it, then stored many at once.

Keys of replies are random, so each commit writes nearly every page of their indices again, and what an import writes
grows with its commits. They are counted in replies, never in seconds: a slow machine writes no more than a fast one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clika_client.answers.cells import before_questions, read_texts, reading_stamp, spread, unrotate
from clika_client.importers.common import ImportReport
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import Cell, CellKey, ImportedReply, ReplyRows, Store

MOST_REPLIES = 50_000
"""Replies that are stored at once: few enough that others wait seconds for the file,"""
MOST_CHARACTERS = 40_000_000
"""and so many characters of prompts and replies, so that long ones do not fill the memory."""
READ_AT_IMPORT = ("first-letter", "standard")
"""Readings computed while the text is at hand, so that the first score needs none."""
Then = Callable[[Cell], None]
"""What else is stored with a cell."""


class _CellReading(NamedTuple):
    """A reading of a whole cell, one value per item."""

    stamp: str
    choices: npt.NDArray[np.int8]
    reasons: npt.NDArray[np.uint8]


class _Ready(NamedTuple):
    """One cell that waits to be stored."""

    key: CellKey
    labels: Sequence[str]
    made: ReplyRows
    probe_set: ProbeSet
    readings: Sequence[_CellReading]
    then: Then | None


class CellsToStore:
    """Cells that wait to be stored, and what the report says of them once they are."""

    def __init__(self, store: Store, report: ImportReport) -> None:
        self._store, self._report = store, report
        self._ready: dict[CellKey, _Ready] = {}
        self._replies = self._characters = 0

    def add(
        self,
        key: CellKey,
        labels: Sequence[str],
        rows: Sequence[ImportedReply],
        probe_set: ProbeSet,
        then: Then | None = None,
    ) -> None:
        """Read one cell's replies and keep them to be stored; all that wait are stored when they are many."""
        if not rows:
            return
        if key in self._ready:
            self.store()  # the second of a name is compared with the first as it is stored
        whole = key.ask == "text" and all(row.text is not None for row in rows)
        fresh = whole and self._store.find_cell(key) is None
        readings = tuple(_readings(key, labels, rows, probe_set)) if fresh else ()
        self._ready[key] = _Ready(key, labels, self._store.rows_of(key, rows), probe_set, readings, then)
        self._replies += len(rows)
        self._characters += sum(len(m.content) for row in rows for m in row.messages)
        self._characters += sum(len(row.text or "") for row in rows)
        if self._replies >= MOST_REPLIES or self._characters >= MOST_CHARACTERS:
            self.store()

    def store(self) -> None:
        """Store what waits, in one transaction in which each cell is whole or not at all."""
        waiting, self._ready = list(self._ready.values()), {}
        self._replies = self._characters = 0
        if waiting:
            with self._store.bulk(rests=False):
                for ready in waiting:
                    _store(self._store, ready, self._report)


@contextmanager
def gathered(store: Store, report: ImportReport) -> Iterator[CellsToStore]:
    """Cells to be stored, the last of them at the end; those that wait when an exception comes are not stored."""
    cells = CellsToStore(store, report)
    yield cells
    cells.store()


def _store(store: Store, ready: _Ready, report: ImportReport) -> None:
    """Store one cell's replies and what was read of them; counts into `report`."""
    key, made = ready.key, ready.made
    # What is stored stays, whatever comes later under the same name: a reply to another prompt, or another reply.
    held = store.held_replies(key)
    new = store.add_rows(key, ready.labels, made.without(held) if held else made)
    report.replies += len(made.replies)
    report.missing += len(made.keys) - len(made.replies)
    report.new += new
    report.cells += 1
    report.models.add(key.model)
    report.sets.add(ready.probe_set.name)
    report.languages.add(key.language)
    report.changed += sum(held[position] != said for position, said in made.said(held))
    cell = store.find_cell(key)
    if cell is None:
        return
    if new == len(made.keys) == len(cell.asked()):
        for reading in ready.readings:
            store.save_reading(cell, *reading)
    if ready.then is not None:
        ready.then(cell)


def _readings(
    key: CellKey, labels: Sequence[str], rows: Sequence[ImportedReply], probe_set: ProbeSet
) -> Iterator[_CellReading]:
    positions = np.array([row.position for row in rows], np.int64)
    probes = [probe_set.probes[key.language][row.position] for row in rows]
    texts, finish = [row.text or "" for row in rows], [row.finish_reason for row in rows]
    ends = [min(rows, key=lambda row: row.position), max(rows, key=lambda row: row.position)]
    example = before_questions([row.messages[-1].content for row in ends if row.messages])
    for reading in READ_AT_IMPORT:
        codes, reasons = read_texts(
            texts, labels, probes, reading, finish=finish, rotation=key.rotation, example=example
        )
        answers = spread(probe_set.n, positions, unrotate(codes, key.rotation, probe_set.counts[positions]), reasons)
        yield _CellReading(reading_stamp(reading), answers.choices, answers.reasons)
