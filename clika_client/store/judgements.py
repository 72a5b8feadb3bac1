"""What judges said of open replies: a model, the judge of a published benchmark, or a person; kept beside the replies.

A judgement belongs to a reply by its content key, and to a judge by name. It is never derived, so it is never dropped
with the readings.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clika_client.store.schema import Cell
from clika_client.store.store import Store

HUMAN = "human"
"""The judge whose decisions a person made."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judge's word on one reply."""

    key: bytes
    """Content key of the reply."""
    verdict: str
    """As the reader's: right, right in another language, wrong, several, refusal, unknown, empty, truncated."""
    language: str | None = None
    """BCP 47 tag of an answer that is right in another language, where the judge says which."""


def add(store: Store, judge: str, judgements: Iterable[Judgement]) -> int:
    """Keep what a judge said; a later word on the same reply replaces the earlier. Returns how many were given."""
    now = time.time()
    rows = [(each.key, judge, each.verdict, each.language, now) for each in judgements]
    with store.database.writing() as connection:
        connection.executemany("INSERT OR REPLACE INTO judgements VALUES (?,?,?,?,?)", rows)
    return len(rows)


def of_cell(store: Store, judge: str, cell: Cell) -> Mapping[int, Judgement]:
    """Item position → what a judge said of a cell's reply; empty where it said nothing."""
    at = {cell.key_at(int(position)): int(position) for position in cell.asked()}
    return {at[key]: found for key, found in of_keys(store, judge, list(at)).items()}


def of_keys(store: Store, judge: str, keys: Sequence[bytes]) -> Mapping[bytes, Judgement]:
    """Content key → what a judge said."""
    found: dict[bytes, Judgement] = {}
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        marks = ",".join("?" * len(part))
        sql = f"SELECT key, verdict, language FROM judgements WHERE judge = ? AND key IN ({marks})"
        with store.database.mapped_errors():
            rows = store.database.connection.execute(sql, (judge, *part)).fetchall()
        found.update({row[0]: Judgement(*row) for row in rows})
    return found


def judges(store: Store) -> list[str]:
    """Names of all who judged anything, in alphabetical order."""
    with store.database.mapped_errors():
        rows = store.database.connection.execute("SELECT DISTINCT judge FROM judgements ORDER BY judge").fetchall()
    return [str(row[0]) for row in rows]


def copy(store: Store, other: Store) -> None:
    """Bring in the judgements of another file; this file's own stay."""
    with other.database.mapped_errors():
        rows = other.database.connection.execute("SELECT * FROM judgements").fetchall()
    with store.database.writing() as connection:
        connection.executemany("INSERT OR IGNORE INTO judgements VALUES (?,?,?,?,?)", rows)
