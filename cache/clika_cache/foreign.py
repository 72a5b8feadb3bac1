"""A database from somebody else: opened so that nothing in it can run, and checked before anything is taken from it.

A view or a generated column in place of a table is a program, and may never end. A value of a type that clika does not
store would break every later command. So only plain tables are read, and each of their rows is checked by SQLite
itself before the first is copied; a file of an older version is read from an upgraded copy, the file stays as it is.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from clika_cache import schema
from clika_cache.database import Database
from clika_cache.errors import CacheError
from clika_cache.storable import MOST_CHARACTERS

Checks = Mapping[str, str]
"""Table → an SQL condition that every row of it meets."""


def text(name: str, *, optional: bool = False) -> str:
    """The condition that a column holds text of bounded length."""
    met = f"(typeof({name}) = 'text' AND length({name}) <= {MOST_CHARACTERS})"
    return f"({name} IS NULL OR {met})" if optional else met


def json(name: str, kind: str) -> str:
    """The condition that a column holds JSON text whose outermost value is of this kind."""
    return f"(typeof({name}) = 'text' AND json_valid({name}) AND json_type({name}) = '{kind}')"


def number(name: str, *, optional: bool = False) -> str:
    """The condition that a column holds a finite number."""
    met = f"(typeof({name}) IN ('integer', 'real') AND abs({name}) < 1e300)"
    return f"({name} IS NULL OR {met})" if optional else met


def moment(name: str) -> str:
    """The condition that a column holds Unix seconds."""
    return f"(typeof({name}) IN ('integer', 'real') AND {name} BETWEEN 0 AND 4e9)"


def key(name: str) -> str:
    """The condition that a column holds a content key or a prompt's hash."""
    return f"(typeof({name}) = 'blob' AND length({name}) = 16)"


def all_of(*conditions: str) -> str:
    """All conditions at once."""
    return " AND ".join(conditions)


_COUNTS = ("input_tokens", "output_tokens")
CACHE_CHECKS: Checks = {
    "models": all_of("typeof(id) = 'integer'", text("spec"), json("identity", "object")),
    "prompts": all_of(key("hash"), json("messages", "array")),
    "completions": all_of(
        key("key"),
        "typeof(model_id) = 'integer'",
        text("source"),
        key("prompt"),
        text("text"),
        *(text(n, optional=True) for n in ("finish_reason", "thinking", "model_served", "fingerprint", "raw")),
        "(choice_logprobs IS NULL OR " + json("choice_logprobs", "array") + ")",
        "(option_figures IS NULL OR " + json("option_figures", "object") + ")",
        *(number(n, optional=True) for n in (*_COUNTS, "cached_tokens", "reasoning_tokens", "cost", "latency_s")),
        moment("created_at"),
    ),
    "attempts": all_of(
        key("key"),
        "typeof(model_id) = 'integer'",
        text("kind"),
        text("message"),
        text("raw", optional=True),
        *(number(n, optional=True) for n in ("status", *_COUNTS, "cost")),
        moment("created_at"),
    ),
}


@contextmanager
def checked(path: Path, migrations: tuple[schema.Migration, ...] = (), checks: Checks | None = None) -> Iterator[Path]:
    """The path to read a foreign database from, once it is seen to be sound; raises CacheError naming what is not."""
    with _current(path, migrations) as readable, Database(readable, read_only=True, migrations=migrations) as database:
        wanted = {**CACHE_CHECKS, **(checks or {})}
        with database.interruptible(), database.mapped_errors():
            for table in wanted:
                _refuse_programs(database.connection, path, table)
            for table, condition in wanted.items():
                _refuse_odd_rows(database.connection, path, table, condition)
        yield readable


@contextmanager
def _current(path: Path, migrations: tuple[schema.Migration, ...]) -> Iterator[Path]:
    """The file itself, or an upgraded copy of one that an older version wrote."""
    if not path.is_file():
        raise CacheError(f"there is no database at {path}")
    names = {name for name, _ in schema.MIGRATIONS + migrations}
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            applied = schema.applied(connection)
            if not applied or names <= applied:
                yield path
                return
            with tempfile.TemporaryDirectory(prefix="clika-merge-") as folder:
                copy = Path(folder) / "older.db"
                target = sqlite3.connect(copy)
                try:
                    connection.backup(target)
                    # Not through Database: it would keep a second copy, of this copy.
                    schema.apply(target, schema.MIGRATIONS + migrations)
                finally:
                    target.close()
                yield copy
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise CacheError(f"{path} cannot be read as a clika database: {error}") from error


def _refuse_programs(connection: sqlite3.Connection, path: Path, table: str) -> None:
    row = connection.execute("SELECT type, sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    if row is None:
        raise CacheError(f"{path} lacks the table {table}: it is not a whole clika database")
    kind, sql = row
    if kind != "table" or not str(sql).upper().lstrip().startswith("CREATE TABLE"):
        raise CacheError(f"{path}: {table} is a {kind} with a program behind it, not a table of replies; not read")
    if any(column[6] for column in connection.execute(f"PRAGMA table_xinfo({table})")):
        raise CacheError(f"{path}: {table} has computed columns, which clika never makes; not read")


def _refuse_odd_rows(connection: sqlite3.Connection, path: Path, table: str, condition: str) -> None:
    # `IS NOT 1`: a condition that is NULL is not met either.
    row = connection.execute(f"SELECT 1 FROM {table} WHERE ({condition}) IS NOT 1 LIMIT 1").fetchone()
    if row is not None:
        raise CacheError(
            f"{path}: a row of {table} holds values that clika never stores; the file is damaged or was "
            "changed, nothing was taken from it"
        )
