"""The database file: opening, upgrading and closing it, with errors that name the file and the cure.

One SQLite file in WAL mode holds everything a run produced. Each thread and each process opens its own
connection. Writers take the lock up front (`BEGIN IMMEDIATE`): a deferred transaction that reads first
and writes later fails at once when another process wrote in between, whatever the busy timeout.
"""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clika_cache import schema
from clika_cache.errors import CacheError
from clika_cache.file_errors import explained, kind_of

BUSY_TIMEOUT_S = 30.0
MEMORY = ":memory:"
_CHUNK = 500
_CACHE_KB, _BULK_CACHE_KB = 32_000, 64_000
_BULK_ROWS, _BULK_S = 200_000, 20.0
"""Rows and seconds after which a large transaction is committed: well before others give up waiting."""
_BREATH_S = 0.12
_STEPS = 20_000
"""Instructions of SQLite's machine between two looks at whether somebody pressed Ctrl-C."""
_DAMAGE = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError, zlib.error)
_OF_VALUES = (OverflowError, UnicodeError)


class Database:
    """One connection to the file, with the cache's and the caller's tables in place."""

    def __init__(
        self,
        path: Path | str,
        *,
        read_only: bool = False,
        migrations: tuple[schema.Migration, ...] = (),
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self.path = Path(path)
        self.read_only = read_only
        self._busy_timeout_s = busy_timeout_s
        self.migrations = schema.MIGRATIONS + migrations
        self._bulk, self._rests = False, True
        self._begun, self._changes = 0.0, 0
        self.connection = self._open()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the file stays."""
        self.connection.close()

    def twin(self, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
        """Another connection to the same file, for another thread."""
        return Database(
            self.path,
            read_only=self.read_only,
            migrations=self.migrations[len(schema.MIGRATIONS) :],
            busy_timeout_s=busy_timeout_s,
        )

    @contextmanager
    def bulk(self, *, whole: bool = False, rests: bool = True) -> Iterator[None]:
        """While much is stored at once, many transactions become one, of which each is still whole or not at all.

        With `whole` they belong together: what was not yet committed when this ends by an exception is undone.
        Each commit writes every page that was touched, and pages of an index are touched all over: few large ones
        write a fraction of what many small ones do. Others get at the file between them, every few seconds; unless
        it `rests` so, all is one, which is for rows that are ready to be stored and counted.
        """
        with self.mapped_errors():
            self.connection.execute("PRAGMA wal_autocheckpoint = 32768")
            self.connection.execute(f"PRAGMA cache_size = {-_BULK_CACHE_KB}")
            # Each part keeps the pages it touches as they were until it ends; in a file, they are most of the writing.
            self.connection.execute("PRAGMA temp_store = MEMORY")
        self._bulk, self._rests = True, rests
        try:
            yield
        except BaseException:
            if whole and self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        finally:
            self._bulk = False
            with self.mapped_errors():
                if self.connection.in_transaction:
                    self.connection.execute("COMMIT")
                self.connection.execute("PRAGMA temp_store = DEFAULT")
                self.connection.execute("PRAGMA wal_autocheckpoint = 1000")
                self.connection.execute(f"PRAGMA cache_size = {-_CACHE_KB}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its first moment."""
        if self._bulk:
            with self._part() as connection:
                yield connection
            return
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
    def _part(self) -> Iterator[sqlite3.Connection]:
        """One transaction within the large one of `bulk`."""
        with self.mapped_errors():
            if not self.connection.in_transaction:
                self.connection.execute("BEGIN IMMEDIATE")
                self._begun, self._changes = time.monotonic(), self.connection.total_changes
            self.connection.execute("SAVEPOINT part")
            try:
                yield self.connection
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK TO part")
                raise
            self.connection.execute("RELEASE part")
            rows = self.connection.total_changes - self._changes
            if self._rests and (rows >= _BULK_ROWS or time.monotonic() - self._begun > _BULK_S):
                self.connection.execute("COMMIT")
                # Whoever waits for the file looks ten times a second.
                time.sleep(_BREATH_S)

    @contextmanager
    def mapped_errors(self) -> Iterator[None]:
        """Turn SQLite's errors into CacheError, the only place where that happens."""
        try:
            yield
        except (sqlite3.Error, *_OF_VALUES) as error:
            raise CacheError(explained(error, self.path, self._busy_timeout_s), kind_of(error)) from error

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Turn what a damaged value of a row does to the code that takes it apart into CacheError."""
        with self.mapped_errors():
            try:
                yield
            except _DAMAGE as error:
                raise CacheError(
                    f"{self.path} holds a row that cannot be read ({type(error).__name__}: {str(error)[:80]}); it is "
                    "damaged: restore a copy, or recover it with `sqlite3 FILE .recover`"
                ) from error

    @contextmanager
    def interruptible(self, limit_s: float | None = None) -> Iterator[None]:
        """Let Ctrl-C, SIGTERM and a time limit end a long statement, which they otherwise wait for.

        Raises KeyboardInterrupt, or CacheError when the limit passed.
        """
        until = None if limit_s is None else time.monotonic() + limit_s

        def look() -> int:
            # A signal's handler runs as this is called; what it raises ends the statement as "interrupted".
            return int(until is not None and time.monotonic() > until)

        self.connection.set_progress_handler(look, _STEPS)
        try:
            yield
        except CacheError as error:
            if "interrupted" not in str(error):
                raise
            if until is None or time.monotonic() <= until:
                raise KeyboardInterrupt from None
            raise CacheError(f"{self.path}: this took longer than {limit_s:g} s and was stopped") from error
        finally:
            self.connection.set_progress_handler(None, 0)

    def many(self, sql: str, keys: list[bytes]) -> Iterator[tuple[object, ...]]:
        """Rows of `sql` (with `{marks}` where the key list goes), asked 500 keys at a time."""
        with self.mapped_errors():
            for start in range(0, len(keys), _CHUNK):
                part = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(part))
                # All at once: a cursor left open would outlive the connection when a stop ends the reader.
                yield from self.connection.execute(sql.replace("{marks}", marks), part).fetchall()

    def _open(self) -> sqlite3.Connection:
        exists = self.path.exists()
        if self.path.is_dir():
            raise CacheError(f"{self.path} is a folder; name a database file with --db")
        if self.read_only and not exists:
            raise CacheError(f"there is no database at {self.path}; run `clika run` first, or name one with --db")
        if not exists:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                if not self.read_only and str(self.path) != MEMORY:
                    # Replies may be confidential; SQLite gives its side files the mode of the database.
                    os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            except OSError as error:
                raise CacheError(f"cannot create {self.path}: {error.strerror}; choose another --db") from error
        with self.mapped_errors():
            connection = self._connect_read_only() if self.read_only else self._connect_writable()
        return connection

    def _connect_writable(self) -> sqlite3.Connection:
        memory = str(self.path) == MEMORY
        connection = sqlite3.connect(
            MEMORY if memory else self.path.absolute().as_uri(),
            uri=True,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            applied = schema.applied(connection)
            self._refuse_newer(applied)
            if not self._names() <= applied:
                # Some file systems refuse WAL; the default journal is slower but as safe.
                connection.execute("PRAGMA journal_mode = WAL")
                if applied:
                    self._back_up(connection, min(self._names() - applied))
                schema.apply(connection, self.migrations)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA cache_size = {-_CACHE_KB}")
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
        try:
            self._refuse_newer(applied)
        except CacheError:
            connection.close()
            raise
        if not self._names() <= applied:
            connection.close()
            if os.access(self.path, os.W_OK):
                Database(self.path, migrations=self.migrations[len(schema.MIGRATIONS) :]).close()
                return self._connect_read_only()
            raise CacheError(f"{self.path} was written by an older version; open it once where it can be written")
        return connection

    def _names(self) -> set[str]:
        return {name for name, _ in self.migrations}

    def _refuse_newer(self, applied: set[str]) -> None:
        """A file that a later version changed may mean something else by the same names."""
        families = {name.split("_")[0] for name in self._names()}
        newer = sorted(n for n in applied - self._names() if n.split("_")[0] in families)
        if newer:
            raise CacheError(
                f"{self.path} was written by a newer clika (it has {newer[-1]}); upgrade clika to use it, or name "
                "another file with --db"
            )

    def _back_up(self, connection: sqlite3.Connection, first: str) -> None:
        """Copy the file as it is, beside it, before it is changed to a newer form."""
        copy = self.path.with_name(f"{self.path.name}.before_{first}")
        if copy.exists():
            return
        part = copy.with_name(copy.name + ".part")
        try:
            os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
            target = sqlite3.connect(part)
            try:
                connection.backup(target)
            finally:
                target.close()
            os.replace(part, copy)
        except (OSError, sqlite3.Error) as error:
            raise CacheError(
                f"{self.path} is of an older version and no copy of it could be made at {copy} before it is brought "
                f"up to date: {error}; make room there, or copy it elsewhere"
            ) from error
        finally:
            part.unlink(missing_ok=True)
