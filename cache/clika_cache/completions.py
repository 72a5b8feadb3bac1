"""Completions as rows: what is stored of a reply, and how it is read back."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from types import NoneType
from typing import Any, NamedTuple

from clika_cache import storable
from clika_cache.database import Database
from clika_cache.keys import canonical, prompt_hash
from clika_providers import Completion, Usage


class Columns(NamedTuple):
    """The columns of a stored reply, in the order in which rows hold their values."""

    key: bytes
    model_id: int
    source: str
    prompt: bytes
    """The hash of the messages' text."""
    text: str
    finish_reason: str | None
    choice_logprobs: str | None
    thinking: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cost: float | None
    model_served: str | None
    fingerprint: str | None
    raw: str | None
    latency_s: float | None
    created_at: float
    option_figures: str | None


_NAMES = Columns._fields
_COLUMNS = ", ".join(_NAMES)
_MARKS = ",".join("?" * len(_NAMES))
MODEL, PROMPT = _NAMES.index("model_id"), _NAMES.index("prompt")
_BLOBS = (0, PROMPT)

Row = Sequence[Any]
"""Values in the order of `Columns`."""


@dataclass(frozen=True, slots=True)
class StoredReply:
    """One reply on its way into the file."""

    key: bytes
    model_id: int
    prompt: str
    """JSON text of the messages, from `keys.prompt_text`."""
    completion: Completion
    source: str = "own"
    cost: float | None = None
    """US dollars, when a price is known."""
    replace: bool = False
    """Overwrite an earlier reply to the same question (`--refresh`)."""
    created_at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """A request that gave no answer: failed, filtered, or cut before a word was said."""

    key: bytes
    model_id: int
    kind: str
    message: str
    status: int | None = None
    raw: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    created_at: float = field(default_factory=time.time)


def entry_for(
    key: bytes, model_id: int, prompt: str, completion: Completion, cost: float | None, *, replace: bool = False
) -> StoredReply | StoredAttempt:
    """How a reply is kept: as an answer, or as an attempt when it was filtered or cut before a word was said."""
    if completion.is_answer:
        return StoredReply(key, model_id, prompt, completion, cost=cost, replace=replace)
    kind = "filtered" if completion.finish_reason == "content_filter" else "truncated"
    said = f"reply was {kind}"
    return StoredAttempt(key, model_id, kind, said, None, completion.raw, completion.usage, cost)


def model_id(database: Database, spec: str, identity: str) -> int:
    """The row number of a model, made when new. `identity` is canonical JSON."""
    spec, identity = storable.words(spec), storable.words(identity)
    row = database.connection.execute("SELECT id FROM models WHERE identity = ?", (identity,)).fetchone()
    if row is None:
        with database.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO models (spec, identity) VALUES (?, ?)", (spec, identity))
            row = connection.execute("SELECT id FROM models WHERE identity = ?", (identity,)).fetchone()
    return int(row[0])


def insert(connection: sqlite3.Connection, replies: Sequence[StoredReply]) -> int:
    """Insert inside the caller's transaction; the first reply to a key wins unless `replace` is set.

    What a reply replaces is kept aside, see `as_they_were`.
    Returns how many rows were written.
    """
    insert_prompts(connection, list({prompt_hash(r.prompt): r.prompt for r in replies}.items()))
    written = insert_rows(connection, [row_of(r) for r in replies if not r.replace])
    replaced = [row_of(r) for r in replies if r.replace]
    if replaced:
        moments = [(reply.created_at, reply.key) for reply in replies if reply.replace]
        connection.executemany(
            "INSERT INTO replaced SELECT key, model_id, text, finish_reason, choice_logprobs, option_figures,"
            " created_at, ? FROM completions WHERE key = ?",
            moments,
        )
        connection.executemany(f"INSERT OR REPLACE INTO completions ({_COLUMNS}) VALUES ({_MARKS})", replaced)
        connection.execute("UPDATE generation SET value = value + 1")
    return written + len(replaced)


