"""Message Batches of Anthropic: requests go up in one body, results come down as JSONL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from clika_providers.batches.ticket import (
    BatchStatus,
    BatchTicket,
    Keyed,
    RequestOf,
    in_chunks,
    maybe_taken,
    split_lines,
)
from clika_providers.errors import ItemError, ProviderError, RetryableError
from clika_providers.hosted import bounded
from clika_providers.hosted.anthropic import Anthropic, read_message
from clika_providers.hosted.chat_reply import count
from clika_providers.hosted.servers import known_servers
from clika_providers.keys import without_keys
from clika_providers.options import ProviderOptions
from clika_providers.traffic.http_errors import classify, failure_of, read_failure
from clika_providers.traffic.retry import persistently
from clika_providers.types import Completion, Request

MOST_REQUESTS = 100_000
MOST_BYTES = 200_000_000  # the vendor's limit is 256 MB
_MOST_PAGES = 50
_CLOCKS_APART_S = 120.0
_PATH = "/v1/messages/batches"
_STATUS_OF = {"invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
              "not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429, "api_error": 500,
              "timeout_error": 504, "overloaded_error": 529}  # fmt: skip


class AnthropicBatches:
    """The batches of one Claude model."""

    def __init__(
        self,
        name: str,
        model: str,
        options: ProviderOptions,
        *,
        most_lines: int = MOST_REQUESTS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._messages = Anthropic(known_servers()[name], model, options)
        self._options = options
        self._most_lines, self._most_bytes = most_lines, most_bytes

    def chunks(self, requests: Iterable[Keyed]) -> Iterator[list[Keyed]]:
        """See BatchDoor."""
        return in_chunks(requests, lambda k, r: len(self._part(k, r)) + 1, self._most_lines, self._most_bytes)

    def _part(self, key: str, request: Request) -> bytes:
        row = {"custom_id": key, "params": self._messages.body(request)}
        return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")

    async def find(
        self, name: str, requests: Sequence[str], since: float, known: Collection[str]
    ) -> BatchTicket | None:
        """See BatchDoor: Anthropic keeps no name, so size and time must do; results, once there, must be ours."""
        found = None
        after = ""
        for _ in range(_MOST_PAGES):
            page = await self._listed(after)
            rows = [row for row in page.get("data") or [] if isinstance(row, dict) and isinstance(row.get("id"), str)]
            for row in rows:
                if _began(row) < since - _CLOCKS_APART_S:
                    break
                # Newest first: the last that fits is the first that was made after ours was begun.
                if (
                    row["id"] not in known
                    and _status(row).total == len(requests)
                    and await self._is_ours(row, requests)
                ):
                    found = row["id"]
            else:
                if rows and page.get("has_more"):
                    after = f"&after_id={rows[-1]['id']}"
                    continue
            break
        if found is None:
            return None
        return BatchTicket(self._messages.spec, found, len(requests), self._messages.where.address, name)

    async def _listed(self, after: str) -> dict[str, Any]:
        async def ask() -> dict[str, Any]:
            return self._messages.json_of(await self._messages.send("GET", f"{_PATH}?limit=100{after}"))

        return await persistently(ask, self._options)

    async def _is_ours(self, row: dict[str, Any], requests: Sequence[str]) -> bool:
        """Whether a batch's results, where it has some, answer our requests."""
        if not _status(row).is_over:
            return True
        async with self._messages.stream("GET", f"{_PATH}/{row['id']}/results") as response:
            if response.status_code >= 300:
                return True
            async for line in split_lines(response.aiter_bytes()):
                try:
                    return json.loads(line).get("custom_id") in set(requests)
                except (ValueError, AttributeError, RecursionError):
                    return False
        return True

    async def status(self, ticket: BatchTicket) -> BatchStatus:
        """See BatchDoor."""

        async def ask() -> BatchStatus:
            return _status(self._messages.json_of(await self._messages.send("GET", f"{_PATH}/{ticket.batch_id}")))

        return await persistently(ask, self._options)

    async def cancel(self, ticket: BatchTicket) -> BatchStatus:
        """See BatchDoor."""
        reply = await self._messages.send("POST", f"{_PATH}/{ticket.batch_id}/cancel")
        return _status(self._messages.json_of(reply))

    async def collect(
        self, ticket: BatchTicket, request_of: RequestOf
    ) -> AsyncIterator[tuple[str, Completion | ProviderError]]:
        """See BatchDoor."""
        # The documented path rather than the reply's results_url: the key goes to no address a reply names.
        async with self._messages.stream("GET", f"{_PATH}/{ticket.batch_id}/results") as response:
            if response.status_code >= 400:
                packed = response.headers.get("content-encoding", "")
                content = await bounded.collected(response.status_code, packed, response.aiter_raw())
                raise classify(response.status_code, read_failure(content), response.headers, self._messages.where)
            async for line in split_lines(response.aiter_bytes()):
                found = self._result(line, request_of)
                if found is not None:
                    yield found

    async def aclose(self) -> None:
        """Close the connections."""
        await self._messages.aclose()

    async def send(self, requests: Sequence[Keyed], name: str) -> BatchTicket:
        """See BatchDoor."""
        parts = [self._part(key, request) for key, request in requests]
        content = b'{"requests":[' + b",".join(parts) + b"]}"
        # Not repeated after a broken connection: the batch may exist already, and would be paid twice.
        with maybe_taken():
            kind = {"content-type": "application/json"}
            batch = self._messages.json_of(await self._messages.send("POST", _PATH, content=content, headers=kind))
            if not isinstance(batch.get("id"), str):
                raise RetryableError(f"{self._messages.where.server} accepted a batch but gave it no id", code="batch")
        spec, address = self._messages.spec, self._messages.where.address
        return BatchTicket(spec, batch["id"], len(parts), address, name)

    def _result(self, line: str, request_of: RequestOf) -> tuple[str, Completion | ProviderError] | None:
        try:
            row = json.loads(without_keys(line))
            key, result = row["custom_id"], row["result"]
            kind = result["type"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None  # a damaged line is a missing result: it will be asked again
        if not isinstance(key, str) or request_of(key) is None:
            return None
        try:
            if kind == "succeeded":
                message = result["message"]
                return key, read_message(message, json.dumps(message, ensure_ascii=False), self._messages.where)
            if kind in ("expired", "canceled"):
                return key, RetryableError(f"the batch was {kind} before this request was answered", code="batch")
            error = result.get("error") or {}
            name = (error.get("error") or error).get("type", "")
            return key, classify(_STATUS_OF.get(name, 400), failure_of(error), {}, self._messages.where)
        except ProviderError as problem:
            return key, problem
        except Exception as odd:  # no result can be foreseen in all its shapes
            return key, ItemError(f"the batch's result could not be read ({type(odd).__name__})", code="shape")


def _began(batch: dict[str, Any]) -> float:
    """When a batch was made, Unix seconds; 0 where it does not say."""
    try:
        return datetime.fromisoformat(str(batch.get("created_at"))).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _status(batch: dict[str, Any]) -> BatchStatus:
    vendor = str(batch.get("processing_status") or "unknown")
    given = batch.get("request_counts")
    counts = given if isinstance(given, dict) else {}

    def of(*names: str) -> int:
        return sum(count(counts.get(n)) or 0 for n in names)

    done, lost = of("succeeded"), of("errored", "expired", "canceled")
    total = done + lost + of("processing")
    if vendor != "ended":
        return BatchStatus("running", vendor, done, lost, total)
    stopped = "cancelled" if of("canceled") else "expired" if of("expired") else "done"
    return BatchStatus(stopped, vendor, done, lost, total)  # type: ignore[arg-type]
