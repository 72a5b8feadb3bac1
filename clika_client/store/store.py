"""The evaluation's own tables in the cache file: probe sets, cells, readings and runs.

A cell is the unit of asking and scoring: one model, one set, one language, one prompt style, one way of
reading. It holds one content key per item of the set (16 zero bytes: never asked), so a cell can be
written before its first answer arrives and scored at any time: an asked key without a completion is a
missing answer, never a wrong one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clika_cache import Database, KeyMaker, StoredReply, canonical, prompt_text
from clika_cache import completions as cached
from clika_client.sets.probes import ProbeSet
from clika_client.store.probe_sets import ProbeSets
from clika_client.store.questions import QuestionTables
from clika_client.store.readings import Readings
from clika_client.store.replies import Replies
from clika_client.store.runs import Runs
from clika_client.store.schema import (
    KEY_BYTES,
    MIGRATIONS,
    OWN,
    Cell,
    CellKey,
    ImportedReply,
    RunRow,
    SetInfo,
    StoredReplies,
)
from clika_providers import Completion, Json, Request

__all__ = ["OWN", "Cell", "CellKey", "ImportedReply", "RunRow", "SetInfo", "Store", "StoredReplies"]

_CELLS = (
    "SELECT c.id, m.spec, m.identity, c.set_id, c.language, c.prompt, c.ask, c.source, c.rotation, c.repeat,"
    " c.settings, c.labels FROM cells c JOIN models m ON m.id = c.model_id"
)
_KEYS_KEPT = 4
_NO_MODEL = 0
"""Stands in a row until its model's number is known."""


class ReplyRows(NamedTuple):
    """Others' replies of one cell, as values that the file takes."""

    keys: dict[int, bytes]
    """Position → content key, also of questions without a reply."""
    prompts: dict[bytes, str]
    """Hash → JSON text of the messages."""
    replies: list[cached.Columns]
    """Rows of the table, but for the model's number."""

    def without(self, positions: Container[int]) -> ReplyRows:
        """The same but for what was asked at these positions."""
        keys = {position: key for position, key in self.keys.items() if position not in positions}
        kept = set(keys.values())
        return ReplyRows(keys, self.prompts, [row for row in self.replies if row.key in kept])

    def said(self, positions: Container[int]) -> Iterator[tuple[int, tuple[str, str]]]:
        """(position, (prompt, reply)) of those of these positions that have a reply."""
        at = {key: position for position, key in self.keys.items() if position in positions}
        for row in self.replies:
            if row.key in at:
                yield at[row.key], (self.prompts[row.prompt], row.text)


