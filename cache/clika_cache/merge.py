"""Bringing two files together: the replies and attempts of another file that this one lacks."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from clika_cache.database import Database


def merge(database: Database, other: Path) -> int:
    """Copy replies and attempts from a file that `foreign.checked` has passed; returns how many replies were new.

    All of them or none.
    """
    with database.mapped_errors():
        database.connection.execute("ATTACH DATABASE ? AS other", (f"{other.absolute().as_uri()}?mode=ro",))
    try:
        with database.interruptible(), database.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO models (spec, identity) SELECT spec, identity FROM other.models")
            connection.execute("INSERT OR IGNORE INTO prompts SELECT hash, messages FROM other.prompts")
            new = _copy(connection, "completions", (), "")
            _copy(
                connection, "attempts", ("id",),
                " WHERE NOT EXISTS (SELECT 1 FROM main.attempts a WHERE a.key = o.key AND a.created_at = o.created_at)",
            )  # fmt: skip
    finally:
        database.connection.execute("DETACH DATABASE other")
    return new


def _copy(connection: sqlite3.Connection, table: str, skip: tuple[str, ...], where: str) -> int:
    """Copy rows whose key this file lacks, with the other file's model numbers translated."""
    columns = [r[1] for r in connection.execute(f"PRAGMA main.table_info({table})") if r[1] not in skip]
    values = ", ".join("ours.id" if c == "model_id" else f"o.{c}" for c in columns)
    cursor = connection.execute(
        f"INSERT OR IGNORE INTO main.{table} ({', '.join(columns)}) SELECT {values} FROM other.{table} o"
        " JOIN other.models theirs ON theirs.id = o.model_id JOIN main.models ours ON ours.identity = theirs.identity"
        + where
    )
    return max(cursor.rowcount, 0)
