"""Care of the file: what it holds, pruning and verification."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clika_cache.database import Database
from clika_cache.errors import CacheError
from clika_cache.keys import KEY_BYTES, prompt_hash

# The replies in the order they lie in the file, each looked at once; their models are looked up afterwards.
_STATS = """
    WITH per_model AS MATERIALIZED (
        SELECT model_id, source, count(*) AS replies,
               coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS output_tokens,
               sum(cost) AS cost_usd, min(created_at) AS first_at, max(created_at) AS last_at
        FROM completions NOT INDEXED GROUP BY model_id, source
    )
    SELECT m.spec AS model, m.identity, c.source,
           c.replies, c.input_tokens, c.output_tokens, c.cost_usd, c.first_at, c.last_at
    FROM per_model c JOIN models m ON m.id = c.model_id ORDER BY m.spec, m.id, c.source
"""
_LATEST = 4e9
_VERIFY_CACHE_KB = 96_000
"""Every row is looked up in every index, all over the file: pages that are read again cost a third of the time."""
_FIGURES: dict[str, type[int] | type[float]] = {
    "replies": int, "input_tokens": int, "output_tokens": int, "cost_usd": float, "first_at": float, "last_at": float,
}  # fmt: skip


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
    """Per model and source: identity, replies, tokens, US dollars, first and last time (Unix seconds)."""


def stats(database: Database) -> Stats:
    """Count everything; reads only."""
    with database.understood():
        found = database.connection.execute(_STATS)
        names = [column[0] for column in found.description]
        models = tuple(_sound(dict(zip(names, row, strict=True))) for row in found)
        kinds = database.connection.execute("SELECT kind, count(*) FROM attempts GROUP BY kind ORDER BY kind")
        return Stats(
            str(database.path),
            sum(f.stat().st_size for f in _files(database.path)),
            sum(row["replies"] for row in models),
            database.connection.execute("SELECT count(*) FROM prompts").fetchone()[0],
            dict(kinds),
            models,
        )


def _sound(row: dict[str, Any]) -> dict[str, Any]:
    """A row of statistics whose figures are figures, whatever a damaged file holds; raises ValueError or TypeError."""
    for name, kind in _FIGURES.items():
        row[name] = None if row[name] is None else kind(row[name])
        if name.endswith("_at") and not 0 <= row[name] <= _LATEST:
            raise ValueError(f"{row[name]!r} is no moment in Unix seconds")
    return row


def prune(database: Database, *, model: str | None = None, before: float | None = None, attempts: bool = False) -> int:
    """Delete replies of one model and/or older than a Unix time, or only attempts; returns rows deleted.

    Replies that a stored cell refers to become missing answers; the file is compacted afterwards.
    """
    if model is None and before is None and not attempts:
        raise CacheError("nothing to prune was named; give --model, --before or --attempts")
    # Here alone: it loads pandas wherever that is installed, and what only counts or asks need not wait for that.
    import sqlite_utils

    with database.writing() as connection:
        tables = sqlite_utils.Database(connection)
        pruned = tables.table("attempts" if attempts else "completions")
        rows = pruned.count
        pruned.delete_where(
            "(:model IS NULL OR model_id IN (SELECT id FROM models WHERE spec = :model))"
            " AND (:before IS NULL OR created_at < :before)",
            {"model": model, "before": before},
        )
        deleted = rows - pruned.count
        if not attempts:
            tables.table("replaced").delete_where("key NOT IN (SELECT key FROM completions)")
        connection.execute("UPDATE generation SET value = value + 1")
    with database.mapped_errors():
        sqlite_utils.Database(database.connection).vacuum()
    return deleted


def verify(database: Database) -> list[str]:
    """Problems found in the file, in words; an empty list means it is sound."""
    problems = []
    with database.mapped_errors():
        database.connection.execute(f"PRAGMA cache_size = {-_VERIFY_CACHE_KB}")
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


def _files(path: Path) -> list[Path]:
    beside = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
    return [f for f in (path, *beside) if f.exists()]
