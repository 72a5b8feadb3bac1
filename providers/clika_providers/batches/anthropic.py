"""Message Batches of Anthropic: requests go up in one body, results come down as JSONL."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from clika_providers.batches.ticket import BatchStatus, BatchTicket, Chunk, Keyed, RequestOf, split_lines
from clika_providers.errors import ItemError, ProviderError, RetryableError, RunError
from clika_providers.hosted.anthropic import Anthropic, read_message
from clika_providers.hosted.servers import known_servers
from clika_providers.keys import without_keys
from clika_providers.options import ProviderOptions
from clika_providers.traffic.http_errors import classify, failure_of, read_failure
from clika_providers.traffic.retry import persistently
from clika_providers.types import Completion

MOST_REQUESTS = 100_000
MOST_BYTES = 200_000_000  # the vendor's limit is 256 MB
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

    async def submit(self, requests: Iterable[Keyed]) -> AsyncIterator[BatchTicket]:
        """See BatchDoor."""
        chunk, parts = Chunk(self._most_lines, self._most_bytes), list[bytes]()
        for key, request in requests:
            row = {"custom_id": key, "params": self._messages.body(request)}
            part = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")
            if not chunk.takes(len(part) + 1):
                yield await self._send(parts)
                chunk, parts = Chunk(self._most_lines, self._most_bytes), []
            parts.append(part)
            chunk.add(len(part) + 1)
        if parts:
            yield await self._send(parts)

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
                content = await response.aread()
                raise classify(response.status_code, read_failure(content), response.headers, self._messages.where)
            async for line in split_lines(response.aiter_bytes()):
                found = self._result(line, request_of)
                if found is not None:
                    yield found

    async def aclose(self) -> None:
        """Close the connections."""
        await self._messages.aclose()

    async def _send(self, parts: list[bytes]) -> BatchTicket:
        content = b'{"requests":[' + b",".join(parts) + b"]}"
        # Not repeated after a broken connection: the batch may exist already, and would be paid twice.
        reply = await self._messages.send("POST", _PATH, content=content, headers={"content-type": "application/json"})
        batch = self._messages.json_of(reply)
        if not isinstance(batch.get("id"), str):
            raise RunError(f"{self._messages.where.server} accepted a batch but gave it no id", code="batch")
        return BatchTicket(self._messages.spec, batch["id"], len(parts), time.time(), self._messages.where.address)

    def _result(self, line: str, request_of: RequestOf) -> tuple[str, Completion | ProviderError] | None:
        try:
            row = json.loads(without_keys(line))
            key, result = row["custom_id"], row["result"]
            kind = result["type"]
        except (ValueError, KeyError, TypeError):
            return None  # a damaged line is a missing result: it will be asked again
        if request_of(key) is None:
            return None
        try:
            if kind == "succeeded":
                message = result["message"]
                return key, read_message(message, json.dumps(message, ensure_ascii=False), self._messages.where)
            if kind in ("expired", "canceled"):
                return key, RetryableError(
                    f"the batch was {kind} before this request was answered", code=f"batch_{kind}"
                )
            error = result.get("error") or {}
            name = (error.get("error") or error).get("type", "")
            return key, classify(_STATUS_OF.get(name, 400), failure_of(error), {}, self._messages.where)
        except ProviderError as problem:
            return key, problem
        except (KeyError, TypeError, AttributeError):
            return key, ItemError("the batch's result could not be read", code="shape")


def _status(batch: dict[str, Any]) -> BatchStatus:
    vendor = str(batch.get("processing_status") or "unknown")
    counts = batch.get("request_counts") or {}

    def count(*names: str) -> int:
        return sum(int(counts.get(n) or 0) for n in names)

    done, lost = count("succeeded"), count("errored", "expired", "canceled")
    total = done + lost + count("processing")
    if vendor != "ended":
        return BatchStatus("running", vendor, done, lost, total)
    stopped = "cancelled" if count("canceled") else "expired" if count("expired") else "done"
    return BatchStatus(stopped, vendor, done, lost, total)  # type: ignore[arg-type]
