"""Batches in the database: which requests are with a vendor, so that any later process can collect them."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from clika_cache import canonical, prompt_hash, prompt_text
from clika_client.store.store import Store
from clika_providers import Message, Request
from clika_providers.batches import BatchTicket, Keyed
from clika_providers.prices import Price

SENDING = "sending"
_OPEN = (SENDING, "running")

_SHARED = ("mode", "max_tokens", "temperature", "seed", "stop", "grammar", "thinking", "repeat", "extra")


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One batch as stored. `state` is `sending` (the vendor was not heard yet), `running`, `refused`, `collected` or
    `forgotten`."""

    number: int
    run_id: str
    model_id: int
    ticket: BatchTicket
    state: str
    created_at: float
    refresh: bool = False
    """Its results replace what is stored."""
    price: Price | None = None
    """What its tokens were priced at when it was sent."""

    @property
    def is_open(self) -> bool:
        """Whether the vendor has it, or may have it."""
        return self.state in _OPEN


def intend(
    store: Store,
    run_id: str,
    model_id: int,
    ticket: BatchTicket,
    requests: Sequence[Keyed],
    *,
    refresh: bool = False,
    price: Price | None = None,
) -> tuple[int, list[Keyed]]:
    """Keep what is about to be sent, before the vendor is called: (its number, the requests that are still free).

    Requests that another process gave to a batch meanwhile are left out; with none left nothing is kept, number 0.
    """
    with store.database.writing() as connection:
        taken = pending_keys(store, model_id)
        free = [(key, request) for key, request in requests if bytes.fromhex(key) not in taken]
        if not free:
            return 0, []
        texts = [prompt_text(request.messages) for _, request in free]
        rows = [
            [key, prompt_hash(text).hex(), list(request.labels), {n: asdict(request)[n] for n in _SHARED}]
            for (key, request), text in zip(free, texts, strict=True)
        ]
        packed = zlib.compress(canonical(rows).encode("utf-8", "surrogatepass"))
        now = time.time()
        connection.executemany(
            "INSERT OR IGNORE INTO prompts VALUES (?, ?)", [(prompt_hash(text), text) for text in texts]
        )
        cursor = connection.execute(
            "INSERT INTO batches (run_id, model_id, ticket, state, requests, created_at, updated_at, refresh, price)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (run_id, model_id, canonical(replace(ticket, requests=len(free)).to_json()), SENDING, packed, now, now,
             int(refresh), None if price is None else _price_text(price)),
        )  # fmt: skip
        return int(cursor.lastrowid or 0), free


def accepted(store: Store, number: int, ticket: BatchTicket) -> None:
    """The vendor has the batch, under this ticket."""
    with store.database.writing() as connection:
        connection.execute(
            "UPDATE batches SET state = 'running', ticket = ?, updated_at = ? WHERE id = ? AND state = ?",
            (canonical(ticket.to_json()), time.time(), number, SENDING),
        )


def all_batches(store: Store) -> list[StoredBatch]:
    """Every batch, oldest first."""
    with store.database.mapped_errors():
        rows = store.database.connection.execute(
            "SELECT id, run_id, model_id, ticket, state, created_at, refresh, price FROM batches ORDER BY id"
        ).fetchall()
    with store.database.understood():
        return [
            StoredBatch(n, run, model, BatchTicket.from_json(json.loads(t)), s, at, bool(again), _price_of(price))
            for n, run, model, t, s, at, again, price in rows
        ]


def set_state(store: Store, number: int, state: str) -> None:
    """Note how a batch stands."""
    with store.database.writing() as connection:
        connection.execute("UPDATE batches SET state = ?, updated_at = ? WHERE id = ?", (state, time.time(), number))


def pending_keys(store: Store, model_id: int) -> set[bytes]:
    """Content keys that are with a vendor now; asking for them again would pay twice."""
    return {
        bytes.fromhex(row[0])
        for batch in all_batches(store)
        if batch.is_open and batch.model_id == model_id
        for row in _rows(store, batch.number)
    }


def requests(store: Store, number: int) -> Mapping[str, Request]:
    """The requests of a batch by custom id."""
    rows = list(_rows(store, number))
    hashes = [bytes.fromhex(row[1]) for row in rows]
    found = store.database.many("SELECT hash, messages FROM prompts WHERE hash IN ({marks})", hashes)
    prompts = {digest: str(text) for digest, text in found}
    return {row[0]: _request(row, prompts[bytes.fromhex(row[1])]) for row in rows}


def _price_text(price: Price) -> str:
    return canonical({n: v.isoformat() if isinstance(v, date) else v for n, v in asdict(price).items()})


def _price_of(text: str | None) -> Price | None:
    if text is None:
        return None
    fields = json.loads(text)
    return Price(**{**fields, "as_of": None if fields["as_of"] is None else date.fromisoformat(fields["as_of"])})


def _rows(store: Store, number: int) -> Iterator[list[Any]]:
    with store.database.understood():
        packed = store.database.connection.execute("SELECT requests FROM batches WHERE id = ?", (number,)).fetchone()[0]
        rows = json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    yield from rows


def _request(row: Sequence[Any], messages: str) -> Request:
    shared = dict(row[3])
    shared["stop"] = tuple(shared["stop"])
    shared["extra"] = tuple((name, value) for name, value in shared["extra"])
    turns = tuple(Message(role, content) for role, content in json.loads(messages))
    return Request(turns, labels=tuple(row[2]), **shared)
