"""Every OpenAI-shaped server: chat completions, read as text or as label probabilities."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from clika_providers.errors import RetryableError, RunError
from clika_providers.hosted.adapter import Adapter, Carrier, Exchanged
from clika_providers.hosted.by_aiohttp import ByAiohttp, reaches
from clika_providers.hosted.by_sdk import BySdk
from clika_providers.hosted.chat_body import chat_body
from clika_providers.hosted.chat_reply import broken, parse_body, read_chat, read_usage, reading, usage_of
from clika_providers.hosted.continuation_scorer import ContinuationScorer
from clika_providers.hosted.continuations import ServedModel
from clika_providers.hosted.servers import Server
from clika_providers.options import ProviderOptions
from clika_providers.traffic.http_errors import classify, read_failure
from clika_providers.traffic.retry import TransportReply
from clika_providers.types import Completion, Json, Request

if TYPE_CHECKING:
    from openai import AsyncOpenAI

ADAPTER_VERSION = 1
"""Raised when the body this adapter sends for a Request, or the way it reads a reply, changes an answer."""
T = TypeVar("T", ByAiohttp, BySdk)


class OpenAIChat(Adapter):
    """One model behind a chat-completions endpoint."""

    models_path = "/models"
    adapter_version = ADAPTER_VERSION

    def __init__(self, server: Server, model: str, options: ProviderOptions) -> None:
        super().__init__(server, model, options, server.address(options.base_url))
        self._by_sdk = self._carried_by(BySdk)
        self._carrier: Carrier | None = None
        self._gave_logprobs = False
        root = self.address.removesuffix("/v1")
        self._continuations = ContinuationScorer(
            self.spec, ServedModel(self.post, root, model), ServedModel(self._patient, root, model)
        )

    async def complete(self, request: Request) -> Completion:
        """Answer one request; see Provider.complete."""
        if request.mode == "likelihood":
            return await self._scored(request)
        return await super().complete(request)

    @property
    def tells_likelihood(self) -> bool:
        """Some servers do; it is found out by asking."""
        return True

    async def likelihood_form(self) -> str:
        """By which of its forms the server tells how likely a text is; raises RunError where it tells it in none.

        A vendor that serves chats alone is not asked.
        """
        if not self._server.likelihood and self._server.base_url == self.address:
            raise RunError(
                f"{self.spec} is asked through a chat API, which gives no probabilities of texts it did not write: run "
                "it in this process (gguf/FILE) or in vLLM, SGLang or llama-server for --ask likelihood, or use "
                "--ask text",
                code="likelihood",
            )
        return await self._continuations.form()

    async def aclose(self) -> None:
        """Close the connections."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            await carrier.aclose()
        await self._by_sdk.aclose()

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

    def read(self, body: bytes, request: Request, *, latency_s: float | None = None) -> Completion:
        """The Completion in a 200 reply's body; raises ProviderError."""
        completion = read_chat(body, request, self.where, latency_s)
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

    async def _attempt(self, request: Request) -> TransportReply:
        """One try; a rejected field is dropped and the request sent again at once, which is no retry."""
        while True:
            body = self.body(request)
            started = time.monotonic()
            status, content, headers = await self._exchange("POST", "/chat/completions", body)
            if status < 300:
                latency_s = time.monotonic() - started
                completion = reading(partial(self.read, latency_s=latency_s), content, request, usage_of)
                return TransportReply(completion, headers)
            failure = read_failure(content)
            if status in (400, 422) and self.lessons.learn(failure, body):
                continue
            error = classify(status, failure, headers, self.where)
            error.headers = headers
            raise error

    async def _scored(self, request: Request) -> Completion:
        """The likelihood of the options: several exchanges, one answer."""
        await self.likelihood_form()
        started = time.monotonic()
        completion = await self._continuations.complete(request)
        # No name of the model that answered: servers tell another one here than beside a chat, or none.
        return replace(completion, latency_s=time.monotonic() - started)

    async def _patient(self, path: str, body: dict[str, Json]) -> dict[str, Any] | list[Any]:
        """One exchange of several that make an answer, tried again, paced and limited as a question is."""
        found: dict[str, Any] | list[Any] = {}

        async def attempt() -> TransportReply:
            nonlocal found
            found = await self.post(path, body)
            return TransportReply(
                Completion("", usage=read_usage(found.get("usage") if isinstance(found, dict) else None)), {}
            )

        await self.caller.call(attempt, len(str(body)) / 4)
        return found

    async def get(self, path: str) -> dict[str, Any] | list[Any]:
        """The JSON of a GET (models, batches); raises ProviderError."""
        return self._json(*await self.in_time(self._exchange("GET", path)))

    async def post(self, path: str, body: dict[str, Json]) -> dict[str, Any] | list[Any]:
        """The JSON of a POST that is no chat (batches, likelihoods); raises ProviderError."""
        return self._json(*await self.in_time(self._exchange("POST", path, body)))

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
    ) -> Exchanged:
        """One exchange; connection troubles as RetryableError."""
        if self._carrier is None:
            self._carrier = self._carried_by(ByAiohttp) if reaches(self.address) else self._by_sdk
        return await self._carrier.exchange(method, path, body)

    def _carried_by(self, carrier: type[T]) -> T:
        return carrier(self.where, self.address, self._key, self.concurrency, self.options)

    def sdk(self) -> AsyncOpenAI:
        """The SDK's client, for what is more than an exchange: the files of batches."""
        return self._by_sdk.client()
