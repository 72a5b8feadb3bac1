"""Batches of OpenAI and Azure: a JSONL file goes up, a batch is made of it, result and error files come down."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from typing import IO, Any

from clika_providers.batches.ticket import (
    BatchStatus,
    BatchTicket,
    Keyed,
    RequestOf,
    State,
    in_chunks,
    maybe_taken,
    split_lines,
)
from clika_providers.errors import ItemError, ProviderError, RetryableError, RunError
from clika_providers.hosted.adapter import connection_error
from clika_providers.hosted.chat_reply import count
from clika_providers.hosted.openai_chat import OpenAIChat
from clika_providers.hosted.servers import known_servers
from clika_providers.options import ProviderOptions
from clika_providers.traffic.http_errors import classify, failure_of, quoted, read_failure
from clika_providers.traffic.retry import persistently
from clika_providers.types import Completion

MOST_LINES = 50_000
MOST_BYTES = 190_000_000  # the vendor's limit is 200 MB
_URL = "/v1/chat/completions"
_NAME = "clika"
"""The metadata field that holds our name of a batch."""
_MOST_PAGES = 50
_CLOCKS_APART_S = 86_400.0
_STATES: dict[str, State] = {
    "completed": "done",
    "expired": "expired",
    "cancelled": "cancelled",
    "failed": "failed",
}
_EXPIRED = frozenset({"batch_expired", "batch_cancelled"})


class OpenAIBatches:
    """The batches of one model."""

    def __init__(
        self,
        name: str,
        model: str,
        options: ProviderOptions,
        *,
        most_lines: int = MOST_LINES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._chat = OpenAIChat(known_servers()[name], model, options)
        self._options = options
        self._most_lines, self._most_bytes = most_lines, most_bytes

    def chunks(self, requests: Iterable[Keyed]) -> Iterator[list[Keyed]]:
        """See BatchDoor."""
        return in_chunks(requests, lambda k, r: len(self._line(k, r)), self._most_lines, self._most_bytes)

    async def send(self, requests: Sequence[Keyed], name: str) -> BatchTicket:
        """See BatchDoor."""
        with tempfile.SpooledTemporaryFile(max_size=8_000_000) as file:
            for key, request in requests:
                file.write(self._line(key, request))
            return await self._send(file, len(requests), name)

    async def find(
        self, name: str, requests: Sequence[str], since: float, known: Collection[str]
    ) -> BatchTicket | None:
        """See BatchDoor: OpenAI keeps our name in the batch's metadata, newest batches come first."""
        after = ""
        for _ in range(_MOST_PAGES):
            page = _mapping(await self._listed(after))
            rows = [row for row in page.get("data") or [] if isinstance(row, dict)]
            for row in rows:
                if (row.get("metadata") or {}).get(_NAME) == name and isinstance(row.get("id"), str):
                    return BatchTicket(self._chat.spec, row["id"], len(requests), self._chat.where.address, name)
            oldest = rows[-1].get("created_at") if rows else None
            if not rows or not page.get("has_more") or (isinstance(oldest, int) and oldest < since - _CLOCKS_APART_S):
                return None
            after = f"&after={rows[-1].get('id')}"
        return None

    async def _listed(self, after: str) -> Any:
        async def ask() -> Any:
            return await self._chat.get(f"/batches?limit=100{after}")

        return await persistently(ask, self._options)

    async def status(self, ticket: BatchTicket) -> BatchStatus:
        """See BatchDoor."""
        return _status(await self._batch(ticket))

    async def cancel(self, ticket: BatchTicket) -> BatchStatus:
        """See BatchDoor."""
        return _status(_mapping(await self._chat.post(f"/batches/{ticket.batch_id}/cancel", {})))

    async def collect(
        self, ticket: BatchTicket, request_of: RequestOf
    ) -> AsyncIterator[tuple[str, Completion | ProviderError]]:
        """See BatchDoor."""
        batch = await self._batch(ticket)
        for name in ("output_file_id", "error_file_id"):
            if isinstance(batch.get(name), str) and batch[name]:
                async for row in self._rows(batch[name]):
                    found = self._result(row, request_of)
                    if found is not None:
                        yield found

    async def aclose(self) -> None:
        """Close the connections."""
        await self._chat.aclose()

    def _line(self, key: str, request: Any) -> bytes:
        body = self._chat.body(request)
        row = {"custom_id": key, "method": "POST", "url": _URL, "body": body}
        return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    async def _send(self, file: IO[bytes], lines: int, name: str) -> BatchTicket:
        async def upload() -> str:
            return await self._upload(file)

        file_id = await persistently(upload, self._options)
        body: Any = {
            "input_file_id": file_id, "endpoint": _URL, "completion_window": "24h", "metadata": {_NAME: name},
        }  # fmt: skip
        # Not repeated after a broken connection: the batch may exist already, and would be paid twice.
        with maybe_taken():
            batch = _mapping(await self._chat.post("/batches", body))
            if not isinstance(batch.get("id"), str):
                raise RetryableError(f"{self._chat.where.server} accepted a batch but gave it no id", code="batch")
        return BatchTicket(self._chat.spec, batch["id"], lines, self._chat.where.address, name)

    async def _upload(self, file: IO[bytes]) -> str:
        import openai

        file.seek(0)
        try:
            made = await self._chat.sdk().files.create(file=("clika-batch.jsonl", file), purpose="batch")
        except openai.OpenAIError as error:
            raise self._mapped(error) from None
        if not isinstance(getattr(made, "id", None), str):
            raise RunError(f"{self._chat.where.server} took the file but gave it no id", code="batch")
        return made.id

    async def _batch(self, ticket: BatchTicket) -> dict[str, Any]:
        async def ask() -> dict[str, Any]:
            return _mapping(await self._chat.get(f"/batches/{ticket.batch_id}"))

        return await persistently(ask, self._options)

    async def _rows(self, file_id: str) -> AsyncIterator[dict[str, Any]]:
        """The lines of a result file, streamed: it may hold 200 MB."""
        import httpx2
        import openai

        try:
            async with self._chat.sdk().files.with_streaming_response.content(file_id) as response:
                async for line in split_lines(response.iter_bytes()):
                    yield _row(line)
        except openai.OpenAIError as error:
            raise self._mapped(error) from None
        except httpx2.HTTPError as error:
            raise connection_error(self._chat.where, error) from None

    def _mapped(self, error: Exception) -> ProviderError:
        import openai

        if isinstance(error, openai.APIStatusError):
            response = error.response
            try:
                content: bytes | str = response.content
            except Exception:  # a streamed error body that was not read; the SDK's message has its words
                content = str(error)
            return classify(response.status_code, read_failure(content), response.headers, self._chat.where)
        return connection_error(self._chat.where, error.__cause__)

    def _result(self, row: dict[str, Any], request_of: RequestOf) -> tuple[str, Completion | ProviderError] | None:
        key = row.get("custom_id")
        request = request_of(key) if isinstance(key, str) else None
        if request is None:
            return None
        response, error = row.get("response"), row.get("error")
        try:
            if isinstance(response, dict) and response.get("status_code") is not None:
                return str(key), self._read(response, request)
            failure = failure_of({"error": error or "no reply"})
            words = f"the batch gave no reply: {quoted(failure.message)}"
            if failure.code in _EXPIRED:
                return str(key), RetryableError(words, code="batch")
            return str(key), ItemError(words)
        except ProviderError as problem:
            return str(key), problem
        except Exception as error:  # no result can be foreseen in all its shapes
            return str(key), ItemError(f"the batch's result could not be read ({type(error).__name__})", code="shape")

    def _read(self, response: dict[str, Any], request: Any) -> Completion:
        status, body = response["status_code"], response.get("body")
        if not isinstance(status, int) or status >= 400:
            status = status if isinstance(status, int) and status < 1000 else 500
            raise classify(status, failure_of(body), {}, self._chat.where)
        return self._chat.read(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), request)


def _mapping(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise RetryableError("the server's answer about the batch was not an object", code="shape")
    return data


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}  # a damaged line is a missing result: it will be asked again
    return row if isinstance(row, dict) else {}


def _status(batch: dict[str, Any]) -> BatchStatus:
    vendor = str(batch.get("status") or "unknown")
    counts, errors = _part(batch, "request_counts"), _part(batch, "errors").get("data")
    listed = [e for e in errors[:3] if isinstance(e, dict)] if isinstance(errors, list) else []
    words = "; ".join(
        f"line {e.get('line')}: {e.get('message')}" if e.get("line") else str(e.get("message")) for e in listed
    )
    return BatchStatus(
        _STATES.get(vendor, "running"),
        vendor,
        count(counts.get("completed")) or 0,
        count(counts.get("failed")) or 0,
        count(counts.get("total")) or 0,
        quoted(words) or None,
    )


def _part(batch: dict[str, Any], name: str) -> dict[str, Any]:
    value = batch.get(name)
    return value if isinstance(value, dict) else {}
