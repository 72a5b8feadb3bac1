"""Models of a cluster behind the same door as every other: a Provider whose work is done by actors.

The driver keeps the name, the identity and the keys, so a row is the same wherever it was asked. Of a hosted model it
also keeps retries, circuit and money: an actor makes one try at a time, paced by the one limiter of the cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from clika_providers.cluster.flow import RemoteFlow
from clika_providers.cluster.pool import Pool
from clika_providers.cluster.worker import Facts
from clika_providers.hosted.adapter import Adapter, estimated_tokens
from clika_providers.provider import BaseProvider
from clika_providers.traffic.retry import Caller, TransportReply
from clika_providers.types import AskMode, Completion, Json, Request

_ON_THE_WAY_S = 15.0
"""What a try may take beyond its own time limit, which its actor keeps."""


class Home(Protocol):
    """The session, as its models see it."""

    async def in_session(self, work: Callable[[], object]) -> None:
        """Do something in the session's loop."""
        ...

    async def notes_of(self, pool: Pool) -> list[str]:
        """What a pool's actors have to say."""
        ...

    async def finish(self, pool: Pool) -> None:
        """End a model's actors."""
        ...


class RayModel(BaseProvider):
    """A model that each actor holds whole: a GGUF file, or whatever a plug-in brings."""

    def __init__(
        self, spec: str, pool: Pool, facts: Facts, home: Home, *, runs_here: bool, has_server: bool = False
    ) -> None:
        self.spec = spec
        self._pool, self._facts, self._home = pool, facts, home
        self._runs_here, self._has_server = runs_here, has_server

    @property
    def runs_here(self) -> bool:
        """Local models take turns, as on one machine: the memory of one is there for the next."""
        return self._runs_here

    @property
    def has_server(self) -> bool:
        """As on one machine."""
        return self._has_server

    @property
    def identity(self) -> Mapping[str, Json]:
        """As its actors tell it, who all tell the same."""
        return self._facts.identity

    @property
    def usual_ask(self) -> AskMode:
        """How the model is asked unless told otherwise."""
        return self._facts.usual_ask

    @property
    def concurrency(self) -> int:
        """Enough that no actor ever waits for a question."""
        return self._pool.shape.actors * self._pool.capacity

    async def complete(self, request: Request) -> Completion:
        """Answer one request; raises ProviderError."""
        return (await self._pool.submit("complete", request)).completion

    async def release(self) -> None:
        """Let another model have the actors' room when it needs it."""
        await self._home.in_session(lambda: setattr(self._pool, "idle", True))

    async def aclose(self) -> None:
        """End the actors."""
        await self._home.finish(self._pool)


class RayHosted(BaseProvider):
    """A hosted model whose exchanges are made by actors on several machines."""

    def __init__(self, adapter: Adapter, pool: Pool, flow: RemoteFlow, home: Home) -> None:
        self.adapter, self._pool, self._home = adapter, pool, home
        options = replace(adapter.options, timeout_s=adapter.options.timeout_s + _ON_THE_WAY_S)
        self._caller = Caller(flow.line, adapter.caller.breaker, options)
        self._heard: list[str] = []

    @property
    def spec(self) -> str:
        """`server/model`."""
        return self.adapter.spec

    @property
    def identity(self) -> Mapping[str, Json]:
        """As on one machine."""
        return self.adapter.identity

    @property
    def concurrency(self) -> int:
        """Requests in flight at most, of all machines together."""
        return self.adapter.concurrency

    @property
    def tells_likelihood(self) -> bool:
        """As on one machine."""
        return self.adapter.tells_likelihood

    async def likelihood_form(self) -> str:
        """As the server tells the driver."""
        return await self.adapter.likelihood_form()

    def most_output(self, request: Request) -> int:
        """As on one machine."""
        return self.adapter.most_output(request)

    def drain(self) -> None:
        """Start no more calls; those that are with the server go on."""
        self._caller.drain()

    @property
    def notes(self) -> list[str]:
        """What the user should know about how this model was asked."""
        return list(dict.fromkeys([*self.adapter.notes, *self._heard]))

    async def complete(self, request: Request) -> Completion:
        """Answer one request; raises ProviderError."""
        if request.mode == "likelihood":  # several exchanges: its actor makes them all, through the same limiter
            return (await self._pool.submit("complete", request)).completion

        async def attempt() -> TransportReply:
            return await self._pool.submit("attempt", request)

        return await self._caller.call(attempt, estimated_tokens(request))

    async def release(self) -> None:
        """Hear what the actors learnt about the model; they stay, for they hold nothing that others need."""
        self._heard = await self._home.notes_of(self._pool)

    async def aclose(self) -> None:
        """End the actors."""
        await asyncio.gather(self.adapter.aclose(), self._home.finish(self._pool))
