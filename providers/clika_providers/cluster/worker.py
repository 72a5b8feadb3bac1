"""What runs in a Ray actor: one provider, asked by post and answering in batches.

A question is posted and its reply collected by separate calls, so that a call never waits for a whole block of
questions, and a hundred replies cost one message. What an actor has not handed over is lost with it, and asked again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from clika_providers.cluster.flow import RemoteFlow
from clika_providers.errors import ProviderError, RunError
from clika_providers.hosted.adapter import Adapter
from clika_providers.options import ProviderOptions
from clika_providers.provider import Provider
from clika_providers.registry import connect
from clika_providers.traffic.http_errors import quoted
from clika_providers.traffic.retry import TransportReply
from clika_providers.types import AskMode, Completion, Json, Request

What = Literal["complete", "attempt"]
"""A whole answer, or one try of it at a server: retries, pace and money are then the driver's."""
Outcome: TypeAlias = "TransportReply | ProviderError | TimeoutError"
_GATHER_S = 0.02
"""How long a batch is gathered once its first reply is there."""
_OF_USE = ("ratelimit", "retry-after")
"""Parts of the names of headers that a limiter reads."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an actor says of the model it holds and of the machine it runs on."""

    identity: Mapping[str, Json]
    concurrency: int
    usual_ask: AskMode
    node: str
    """The machine, as Ray names it."""
    address: str
    pid: int

    @property
    def place(self) -> str:
        """The machine in a few characters; several may share an address."""
        return f"{self.address} {self.node[:6]}"


class Worker:
    """One provider in one actor."""

    def __init__(self) -> None:
        self._provider: Provider | None = None
        self._timeout_s = 60.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: list[tuple[int, Outcome]] = []
        self._news = asyncio.Event()

    async def open(self, spec: str, options: ProviderOptions, flow: RemoteFlow | None) -> Facts | ProviderError:
        """Set the model up, as on one machine; nothing is loaded yet. A failure comes back as a value."""
        import ray

        try:
            # In a thread: naming the weights reads the whole file.
            provider = await asyncio.to_thread(connect, spec, options)
        except ProviderError as error:
            return error
        if isinstance(provider, Adapter) and flow is not None:
            provider.share(flow.line)
        self._provider, self._timeout_s = provider, options.timeout_s
        node, address = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
        return Facts(dict(provider.identity), provider.concurrency, provider.usual_ask, node, address, os.getpid())

    async def post(self, jobs: Sequence[tuple[int, What, Request]]) -> None:
        """Begin to answer some numbered questions."""
        for number, what, request in jobs:
            task = asyncio.create_task(self._answer(number, what, request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def collect(self) -> list[tuple[int, Outcome]]:
        """The outcomes since the last call, at least one."""
        await self._news.wait()
        await asyncio.sleep(_GATHER_S)
        self._news.clear()
        done, self._done = self._done, []
        return done

    async def notes(self) -> list[str]:
        """What the user should know about how the model was asked."""
        return list(self._provider.notes) if self._provider else []

    async def _answer(self, number: int, what: What, request: Request) -> None:
        outcome: Outcome
        try:
            outcome = await self._outcome(what, request)
        except (ProviderError, TimeoutError) as error:
            outcome = error
        except Exception as error:
            outcome = RunError(f"the worker failed: {type(error).__name__}: {quoted(str(error))}")
        if isinstance(outcome, ProviderError):
            outcome.headers = _limits(outcome.headers)
        self._done.append((number, outcome))
        self._news.set()

    async def _outcome(self, what: What, request: Request) -> TransportReply:
        provider = self._provider
        if provider is None:
            raise RunError("the worker holds no model")
        if what == "attempt" and isinstance(provider, Adapter):
            async with asyncio.timeout(self._timeout_s):
                reply = await provider.attempt(request)
            return replace(reply, headers=_limits(reply.headers))
        completion: Completion = await provider.complete(request)
        return TransportReply(completion, {})


def _limits(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are worth sending on, in lower case as they are looked for."""
    return {name.lower(): value for name, value in headers.items() if any(part in name.lower() for part in _OF_USE)}