def insert_prompts(connection: sqlite3.Connection, prompts: Sequence[tuple[bytes, str]]) -> int:
    """Insert prompts by their hash inside the caller's transaction; returns how many were new."""
    rows = [(bytearray(digest), text) for digest, text in prompts]
    return max(connection.executemany("INSERT OR IGNORE INTO prompts VALUES (?, ?)", rows).rowcount, 0)


def insert_rows(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """Insert what `row_of` made inside the caller's transaction, the first of each key; returns how many were new.

    `sqlite3` looks for an adapter of every None and every `bytes`, which takes longer than to store it: so rows that
    lack the same values go together and leave them out, and keys and hashes are given as `bytearray`.
    """
    alike: dict[tuple[type, ...], list[Row]] = {}
    first: dict[bytes, Row] = {}
    for row in rows:
        if first.setdefault(row[0], row) is row:
            alike.setdefault(tuple(map(type, row)), []).append(row)
    new = 0
    for types, held in alike.items():
        there = [i for i, kind in enumerate(types) if i not in _BLOBS and kind is not NoneType]
        columns = ", ".join(_NAMES[i] for i in (*_BLOBS, *there))
        sql = f"INSERT OR IGNORE INTO completions ({columns}) VALUES ({','.join('?' * (len(there) + len(_BLOBS)))})"
        rest = itemgetter(*there)
        values = [(bytearray(row[0]), bytearray(row[PROMPT]), *rest(row)) for row in held]
        new += max(connection.executemany(sql, values).rowcount, 0)
    return new


def insert_attempts(connection: sqlite3.Connection, attempts: Iterable[StoredAttempt]) -> None:
    """Record attempts inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO attempts (key, model_id, kind, status, message, raw, input_tokens, output_tokens, cost,"
        " created_at) VALUES (?,?,?,?,?,?,?,?,?,?)",
        [
            (a.key, a.model_id, a.kind, storable.status(a.status), storable.words(a.message), storable.text(a.raw),
             storable.tokens(a.usage.input_tokens), storable.tokens(a.usage.output_tokens), storable.figure(a.cost),
             a.created_at)
            for a in attempts
        ],
    )  # fmt: skip


def present(database: Database, keys: Sequence[bytes]) -> set[bytes]:
    """Which of these keys have an answer stored."""
    return {row[0] for row in database.many("SELECT key FROM completions WHERE key IN ({marks})", list(keys))}  # type: ignore[misc]


def lookup(database: Database, keys: Sequence[bytes]) -> dict[bytes, Completion]:
    """The stored completions among these keys."""
    sql = f"SELECT {_COLUMNS} FROM completions WHERE key IN ({{marks}})"
    with database.understood():
        found = (Columns._make(row) for row in database.many(sql, list(keys)))
        return {row.key: _completion(row) for row in found}


_LOOKED_UP = 3
"""Rows that are read in order in the time in which one is looked up by its key."""
_AT_ONCE = 20_000


def quicker_read_whole(database: Database, wanted: int) -> bool:
    """Whether reading all stored completions once takes less than to look up so many of them."""
    return wanted * _LOOKED_UP >= generation(database)[1]


def columns_of(database: Database, columns: Sequence[str], keys: Collection[bytes] | None) -> Iterator[tuple[Any, ...]]:
    """(key, *columns) of the stored completions in any order: those of `keys`, and others where all are read.

    Of few keys each is looked up; of many, or of all (None), the table is gone through once.
    """
    named = ", ".join(("key", *columns))
    if keys is not None and not quicker_read_whole(database, len(keys)):
        yield from database.many(f"SELECT {named} FROM completions WHERE key IN ({{marks}})", list(keys))
        return
    _, last = generation(database)
    sql = f"SELECT {named} FROM completions WHERE rowid > ? AND rowid <= ?"
    for start in range(0, last, _AT_ONCE):
        with database.mapped_errors():
            yield from database.connection.execute(sql, (start, start + _AT_ONCE)).fetchall()


def last_served(database: Database, identity: str) -> str | None:
    """The model that the latest stored reply of a model's that names one says it came from; None without one."""
    row = database.connection.execute(
        "SELECT model_served FROM completions WHERE model_id = (SELECT id FROM models WHERE identity = ?)"
        " AND source = 'own' AND model_served IS NOT NULL ORDER BY rowid DESC LIMIT 1",
        (identity,),
    ).fetchone()
    return None if row is None else str(row[0])


def generation(database: Database) -> tuple[int, int]:
    """(times any completion was replaced, highest row number): equal pairs mean nothing changed."""
    with database.mapped_errors():
        row = database.connection.execute(
            "SELECT (SELECT value FROM generation), (SELECT coalesce(max(rowid), 0) FROM completions)"
        ).fetchone()
    return int(row[0]), int(row[1])


def as_they_were(database: Database, keys: Sequence[bytes], moment: float) -> Iterator[tuple[object, ...]]:
    """Replies that stood at a Unix time and were replaced since: key, text, finish_reason, choice_logprobs,
    option_figures."""
    sql = (
        "SELECT key, text, finish_reason, choice_logprobs, option_figures FROM replaced"
        f" WHERE created_at <= {float(moment)!r} AND replaced_at > {float(moment)!r} AND key IN ({{marks}})"
    )
    return database.many(sql, list(keys))


def row_of(reply: StoredReply) -> Columns:
    """A reply as values that the file takes, whatever it holds."""
    c, u = reply.completion, reply.completion.usage
    return Columns(
        key=reply.key,
        model_id=reply.model_id,
        source=storable.words(reply.source),
        prompt=prompt_hash(reply.prompt),
        text=storable.words(c.text),
        finish_reason=storable.text(c.finish_reason),
        choice_logprobs=storable.logprobs(c.choice_logprobs),
        thinking=storable.text(c.thinking),
        input_tokens=storable.tokens(u.input_tokens),
        output_tokens=storable.tokens(u.output_tokens),
        cached_tokens=storable.tokens(u.cached_tokens),
        reasoning_tokens=storable.tokens(u.reasoning_tokens),
        cost=storable.figure(reply.cost),
        model_served=storable.text(c.model_served),
        fingerprint=storable.text(c.fingerprint),
        raw=storable.text(c.raw),
        latency_s=storable.figure(c.latency_s),
        created_at=reply.created_at,
        option_figures=figures_text(c.option_tokens, c.neutral_logprobs),
    )


def _completion(row: Columns) -> Completion:
    option_tokens, neutral = read_figures(row.option_figures)
    return Completion(
        text=row.text,
        finish_reason=row.finish_reason,
        choice_logprobs=None if row.choice_logprobs is None else tuple(json.loads(row.choice_logprobs)),
        thinking=row.thinking,
        usage=Usage(row.input_tokens, row.output_tokens, row.cached_tokens, row.reasoning_tokens),
        model_served=row.model_served,
        raw=row.raw,
        latency_s=row.latency_s,
        fingerprint=row.fingerprint,
        option_tokens=option_tokens,
        neutral_logprobs=neutral,
    )


def figures_text(tokens: Sequence[int] | None, neutral: Sequence[float] | None) -> str | None:
    """What `option_figures` holds of a reply: JSON of the lists it has, None where it has none."""
    if tokens is None and neutral is None:
        return None
    held = {"tokens": storable.each(storable.tokens, tokens), "neutral": storable.each(storable.figure, neutral)}
    said = {name: values for name, values in held.items() if values is not None}
    return storable.words(canonical(said)) if said else None


def read_figures(text: str | None) -> tuple[tuple[int, ...] | None, tuple[float, ...] | None]:
    """(tokens per option, log-probabilities after the neutral prompt) as stored; None where there are none."""
    if text is None:
        return None, None
    held = json.loads(text)
    tokens, neutral = held.get("tokens"), held.get("neutral")
    return None if tokens is None else tuple(tokens), None if neutral is None else tuple(neutral)
