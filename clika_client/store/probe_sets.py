"""The part of a store that keeps probe sets: once per content, in blocks that are read when they are asked for."""

from __future__ import annotations

import time
import zlib

from clika_cache import CacheError, Database
from clika_client.sets.packed import from_blocks, set_digest, to_blocks
from clika_client.sets.probes import ProbeSet
from clika_client.store.schema import SetInfo


class ProbeSets:
    """The sets of one database file."""

    database: Database
    _sets: dict[int, ProbeSet]

    def add_set(self, probe_set: ProbeSet, created_at: float | None = None) -> int:
        """The set's row number; content is stored once per digest. `created_at` is now unless it is given."""
        digest = set_digest(probe_set)
        row = self.database.connection.execute("SELECT id FROM sets WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            made = time.time() if created_at is None else created_at
            values = (digest, probe_set.name, probe_set.version, probe_set.n, probe_set.k, made)
            with self.database.writing() as connection:
                sql = "INSERT OR IGNORE INTO sets (digest, name, version, n, k, created_at) VALUES (?,?,?,?,?,?)"
                new = connection.execute(sql, values).rowcount == 1
                row = connection.execute("SELECT id FROM sets WHERE digest = ?", (digest,)).fetchone()
                if new:
                    blocks = ((row[0], number, block) for number, block in enumerate(to_blocks(probe_set)))
                    connection.executemany("INSERT INTO set_blocks VALUES (?,?,?)", blocks)
            self.database.connection.execute("PRAGMA shrink_memory")  # pages of a large set are not read again
        self._sets.setdefault(int(row[0]), probe_set)
        return int(row[0])

    def probe_set(self, set_id: int) -> ProbeSet:
        """The stored set; memoised."""
        found = self._sets.get(set_id)
        if found is None:
            found = self._sets[set_id] = self._read_set(set_id)
        return found

    def _read_set(self, set_id: int) -> ProbeSet:
        sql = "SELECT block FROM set_blocks WHERE set_id = ? ORDER BY number"
        try:
            with self.database.mapped_errors():
                return from_blocks(block for (block,) in self.database.connection.execute(sql, (set_id,)))
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise CacheError(
                f"{self.database.path}: probe set {set_id} cannot be read; it is damaged or of a version before the "
                "first release. Restore a copy, or ask and import into a new file (--db)"
            ) from error

    def set_digest(self, set_id: int) -> str:
        """The content's name in every file: row numbers differ between files, content keys must not."""
        row = self.database.connection.execute("SELECT digest FROM sets WHERE id = ?", (set_id,)).fetchone()
        return str(row[0])

    def set_infos(self) -> list[SetInfo]:
        """Every stored set, oldest first, without its questions."""
        with self.database.mapped_errors():
            rows = self.database.connection.execute("SELECT id, name, n, created_at FROM sets ORDER BY id").fetchall()
        return [SetInfo(*row) for row in rows]