class Store(ProbeSets, QuestionTables, Readings, Replies, Runs):
    """Probe sets, cells, readings and runs of one database file."""

    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        self.database = Database(path, read_only=read_only, migrations=MIGRATIONS)
        self._sets: dict[int, ProbeSet] = {}
        self._keys: dict[int, bytes] = {}
        self._unpacked: dict[tuple[int, str], set[int]] = {}
        self._moment: float | None = None
        if not read_only:
            with self.database.understood():
                self.unpack_older()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    @contextmanager
    def as_it_was(self, moment: float | None) -> Iterator[None]:
        """See replies as they stood at a Unix time, where they were replaced since; readings are made anew."""
        self._moment = moment
        try:
            yield
        finally:
            self._moment = None

    @contextmanager
    def bulk(self, *, rests: bool = True) -> Iterator[None]:
        """While many replies arrive at once: see `Database.bulk`."""
        with self.database.bulk(rests=rests):
            yield

    # ---- cells

    def add_cell(
        self, key: CellKey, labels: Sequence[str], keys: Mapping[int, bytes] | None = None, *, replacing: bool = True
    ) -> int:
        """Make the cell when new and add content keys (position → key) to it; returns its row number.

        Unless `replacing`, questions that the cell has asked already keep their keys.
        """
        model_id = cached.model_id(self.database, key.model, key.identity)
        where = (
            model_id, key.source, key.set_id, key.language, key.prompt, key.ask, key.rotation, key.repeat, key.settings
        )  # fmt: skip
        try:
            with self.database.writing() as connection:
                self._unpack(connection, key.set_id, key.language, keys or {})
                return self._grow(connection, where, canonical(list(labels)), keys or {}, replacing)
        except BaseException:
            self._unpacked.clear()  # what was taken back is to be stored again
            raise

    def _grow(
        self, connection: sqlite3.Connection, where: tuple[Any, ...], labels: str, keys: Mapping[int, bytes],
        replacing: bool,
    ) -> int:  # fmt: skip
        row = connection.execute(
            "SELECT id, keys FROM cells WHERE model_id=? AND source=? AND set_id=? AND language=? AND prompt=?"
            " AND ask=? AND rotation=? AND repeat=? AND settings=?",
            where,
        ).fetchone()
        if row is None:
            (n,) = connection.execute("SELECT n FROM sets WHERE id = ?", (where[2],)).fetchone()
            cursor = connection.execute(
                "INSERT INTO cells (model_id, source, set_id, language, prompt, ask, rotation, repeat, settings,"
                " labels, keys) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (*where, labels, _merge(bytes(n * KEY_BYTES), keys)),
            )
            return int(cursor.lastrowid or 0)
        merged = _merge(row[1], keys, replacing)
        if merged != row[1]:
            if _replaced(row[1], merged):
                # What was read there belongs to other replies.
                connection.execute("DELETE FROM readings WHERE cell_id = ?", (row[0],))
            connection.execute("UPDATE cells SET keys = ? WHERE id = ?", (merged, row[0]))
            self._keys.pop(row[0], None)
        return int(row[0])

    def add_replies(self, key: CellKey, labels: Sequence[str], rows: Iterable[ImportedReply]) -> int:
        """Store others' replies and their cell; idempotent. Returns how many were new."""
        return self.add_rows(key, labels, self.rows_of(key, rows))

    def rows_of(self, key: CellKey, rows: Iterable[ImportedReply]) -> ReplyRows:
        """Others' replies as `add_rows` takes them; made before anybody is kept from the file."""
        maker = KeyMaker({"provider": f"import:{key.source}", "model": key.model, "identity": key.identity})
        extra: tuple[tuple[str, Json], ...] = (
            ("language", key.language),
            ("prompt", key.prompt),
            ("set", self.set_digest(key.set_id)),
        )
        made = ReplyRows({}, {}, [])
        for row in rows:
            request = Request(row.messages, repeat=key.repeat, extra=(*extra, ("item", row.item_id)))
            content_key = maker.key(request)
            made.keys[row.position] = content_key
            if row.text is None:
                continue
            completion = Completion(row.text, row.finish_reason, row.choice_logprobs, raw=row.raw)
            reply = StoredReply(content_key, _NO_MODEL, prompt_text(row.messages), completion, key.source)
            values = cached.row_of(reply)
            made.prompts[values.prompt] = reply.prompt
            made.replies.append(values)
        return made

    def add_rows(self, key: CellKey, labels: Sequence[str], made: ReplyRows) -> int:
        """Store what `rows_of` made of others' replies, and their cell. Returns how many were new."""
        model_id = cached.model_id(self.database, key.model, key.identity)
        with self.database.writing() as connection:
            cached.insert_prompts(connection, list(made.prompts.items()))
            new = cached.insert_rows(connection, [row._replace(model_id=model_id) for row in made.replies])
        self.add_cell(key, labels, made.keys)
        return new

    def carry_over(self, old: int, new: int) -> None:
        """Give a set that holds another one's questions that one's cells too: the replies are the same."""
        position_of = {item.item_id: i for i, item in enumerate(self.probe_set(new).items)}
        items = self.probe_set(old).items
        for cell in [cell for cell in self.cells() if cell.key.set_id == old]:
            there = [position_of.get(items[p].item_id) for p in cell.asked()]
            asked = zip(there, cell.keys_at(cell.asked()), strict=True)
            keys = {position: key for position, key in asked if position is not None}
            if keys:
                self.add_cell(replace(cell.key, set_id=new), cell.labels, keys, replacing=False)

    def cells(self, run_id: str | None = None) -> list[Cell]:
        """All cells, or those of one run, in the order they were made."""
        with self.database.mapped_errors():
            if run_id is None:
                rows = self.database.connection.execute(_CELLS + " ORDER BY c.id").fetchall()
            else:
                sql = _CELLS + " JOIN run_cells r ON r.cell_id = c.id WHERE r.run_id = ? ORDER BY c.id"
                rows = self.database.connection.execute(sql, (run_id,)).fetchall()
        with self.database.understood():
            return [self._cell(row) for row in rows]

    def find_cell(self, key: CellKey) -> Cell | None:
        """The stored cell of a key, None when there is none."""
        where = (
            key.identity, key.source, key.set_id, key.language, key.prompt, key.ask, key.rotation, key.repeat,
            key.settings,
        )  # fmt: skip
        with self.database.mapped_errors():
            row = self.database.connection.execute(
                _CELLS + " WHERE m.identity=? AND c.source=? AND c.set_id=? AND c.language=? AND c.prompt=?"
                " AND c.ask=? AND c.rotation=? AND c.repeat=? AND c.settings=?",
                where,
            ).fetchone()
        return None if row is None else self._cell(row)

    def _cell(self, row: tuple[Any, ...]) -> Cell:
        return Cell(row[0], CellKey(*row[1:11]), tuple(json.loads(row[11])), self._keys_of)

    def _keys_of(self, cell_id: int) -> bytes:
        """A cell's keys; those of the last few cells are remembered, as a cell is mostly asked for them repeatedly."""
        found = self._keys.get(cell_id)
        if found is None:
            with self.database.understood():
                (found,) = self.database.connection.execute(
                    "SELECT keys FROM cells WHERE id = ?", (cell_id,)
                ).fetchone()
            while len(self._keys) >= _KEYS_KEPT:
                del self._keys[next(iter(self._keys))]
            self._keys[cell_id] = bytes(found)
        return self._keys[cell_id]


def _replaced(grid: bytes, merged: bytes) -> bool:
    """Whether a position that had a key has another one now."""
    old, new = (np.frombuffer(keys, dtype=np.uint8).reshape(-1, KEY_BYTES) for keys in (grid, merged))
    return bool((old.any(axis=1) & (old != new).any(axis=1)).any())


def _merge(grid: bytes, keys: Mapping[int, bytes], replacing: bool = True) -> bytes:
    """The key grid with some positions filled in."""
    merged = bytearray(grid)
    for position, key in keys.items():
        place = slice(position * KEY_BYTES, (position + 1) * KEY_BYTES)
        if replacing or not any(merged[place]):
            merged[place] = key
    return bytes(merged)
