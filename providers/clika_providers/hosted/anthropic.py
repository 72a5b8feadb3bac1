"""Anthropic's Messages API over httpx: thinking control, refusals and overload are only told apart natively.

httpx polls its pool once per connection and request, which at 64 connections in one pool costs more than the request
itself; so the connections are spread over several small clients.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from clika_providers.errors import RunError
from clika_providers.hosted import bounded
from clika_providers.hosted.adapter import CONNECT_S, Adapter, connection_error, unanswered
from clika_providers.hosted.capabilities import Capabilities
from clika_providers.hosted.chat_body import completed, output_cap, sampling_fields
from clika_providers.hosted.chat_reply import broken, count, parse_body, reading, usage_of
from clika_providers.hosted.environment import made, trusted
from clika_providers.hosted.rejected_fields import RejectedFields
from clika_providers.hosted.servers import Server
from clika_providers.keys import reply_text
from clika_providers.options import ProviderOptions
from clika_providers.traffic.http_errors import Where, classify, failure_of, quoted, read_failure
from clika_providers.traffic.retry import TransportReply
from clika_providers.types import Completion, Json, Request, Usage

ADAPTER_VERSION = 1
"""Raised when the body this adapter sends for a Request, or the way it reads a reply, changes an answer."""
_PER_CLIENT = 8
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


class _Client(httpx.AsyncClient):
    """A client whose replies have a bounded size."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """See bounded.send."""
        reply: httpx.Response = await bounded.send(httpx, super().send, request, **options)
        return reply


class Anthropic(Adapter):
    """One Claude model behind the Messages endpoint."""

    models_path = "/v1/models"
    adapter_version = ADAPTER_VERSION

    def __init__(self, server: Server, model: str, options: ProviderOptions) -> None:
        # Both `https://host` and `https://host/v1` are in use as this server's address.
        super().__init__(server, model, options, server.address(options.base_url).removesuffix("/v1"))
        self._clients: list[httpx.AsyncClient] = []
        self._turn = 0

    async def aclose(self) -> None:
        """Close the connections."""
        clients, self._clients = self._clients, []
        for client in clients:
            await client.aclose()

    def body(self, request: Request) -> dict[str, Json]:
        """The body to send; raises RunError when the request needs what Claude cannot do."""
        return messages_body(request, self._model, self.capabilities, self._extra, self.lessons)

    def read(self, body: bytes, request: Request) -> Completion:
        """The Completion in a 200 reply's body; raises ProviderError."""
        raw = reply_text(body)
        return read_message(parse_body(raw), raw, self.where)

    async def get(self, path: str) -> dict[str, Any] | list[Any]:
        """The JSON of a GET (models, batches); raises ProviderError."""
        return self.json_of(await self.send("GET", path))

    def json_of(self, response: httpx.Response) -> dict[str, Any]:
        """A reply's JSON object; raises ProviderError for failures."""
        if response.status_code >= 300:
            raise classify(response.status_code, read_failure(response.content), response.headers, self.where)
        return parse_body(response.content)

    async def _attempt(self, request: Request) -> TransportReply:
        while True:
            body = self.body(request)
            started = time.monotonic()
            response = await self.send("POST", "/v1/messages", json=body)
            if response.status_code < 300:
                completion = reading(self.read, response.content, request, billed)
                return TransportReply(replace(completion, latency_s=time.monotonic() - started), response.headers)
            failure = read_failure(response.content)
            if response.status_code == 400 and self.lessons.learn(failure, body):
                continue
            error = classify(response.status_code, failure, response.headers, self.where)
            error.headers = response.headers
            raise error

    async def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """One HTTP exchange; connection troubles as RetryableError."""
        try:
            return await self._client().request(method, self.address + path, **content)
        except httpx.TimeoutException as error:
            if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
                raise connection_error(self.where, error) from None
            raise unanswered(self._server.name) from None
        except (httpx.RequestError, httpx.StreamError) as error:
            raise connection_error(self.where, error) from None

    @asynccontextmanager
    async def stream(self, method: str, path: str) -> AsyncIterator[httpx.Response]:
        """An exchange whose body is read piece by piece; connection troubles as RetryableError."""
        try:
            async with self._client().stream(method, self.address + path) as response:
                yield response
        except (httpx.RequestError, httpx.StreamError) as error:
            raise connection_error(self.where, error) from None

    def _client(self) -> httpx.AsyncClient:
        """The clients in turn."""
        if not self._clients:
            count = -(-self.concurrency // _PER_CLIENT)
            limits = httpx.Limits(max_connections=_PER_CLIENT, max_keepalive_connections=_PER_CLIENT)
            timeout = httpx.Timeout(self.options.timeout_s, connect=min(CONNECT_S, self.options.timeout_s))
            headers = {
                "x-api-key": self._key or "no-key",
                "anthropic-version": self.capabilities.api_version,
                "accept-encoding": bounded.ACCEPTED,
            }

            def clients() -> list[httpx.AsyncClient]:
                verify = trusted(httpx)
                return [_Client(limits=limits, timeout=timeout, headers=headers, verify=verify) for _ in range(count)]

            self._clients = made(clients)
        self._turn = (self._turn + 1) % len(self._clients)
        return self._clients[self._turn]


def messages_body(
    request: Request, model: str, can: Capabilities, extra: Mapping[str, Json], lessons: RejectedFields
) -> dict[str, Json]:
    """A Request as the body of a Messages call."""
    if request.mode != "text":
        raise RunError(f"Claude gives no {request.mode}; ask it with --ask text", code="logprobs")
    if request.grammar:
        raise RunError("constrained output is not offered for Claude; run without it", code="grammar")
    body: dict[str, Json] = {
        "model": model,
        "max_tokens": output_cap(request, can, lessons.note),
        "messages": [{"role": m.role, "content": m.content} for m in request.messages if m.role != "system"],
    }
    system = "\n\n".join(m.content for m in request.messages if m.role == "system")
    if system:
        body["system"] = system
    body.update(sampling_fields(request, can, lessons.note))
    return completed(body, request, can, extra, lessons.dropped)


def read_message(data: dict[str, Any], raw: str, where: Where) -> Completion:
    """The Completion in a Messages reply; `raw` is its text, kept as it is."""
    if data.get("type") == "error" or data.get("error"):
        failure = failure_of(data)
        found = classify(400, failure, {}, where)
        raise found if found.kind == "run" else broken(f"an error inside a success: {quoted(failure.message)}")
    blocks = data.get("content")
    if not isinstance(blocks, list):
        raise broken("it holds no content")
    finish = _FINISH.get(str(data.get("stop_reason") or ""))
    said = [b["text"] for b in blocks if isinstance(b, dict) and isinstance(b.get("text"), str)]
    thought = [b["thinking"] for b in blocks if isinstance(b, dict) and isinstance(b.get("thinking"), str)]
    if not said and not thought and finish not in ("refusal", "length", "stop"):
        raise broken("its content is empty")
    model = data.get("model")
    return Completion(
        text="".join(said),
        finish_reason=finish,
        thinking="".join(thought) or None,
        usage=read_usage(data.get("usage")),
        model_served=model if isinstance(model, str) else None,
        raw=raw,
    )


def read_usage(usage: Any) -> Usage:
    """Token counts; cached input is part of the input, as everywhere else in this package."""
    if not isinstance(usage, dict):
        return Usage()

    fresh, cached = count(usage.get("input_tokens")), count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens")) or 0
    total = None if fresh is None else fresh + (cached or 0) + written
    return Usage(total, count(usage.get("output_tokens")), cached)


def billed(body: bytes) -> Usage:
    """The tokens a reply was billed for, in Anthropic's counts."""
    return usage_of(body, read_usage)
