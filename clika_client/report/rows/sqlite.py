"""One SQLite file that any tool opens: every reply, question, score and run, flat and indexed.

Each question stands once and each reply points to it; `replies` is a view that joins them, so the file is a third of
what a plain table would be, and a query by model, language or item finds its rows by an index.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from clika_cache import storable
from clika_client.report.rows.columns import ITEMS, REPLIES, RUNS, SCORES, Column
from clika_client.report.rows.rows import Row, item_row, replies_of, reply_cells, run_rows, score_rows
from clika_client.scoring.chosen import Wanted, choose
from clika_client.scoring.records import Scores
from clika_client.store.store import Store

_TYPES = {"int": "INTEGER", "flag": "INTEGER", "real": "REAL"}
_CELL = (
    "model",
    "set",
    "set_version",
    "language",
    "prompt",
    "ask",
    "reading",
    "source",
    "settings",
    "rotation",
    "repeat",
)
_OF_ITEM = tuple(column.name for column in ITEMS if column.name not in _CELL and column.name != "cluster")
_DERIVED = ("chosen",)
_OWN = tuple(c for c in REPLIES if c.name not in (*_CELL, *_OF_ITEM, *_DERIVED))


def write_sqlite(store: Store, wanted: Wanted, scores: Scores, path: Path) -> int:
    """Write all four relations to a new file; returns how many replies it holds. Raises sqlite3.Error, OSError."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        count = _fill(connection, store, wanted, scores)
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        return count
    finally:
        connection.close()


def _fill(connection: sqlite3.Connection, store: Store, wanted: Wanted, scores: Scores) -> int:
    by_name = {column.name: column for column in (*REPLIES, *ITEMS)}
    _table(connection, "items", ITEMS, first="id INTEGER PRIMARY KEY")
    _table(connection, "asked", [by_name[name] for name in _CELL], first="id INTEGER PRIMARY KEY")
    _table(
        connection,
        "reply",
        _OWN,
        first="asked INTEGER NOT NULL REFERENCES asked, item INTEGER NOT NULL REFERENCES items",
    )
    _table(connection, "scores", SCORES)
    _table(connection, "runs", RUNS)
    _insert(connection, "scores", SCORES, score_rows(scores))
    _insert(connection, "runs", RUNS, run_rows(store))
    count = _replies(connection, store, wanted)
    for statement in (
        "CREATE INDEX reply_asked ON reply(asked, correct)",
        "CREATE INDEX reply_item ON reply(item, asked, correct)",
        'CREATE INDEX items_item ON items("set", item, language)',
        _view(),
    ):
        connection.execute(statement)
    return count


def _replies(connection: sqlite3.Connection, store: Store, wanted: Wanted) -> int:
    first: dict[tuple[int, str], int] = {}
    written: dict[tuple[int, str], set[int]] = {}
    last = count = 0
    marks = ",".join("?" * (len(_OWN) + 2))
    with_id = (Column("id", "int", ""), *ITEMS)
    for number, part in enumerate(reply_cells(store, wanted, choose(store, wanted)), 1):
        connection.execute(
            f"INSERT INTO asked VALUES ({','.join('?' * (len(_CELL) + 1))})",
            (number, *(_plain(part.shared[name]) for name in _CELL)),
        )
        place = (part.cell.key.set_id, part.cell.key.language)
        if place not in first:
            first[place], written[place] = last + 1, set()
            last += part.probe_set.n
        new = [position for position in part.positions if position not in written[place]]
        written[place].update(new)
        _insert(connection, "items", with_id, ({"id": first[place] + p, **item_row(part, p)} for p in new))
        values = (
            (number, first[place] + position, *(_plain(said[c.name]) for c in _OWN))
            for position, said in replies_of(store, part)
        )
        count += max(connection.executemany(f"INSERT INTO reply VALUES ({marks})", values).rowcount, 0)
    return count


def _view() -> str:
    """`replies`, with the columns in their documented order."""
    sources = {
        **{name: f'a."{name}"' for name in _CELL},
        **{name: f'i."{name}"' for name in _OF_ITEM},
        **{column.name: f'r."{column.name}"' for column in _OWN},
        "chosen": "json_extract(i.options, '$[' || r.choice || ']')",
    }
    columns = ", ".join(f'{sources[column.name]} AS "{column.name}"' for column in REPLIES)
    return (
        f"CREATE VIEW replies AS SELECT {columns} FROM reply r JOIN asked a ON a.id = r.asked JOIN items i "
        "ON i.id = r.item"
    )


def _table(connection: sqlite3.Connection, name: str, columns: Sequence[Column], first: str = "") -> None:
    declared = [first] if first else []
    declared += [f'"{c.name}" {_TYPES.get(c.kind, "TEXT")}' for c in columns]
    connection.execute(f"CREATE TABLE {name} ({', '.join(declared)})")


def _insert(connection: sqlite3.Connection, table: str, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    names = ",".join(f'"{c.name}"' for c in columns)
    marks = ",".join("?" * len(columns))
    connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", _values(columns, rows))


def _values(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[tuple[Any, ...]]:
    return (tuple(_plain(row[c.name]) for c in columns) for row in rows)


def _plain(value: Any) -> Any:
    """A value as SQLite holds it: lists and maps as JSON, moments as ISO 8601 in UTC."""
    if isinstance(value, str):
        return storable.words(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, list | tuple | dict):
        return storable.words(json.dumps(value, ensure_ascii=False, allow_nan=False))
    return value
