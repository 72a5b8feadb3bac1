"""Batches in the database: which requests are with a vendor, so that any later process can collect them."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clika_cache import canonical, prompt_hash, prompt_text
from clika_client.store.store import Store
from clika_providers import Message, Request
from clika_providers.batches import BatchTicket, Keyed

_SHARED = ("mode", "max_tokens", "temperature", "seed", "stop", "grammar", "thinking", "repeat", "extra")


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One batch as stored. `state` is a vendor state, or `collected`."""

    number: int
    run_id: str
    model_id: int
    ticket: BatchTicket
    state: str
    created_at: float


def add(store: Store, run_id: str, model_id: int, ticket: BatchTicket, requests: Sequence[Keyed]) -> None:
    """Keep a ticket with all that is needed to read its results later; prompts go to the prompts table."""
    texts = [prompt_text(request.messages) for _, request in requests]
    rows = [
        [key, prompt_hash(text).hex(), list(request.labels), {n: asdict(request)[n] for n in _SHARED}]
        for (key, request), text in zip(requests, texts, strict=True)
    ]
    packed = zlib.compress(canonical(rows).encode("utf-8", "surrogatepass"))
    now = time.time()
    with store.database.writing() as connection:
        connection.executemany(
            "INSERT OR IGNORE INTO prompts VALUES (?, ?)", [(prompt_hash(text), text) for text in texts]
        )
        connection.execute(
            "INSERT INTO batches (run_id, model_id, ticket, state, requests, created_at, updated_at)"
            " VALUES (?,?,?,?,?,?,?)",
            (run_id, model_id, canonical(ticket.to_json()), "running", packed, now, now),
        )


def all_batches(store: Store) -> list[StoredBatch]:
    """Every batch, oldest first."""
    with store.database.mapped_errors():
        rows = store.database.connection.execute(
            "SELECT id, run_id, model_id, ticket, state, created_at FROM batches ORDER BY id"
        ).fetchall()
    return [StoredBatch(n, run, model, BatchTicket.from_json(json.loads(t)), s, at) for n, run, model, t, s, at in rows]


def set_state(store: Store, number: int, state: str) -> None:
    """Note how a batch stands."""
    with store.database.writing() as connection:
        connection.execute("UPDATE batches SET state = ?, updated_at = ? WHERE id = ?", (state, time.time(), number))


def pending_keys(store: Store, model_id: int) -> set[bytes]:
    """Content keys that are with a vendor now; asking for them again would pay twice."""
    return {
        bytes.fromhex(row[0])
        for batch in all_batches(store)
        if batch.state == "running" and batch.model_id == model_id
        for row in _rows(store, batch.number)
    }


def requests(store: Store, number: int) -> Mapping[str, Request]:
    """The requests of a batch by custom id."""
    rows = list(_rows(store, number))
    hashes = [bytes.fromhex(row[1]) for row in rows]
    found = store.database.many("SELECT hash, messages FROM prompts WHERE hash IN ({marks})", hashes)
    prompts = {digest: str(text) for digest, text in found}
    return {row[0]: _request(row, prompts[bytes.fromhex(row[1])]) for row in rows}


def _rows(store: Store, number: int) -> Iterator[list[Any]]:
    with store.database.mapped_errors():
        packed = store.database.connection.execute("SELECT requests FROM batches WHERE id = ?", (number,)).fetchone()[0]
    yield from json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))


def _request(row: Sequence[Any], messages: str) -> Request:
    shared = dict(row[3])
    shared["stop"] = tuple(shared["stop"])
    shared["extra"] = tuple((name, value) for name, value in shared["extra"])
    turns = tuple(Message(role, content) for role, content in json.loads(messages))
    return Request(turns, labels=tuple(row[2]), **shared)
