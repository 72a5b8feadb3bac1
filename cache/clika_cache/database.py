"""The database file: opening, upgrading and closing it, with errors that name the file and the cure.

One SQLite file in WAL mode holds everything a run produced. Each thread and each process opens its own
connection. Writers take the lock up front (`BEGIN IMMEDIATE`): a deferred transaction that reads first
and writes later fails at once when another process wrote in between, whatever the busy timeout.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clika_cache import schema
from clika_cache.errors import CacheError

BUSY_TIMEOUT_S = 30.0
_CHUNK = 500


class Database:
    """One connection to the file, with the cache's and the caller's tables in place."""

    def __init__(
        self, path: Path | str, *, read_only: bool = False, migrations: tuple[schema.Migration, ...] = ()
    ) -> None:
        self.path = Path(path)
        self.read_only = read_only
        self.migrations = schema.MIGRATIONS + migrations
        self.connection = self._open()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the file stays."""
        self.connection.close()

    def twin(self) -> Database:
        """Another connection to the same file, for another thread."""
        return Database(self.path, read_only=self.read_only, migrations=self.migrations[len(schema.MIGRATIONS) :])

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its first moment."""
        with self.mapped_errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    @contextmanager
    def mapped_errors(self) -> Iterator[None]:
        """Turn SQLite's errors into CacheError, the only place where that happens."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise CacheError(self._explain(error)) from error

    def many(self, sql: str, keys: list[bytes]) -> Iterator[tuple[object, ...]]:
        """Rows of `sql` (with `{marks}` where the key list goes), asked 500 keys at a time."""
        with self.mapped_errors():
            for start in range(0, len(keys), _CHUNK):
                part = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(part))
                yield from self.connection.execute(sql.replace("{marks}", marks), part)

    def _open(self) -> sqlite3.Connection:
        exists = self.path.exists()
        if self.path.is_dir():
            raise CacheError(f"{self.path} is a folder; name a database file with --db")
        if self.read_only and not exists:
            raise CacheError(f"there is no database at {self.path}; run `clika run` first, or name one with --db")
        if not exists:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CacheError(
                    f"cannot create the folder of {self.path}: {error.strerror}; choose another --db"
                ) from error
        with self.mapped_errors():
            connection = self._connect_read_only() if self.read_only else self._connect_writable()
        return connection

    def _connect_writable(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            if not self._names() <= schema.applied(connection):
                # Some file systems refuse WAL; the default journal is slower but as safe.
                connection.execute("PRAGMA journal_mode = WAL")
                schema.apply(connection, self.migrations)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA cache_size = -32000")
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_read_only(self) -> sqlite3.Connection:
        quoted = self.path.absolute().as_uri()
        try:
            connection = sqlite3.connect(f"{quoted}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            applied = schema.applied(connection)
        except sqlite3.OperationalError:
            # A WAL file on read-only media cannot make its side files; without them it is safe to read as is.
            connection = sqlite3.connect(f"{quoted}?immutable=1", uri=True, isolation_level=None)
            applied = schema.applied(connection)
        if not applied:
            connection.close()
            raise CacheError(f"{self.path} is an SQLite file but not a clika database; name another with --db")
        if not self._names() <= applied:
            connection.close()
            if os.access(self.path, os.W_OK):
                Database(self.path, migrations=self.migrations[len(schema.MIGRATIONS) :]).close()
                return self._connect_read_only()
            raise CacheError(f"{self.path} was written by an older version; open it once where it can be written")
        return connection

    def _names(self) -> set[str]:
        return {name for name, _ in self.migrations}

    def _explain(self, error: sqlite3.DatabaseError) -> str:
        text = str(error)
        if "not a database" in text or "malformed" in text:
            return (
                f"{self.path} is not a readable SQLite database ({text}); restore a copy, or recover it with "
                f"`sqlite3 FILE .recover`, or name another file with --db"
            )
        if "readonly" in text or "read-only" in text:
            return f"{self.path} cannot be written ({text}); make it writable, or name another file with --db"
        if "unable to open" in text:
            return f"cannot open {self.path}; check that its folder exists and that you may write there, or use --db"
        if "locked" in text:
            return f"{self.path} stayed locked for {BUSY_TIMEOUT_S:.0f} s by another program; close it and run again"
        if "full" in text:
            return f"the disk that holds {self.path} is full; free some space and run again: what arrived is kept"
        return f"{self.path}: {text}"
