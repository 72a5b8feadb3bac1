"""Every OpenAI-shaped server through the openai SDK: chat completions, read as text or as label probabilities.

The SDK's `post` with a raw response costs 1.3 ms of CPU where `create` costs 2; its own retries are off, because they
would hide refusals from the flow control.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from clika_providers.errors import ProviderError, RetryableError, RunError
from clika_providers.hosted import bounded
from clika_providers.hosted.adapter import Adapter
from clika_providers.hosted.capabilities import Capabilities, capabilities_for
from clika_providers.hosted.chat_body import chat_body
from clika_providers.hosted.chat_reply import broken, parse_body, read_chat, reading, usage_of
from clika_providers.hosted.environment import made
from clika_providers.hosted.rejected_fields import RejectedFields
from clika_providers.hosted.servers import Server, is_local
from clika_providers.keys import find_key, refuse_secrets
from clika_providers.options import ProviderOptions
from clika_providers.traffic.circuit_breaker import CircuitBreaker
from clika_providers.traffic.http_errors import TIMEOUT, Where, classify, quoted, read_failure
from clika_providers.traffic.limiter import RateLimiter, shared_flow
from clika_providers.traffic.retry import NOT_CONNECTED, Caller, Reply
from clika_providers.types import Completion, Json, Request

if TYPE_CHECKING:
    from openai import AsyncOpenAI

ADAPTER_VERSION = 1
"""Raised when the body this adapter sends for a Request, or the way it reads a reply, changes an answer."""
_LOCAL_PATIENCE_S, _REMOTE_PATIENCE_S = 12.0, 120.0
_TIMEOUTS_OF_PATIENCE = 2.5
_CONNECT_S = 10.0


class OpenAIChat(Adapter):
    """One model behind a chat-completions endpoint."""

    models_path = "/models"
    adapter_version = ADAPTER_VERSION

    def __init__(self, server: Server, model: str, options: ProviderOptions) -> None:
        self._server, self._model, self.options = server, model, options
        self.address = server.address(options.base_url)
        self.capabilities: Capabilities = capabilities_for(server.name, model, options.capabilities)
        self.where = Where(server.name, model, self.address_class, server.key_env)
        self._key = key_for(server, self.address, options)
        refuse_secrets(dict(options.extra_body), "--extra")
        self._extra: dict[str, Json] = {**server.body, **dict(options.extra_body)}
        self.lessons = RejectedFields(model)
        self.caller = Caller(self._flow, breaker_for(self.spec, self.address, options), options)
        self._sdk: AsyncOpenAI | None = None
        self._gave_logprobs = False

    @property
    def address_class(self) -> str:
        """The server's name at its usual address, else host and path."""
        return self._server.address_class(self.address)

    async def complete(self, request: Request) -> Completion:
        """Answer one request; see Provider.complete."""

        async def attempt() -> Reply:
            return await self._attempt(request)

        return await self.caller.call(attempt, estimated_tokens(request))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._sdk is not None:
            await self._sdk.close()
            self._sdk = None

    def body(self, request: Request) -> dict[str, Json]:
        """The body to send, as far as is known what the model takes."""
        can = self.capabilities
        if self.lessons.swapped:
            can = replace(can, max_tokens=self.lessons.swapped)
        body = chat_body(
            request, self._model, can, extra=self._extra, dropped=self.lessons.dropped, note=self.lessons.note
        )
        if self.lessons.top_logprobs is not None and "top_logprobs" in body:
            body["top_logprobs"] = self.lessons.top_logprobs
        return body

    def read(self, body: bytes, request: Request) -> Completion:
        """The Completion in a 200 reply's body; raises ProviderError."""
        completion = read_chat(body, request, self.where)
        if (
            request.mode == "logprobs"
            and completion.choice_logprobs is None
            and completion.finish_reason != "content_filter"
        ):
            if self._gave_logprobs:
                raise RetryableError("the reply lacks the logprobs that earlier replies had", code="shape")
            raise RunError(f"{self.spec} answered without logprobs; ask it with --ask text", code="logprobs")
        self._gave_logprobs = self._gave_logprobs or completion.choice_logprobs is not None
        return completion

    async def _attempt(self, request: Request) -> Reply:
        """One try; a rejected field is dropped and the request sent again at once, which is no retry."""
        while True:
            body = self.body(request)
            started = time.monotonic()
            status, content, headers = await self._exchange("POST", "/chat/completions", body)
            if status < 300:
                completion = reading(self.read, content, request, usage_of)
                return Reply(replace(completion, latency_s=time.monotonic() - started), headers)
            failure = read_failure(content)
            if status in (400, 422) and self.lessons.learn(failure, body):
                continue
            error = classify(status, failure, headers, self.where)
            error.headers = headers
            raise error

    async def get(self, path: str) -> dict[str, Any] | list[Any]:
        """The JSON of a GET (models, batches); raises ProviderError."""
        return self._json(*await self._exchange("GET", path))

    async def post(self, path: str, body: dict[str, Json]) -> dict[str, Any] | list[Any]:
        """The JSON of a POST that is no question (batches); raises ProviderError."""
        return self._json(*await self._exchange("POST", path, body))

    def _json(self, status: int, content: bytes, headers: Mapping[str, str]) -> dict[str, Any] | list[Any]:
        if status >= 300:
            raise classify(status, read_failure(content), headers, self.where)
        if content.lstrip()[:1] == b"[":
            try:
                return list(json.loads(content))
            except (ValueError, RecursionError):
                raise broken("not JSON, or cut short") from None
        return parse_body(content)

    async def _exchange(
        self, method: Literal["GET", "POST"], path: str, body: dict[str, Json] | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers of one exchange; connection troubles as RetryableError."""
        import httpx2
        import openai

        sdk = self.sdk()
        try:
            if method == "GET":
                response = await sdk.get(path, cast_to=httpx2.Response)
            else:
                response = await sdk.post(path, cast_to=httpx2.Response, body=body)
        except openai.APIStatusError as error:
            return error.response.status_code, error.response.content, error.response.headers
        except openai.APITimeoutError as error:
            if isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout):
                raise connection_error(self.where, error.__cause__) from None
            raise unanswered(self._server.name) from None
        except openai.APIConnectionError as error:
            raise connection_error(self.where, error.__cause__) from None
        return response.status_code, response.content, response.headers

    def sdk(self) -> AsyncOpenAI:
        """The SDK's client, made on first use: importing openai takes a second."""
        if self._sdk is None:
            import httpx2
            import openai

            class Client(httpx2.AsyncClient):
                """A client whose replies have a bounded size."""

                async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
                    reply: httpx2.Response = await bounded.send(httpx2, super().send, request, **options)
                    return reply

            limits = httpx2.Limits(max_connections=self.concurrency, max_keepalive_connections=self.concurrency)
            timeout = httpx2.Timeout(self.options.timeout_s, connect=min(_CONNECT_S, self.options.timeout_s))
            self._sdk = openai.AsyncOpenAI(
                base_url=self.address,
                api_key=self._key or "no-key",
                max_retries=0,
                timeout=timeout,
                default_headers={"accept-encoding": bounded.ACCEPTED},
                http_client=made(lambda: Client(limits=limits, timeout=timeout)),
            )
        return self._sdk

    def _flow(self) -> RateLimiter:
        return flow_for(self._server, self.address, self._key, self.concurrency, self.options)


def key_for(server: Server, address: str, options: ProviderOptions) -> str | None:
    """The API key; raises RunError when the server's own address needs one and there is none."""
    if not options.need_key:
        return None
    key = find_key(server.key_env, options.key_command)
    if key is not None and address.startswith("http:") and not is_local(address) and not options.insecure_http:
        raise RunError(
            f"{server.name} at {server.address_class(address)} is asked over plain http, where everybody on the way "
            "can read the API key; use an https:// address, leave the key unset, or allow it with --insecure-http",
            code="setup",
        )
    if key is None and server.key == "required" and not is_local(address) and options.base_url is None:
        names = " or ".join(server.key_env)
        raise RunError(f"{server.name} needs an API key: set {names} or give --key-command", code="key")
    return key


def breaker_for(spec: str, address: str, options: ProviderOptions) -> CircuitBreaker:
    """A circuit breaker that is less patient with a server on this machine: it does not come back by itself."""
    usual = _LOCAL_PATIENCE_S if is_local(address) else _REMOTE_PATIENCE_S
    patience_s = usual if options.patience_s is None else options.patience_s
    return CircuitBreaker(
        spec,
        patience_s,
        slow_patience_s=_TIMEOUTS_OF_PATIENCE * options.timeout_s,
        # A gateway on this machine passes on the limits of somebody far away.
        busy_patience_s=_REMOTE_PATIENCE_S if options.patience_s is None else options.patience_s,
    )


def flow_for(server: Server, address: str, key: str | None, cap: int, options: ProviderOptions) -> RateLimiter:
    """The flow shared by all models behind this address and key."""
    digest = hashlib.blake2b((key or "").encode(), digest_size=8).hexdigest()
    return shared_flow(f"{server.name} {address} {digest}", cap, rpm=options.rpm, tpm=options.tpm)


def estimated_tokens(request: Request) -> float:
    """A rough count for the token pace, corrected by each reply: four bytes of UTF-8 to a token."""
    return math.ceil(sum(len(m.content.encode()) for m in request.messages) / 4) + 8


def connection_error(where: Where, cause: BaseException | None) -> ProviderError:
    """A connection that could not be made, or broke before the reply was complete."""
    if isinstance(cause, ProviderError):  # told by our own client, inside the library's
        return cause
    name = type(cause).__name__ if cause is not None else "connection error"
    words = quoted(str(cause)) if cause is not None and str(cause) else name
    if name in ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"):
        return RetryableError(f"no connection to {where.server} at {where.address}: {words}", code=NOT_CONNECTED)
    error = RetryableError(f"the connection to {where.server} broke: {words}", code="connection")
    error.sent = True
    return error


def unanswered(server: str) -> RetryableError:
    """A request that was sent and got no reply in time: the model may have answered it, and bill it."""
    error = RetryableError(f"{server} did not answer in time", code=TIMEOUT)
    error.sent = True
    return error
