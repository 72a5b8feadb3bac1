"""Everything that is kept of single replies: text, tokens, cost, time, and the prompt they answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from clika_client.store.store import Store

_COLUMNS = (
    "key, text, finish_reason, choice_logprobs, thinking, input_tokens, output_tokens, cached_tokens,"
    " reasoning_tokens, cost, latency_s, model_served, created_at"
)


class ReplyDetails(NamedTuple):
    """One stored reply."""

    text: str
    finish_reason: str | None
    logprobs: tuple[float | None, ...] | None
    """Per option, in the order shown."""
    thinking: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cost: float | None
    latency_s: float | None
    model_served: str | None
    created_at: float


def reply_details(store: Store, keys: Sequence[bytes]) -> dict[bytes, ReplyDetails]:
    """The stored replies among these content keys."""
    found = {}
    sql = f"SELECT {_COLUMNS} FROM completions WHERE key IN ({{marks}})"
    with store.database.understood():
        for key, text, finish, logprobs, *rest in store.database.many(sql, list(keys)):
            read = None if logprobs is None else tuple(json.loads(str(logprobs)))
            found[key] = ReplyDetails(text, finish, read, *rest)  # type: ignore[arg-type]
    return found  # type: ignore[return-value]


def messages_of(store: Store, key: bytes) -> list[tuple[str, str]]:
    """(role, text) of each message that a reply answers; empty where the reply is not stored."""
    sql = "SELECT p.messages FROM completions c JOIN prompts p ON p.hash = c.prompt WHERE c.key IN ({marks})"
    with store.database.understood():
        for row in store.database.many(sql, [key]):
            return [(str(role), str(text)) for role, text in json.loads(str(row[0]))]
    return []
