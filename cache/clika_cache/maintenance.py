"""Care of the file: what it holds, copies in and out, pruning and verification."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlite_utils

from clika_cache.completions import StoredReply, insert, model_id, read_figures
from clika_cache.database import Database
from clika_cache.errors import CacheError
from clika_cache.keys import KEY_BYTES, canonical, prompt_hash
from clika_providers import Completion, Usage

_STATS = """
    SELECT m.spec AS model, c.source, count(*) AS replies,
           coalesce(sum(c.input_tokens), 0) AS input_tokens, coalesce(sum(c.output_tokens), 0) AS output_tokens,
           sum(c.cost) AS cost_usd, min(c.created_at) AS first_at, max(c.created_at) AS last_at
    FROM completions c JOIN models m ON m.id = c.model_id
    GROUP BY m.id, c.source ORDER BY m.spec, c.source
"""
_EXPORT = """
    SELECT c.*, m.spec, m.identity, p.messages FROM completions c
    JOIN models m ON m.id = c.model_id JOIN prompts p ON p.hash = c.prompt ORDER BY c.rowid
"""
_PLAIN = (
    "source", "text", "finish_reason", "thinking", "input_tokens", "output_tokens", "cached_tokens",
    "reasoning_tokens", "cost", "model_served", "fingerprint", "raw", "latency_s", "created_at", "option_figures",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stats:
    """What a file holds."""

    path: str
    bytes: int
    replies: int
    prompts: int
    attempts: dict[str, int]
    """Requests without an answer, by kind."""
    models: tuple[dict[str, Any], ...]
    """Per model and source: replies, tokens, US dollars, first and last time (Unix seconds)."""


def stats(database: Database) -> Stats:
    """Count everything; reads only."""
    with database.mapped_errors():
        tables = _utils(database)
        kinds = tables.query("SELECT kind, count(*) AS n FROM attempts GROUP BY kind ORDER BY kind")
        return Stats(
            str(database.path),
            sum(f.stat().st_size for f in _files(database.path)),
            tables["completions"].count,
            tables["prompts"].count,
            {row["kind"]: row["n"] for row in kinds},
            tuple(tables.query(_STATS)),
        )


def export(database: Database) -> Iterator[dict[str, Any]]:
    """Every stored reply as one plain value, with its prompt and model; `import_rows` reads them back."""
    with database.mapped_errors():
        cursor = database.connection.execute(_EXPORT)
        names = [column[0] for column in cursor.description]
        for values in cursor:
            row = dict(zip(names, values, strict=True))
            yield {
                "key": row["key"].hex(),
                "model": row["spec"],
                "identity": json.loads(row["identity"]),
                "messages": json.loads(row["messages"]),
                "choice_logprobs": json.loads(row["choice_logprobs"]) if row["choice_logprobs"] else None,
                **{name: row[name] for name in _PLAIN},
            }


def import_rows(database: Database, lines: Iterable[tuple[str, str]]) -> int:
    """Take exported replies, given as (where, JSON line); returns how many were new.

    Raises CacheError naming `where` for a line that is not an exported reply. All lines or none.
    """
    models: dict[str, int] = {}
    before = _count(database)
    batch: list[StoredReply] = []
    parsed = [_parse(where, line) for where, line in lines if line.strip()]
    for row in parsed:
        identity = canonical(row["identity"])
        if identity not in models:
            models[identity] = model_id(database, row["model"], identity)
        batch.append(_reply(row, models[identity]))
    with database.writing() as connection:
        insert(connection, batch)
    return _count(database) - before


def merge(database: Database, other: Path) -> int:
    """Copy the replies and attempts of another file that this one lacks; returns how many replies were new."""
    with Database(other, read_only=True):
        pass
    before = _count(database)
    with database.mapped_errors():
        database.connection.execute("ATTACH DATABASE ? AS other", (str(other),))
    try:
        with database.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO models (spec, identity) SELECT spec, identity FROM other.models")
            connection.execute("INSERT OR IGNORE INTO prompts SELECT * FROM other.prompts")
            for table, skip in (("completions", ()), ("attempts", ("id",))):
                _merge_table(connection, table, skip)
    finally:
        database.connection.execute("DETACH DATABASE other")
    return _count(database) - before


def prune(database: Database, *, model: str | None = None, before: float | None = None, attempts: bool = False) -> int:
    """Delete replies of one model and/or older than a Unix time, or only attempts; returns rows deleted.

    Replies that a stored cell refers to become missing answers; the file is compacted afterwards.
    """
    if model is None and before is None and not attempts:
        raise CacheError("nothing to prune was named; give --model, --before or --attempts")
    table = "attempts" if attempts else "completions"
    with database.writing() as connection:
        cursor = connection.execute(
            f"DELETE FROM {table} WHERE (:model IS NULL OR model_id IN (SELECT id FROM models WHERE spec = :model))"
            " AND (:before IS NULL OR created_at < :before)",
            {"model": model, "before": before},
        )
        deleted = cursor.rowcount
        connection.execute("UPDATE generation SET value = value + 1")
    with database.mapped_errors():
        database.connection.execute("VACUUM")
    return deleted


def verify(database: Database) -> list[str]:
    """Problems found in the file, in words; an empty list means it is sound."""
    problems = []
    with database.mapped_errors():
        for (line,) in database.connection.execute("PRAGMA integrity_check(20)"):
            if line != "ok":
                problems.append(f"SQLite: {line}")
        for row in database.connection.execute("PRAGMA foreign_key_check"):
            problems.append(f"a row of {row[0]} refers to a missing row of {row[2]}")
        for digest, text in database.connection.execute("SELECT hash, messages FROM prompts"):
            if prompt_hash(text) != digest:
                problems.append(
                    f"prompt {digest.hex()} does not match its own hash: it was changed after it was stored"
                )
        odd = database.connection.execute(
            "SELECT count(*) FROM completions WHERE length(key) <> ?", (KEY_BYTES,)
        ).fetchone()[0]
        if odd:
            problems.append(f"{odd} replies have a key of the wrong length")
    return problems


def _utils(database: Database) -> sqlite_utils.Database:
    return sqlite_utils.Database(database.connection)


def _count(database: Database) -> int:
    return int(database.connection.execute("SELECT count(*) FROM completions").fetchone()[0])


def _files(path: Path) -> list[Path]:
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
    return [f for f in (path, *beside) if f.exists()]


def _merge_table(connection: sqlite3.Connection, table: str, skip: tuple[str, ...]) -> None:
    """Copy rows whose key this file lacks, with the other file's model numbers translated."""
    columns = [r[1] for r in connection.execute(f"PRAGMA main.table_info({table})") if r[1] not in skip]
    values = ", ".join("ours.id" if c == "model_id" else f"o.{c}" for c in columns)
    connection.execute(
        f"INSERT OR IGNORE INTO main.{table} ({', '.join(columns)}) SELECT {values} FROM other.{table} o"
        " JOIN other.models theirs ON theirs.id = o.model_id JOIN main.models ours ON ours.identity = theirs.identity"
        + (
            " WHERE NOT EXISTS (SELECT 1 FROM main.attempts a WHERE a.key = o.key AND a.created_at = o.created_at)"
            if table == "attempts"
            else ""
        )
    )


