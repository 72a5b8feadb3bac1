"""The part of a store that keeps, in plain tables, what the SQL views need beside the packed rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clika_cache import Database, storable
from clika_client.sets.probes import CONTEXT, ProbeSet

if TYPE_CHECKING:
    from clika_client.store.schema import Cell


class QuestionTables:
    """The questions that were asked, the codes of reasons and languages, and the names that scores show."""

    database: Database
    _unpacked: dict[tuple[int, str], set[int]]

    def probe_set(self, set_id: int) -> ProbeSet:
        """The stored set."""
        raise NotImplementedError

    def cells(self, run_id: str | None = None) -> list[Cell]:
        """All cells."""
        raise NotImplementedError

    def unpack_older(self) -> None:
        """Fill `questions` of a file that was made before it had the table."""
        sql = "SELECT EXISTS (SELECT 1 FROM cells) AND NOT EXISTS (SELECT 1 FROM questions)"
        if not self.database.connection.execute(sql).fetchone()[0]:
            return
        asked = {cell.cell_id: cell.asked().tolist() for cell in self.cells()}
        with self.database.writing() as connection:
            for cell in self.cells():
                self._unpack(connection, cell.key.set_id, cell.key.language, asked[cell.cell_id])

    def _unpack(self, connection: sqlite3.Connection, set_id: int, language: str, positions: Iterable[int]) -> None:
        """Store the questions at some positions as plain rows, within a transaction; those that are there stay."""
        place = (set_id, language)
        if place not in self._unpacked:
            sql = "SELECT position FROM questions WHERE set_id = ? AND language = ?"
            self._unpacked[place] = {position for (position,) in connection.execute(sql, place)}
        new = [position for position in positions if position not in self._unpacked[place]]
        if not new:
            return
        probe_set = self.probe_set(set_id)
        codes = [(set_id, bytes([code]), tag) for code, tag in enumerate(probe_set.languages[:255], 1)]
        connection.executemany("INSERT OR IGNORE INTO set_languages VALUES (?,?,?)", codes)
        rows = ((*place, position, *values) for position, values in _rows(probe_set, language, new))
        connection.executemany("INSERT OR IGNORE INTO questions VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
        self._unpacked[place].update(new)

    def name_reasons(self, connection: sqlite3.Connection, names: Sequence[str]) -> None:
        """Keep what the codes of stored reasons stand for; code 0, an answer, has no name."""
        rows = [(bytes([code]), name) for code, name in enumerate(names) if name]
        connection.executemany("INSERT OR REPLACE INTO reason_names VALUES (?,?)", rows)

    def name_models(self, shown: Mapping[tuple[str, str], str]) -> None:
        """Keep the names that scores show, (spec, identity) → name, where one is not the model's spec."""
        if self.database.read_only:
            return
        connection = self.database.connection
        with self.database.mapped_errors():
            held = connection.execute("SELECT m.spec, m.identity, m.id FROM models m").fetchall()
            kept = dict(connection.execute("SELECT model_id, name FROM shown_models").fetchall())
        ids = {(spec, identity): number for spec, identity, number in held}
        names = {ids[pair]: name for pair, name in shown.items() if pair in ids and name != pair[0]}
        if names != kept:
            with self.database.writing() as writing:
                writing.execute("DELETE FROM shown_models")
                writing.executemany("INSERT INTO shown_models VALUES (?,?)", list(names.items()))


def _rows(probe_set: ProbeSet, language: str, positions: Sequence[int]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """(position, values of its row from `item` on)."""
    probes = probe_set.probes[language]
    for position in positions:
        item, probe = probe_set.items[position], probes[position]
        if probe.absent:
            continue
        texts = [item.item_id, probe.question, probe.fields.get(CONTEXT), _json(probe.choices), probe.gold]
        texts += [probe.choices[probe.gold], _json({**item.tags, **probe.tags}), item.cluster]
        yield position, tuple(storable.words(value) if isinstance(value, str) else value for value in texts)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