def _parse(where: str, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        missing = [n for n in ("key", "model", "identity", "messages", "text") if n not in row]
        if missing:
            raise CacheError(f"{where}: this is not an exported reply, it lacks {', '.join(missing)}")
        if len(bytes.fromhex(row["key"])) != KEY_BYTES:
            raise CacheError(f"{where}: key {row['key']!r} is not {KEY_BYTES} bytes in hexadecimal")
    except (ValueError, TypeError) as error:
        raise CacheError(f"{where}: this is not a line of `clika cache export`: {error}") from error
    return dict(row)


def _reply(row: dict[str, Any], model: int) -> StoredReply:
    logprobs = row.get("choice_logprobs")
    option_tokens, neutral = read_figures(row.get("option_figures"))
    tokens = (row.get(n) for n in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"))
    completion = Completion(
        text=row["text"],
        finish_reason=row.get("finish_reason"),
        choice_logprobs=None if logprobs is None else tuple(logprobs),
        thinking=row.get("thinking"),
        usage=Usage(*tokens),
        model_served=row.get("model_served"),
        raw=row.get("raw"),
        latency_s=row.get("latency_s"),
        fingerprint=row.get("fingerprint"),
        option_tokens=option_tokens,
        neutral_logprobs=neutral,
    )
    made = {"created_at": row["created_at"]} if row.get("created_at") is not None else {}
    return StoredReply(
        bytes.fromhex(row["key"]),
        model,
        canonical(row["messages"]),
        completion,
        row.get("source", "own"),
        row.get("cost"),
        **made,
    )
