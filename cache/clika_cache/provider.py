"""A provider that asks another only once: the cache as a wrapper with the same one method."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property

from clika_cache import completions
from clika_cache.claims import Taken
from clika_cache.completions import StoredAttempt
from clika_cache.database import Database
from clika_cache.keys import KeyMaker, canonical, prompt_text
from clika_cache.writer import Writer
from clika_providers import AskMode, Completion, Json, Provider, ProviderError, Request, Usage
from clika_providers.traffic.retry import before_retry

_ROOM_S = 0.05
CostOf = Callable[[Usage], "float | None"]


class CachedProvider:
    """Serves stored completions, asks `provider` for the others, and stores what arrives.

    `refresh` asks again and replaces. Two requests with the same key in flight share one call. Nothing is written
    before the first reply arrives.
    """

    def __init__(
        self,
        provider: Provider,
        database: Database,
        writer: Writer,
        *,
        refresh: bool = False,
        cost_of: CostOf | None = None,
    ) -> None:
        self.provider = provider
        self.refresh = refresh
        self._database = database
        self._writer = writer
        self.cost_of: CostOf = cost_of or (lambda _: None)
        self._keys = KeyMaker(provider.identity)
        self._in_flight: dict[bytes, asyncio.Future[Completion]] = {}

    @property
    def spec(self) -> str:
        """The wrapped model's name."""
        return self.provider.spec

    @property
    def identity(self) -> Mapping[str, Json]:
        """The wrapped model's identity."""
        return self.provider.identity

    @cached_property
    def model_id(self) -> int:
        """The model's row number, made when new."""
        return completions.model_id(self._database, self.spec, canonical(dict(self.identity)))

    @property
    def runs_here(self) -> bool:
        """Whether the model computes in this process, so that models take turns."""
        return self.provider.runs_here

    @property
    def has_server(self) -> bool:
        """Whether the model is asked at an address."""
        return self.provider.has_server

    @property
    def usual_ask(self) -> AskMode:
        """How the model is asked unless told otherwise."""
        return self.provider.usual_ask

    @property
    def tells_likelihood(self) -> bool:
        """Whether the model may tell how likely a text is that it did not write."""
        return self.provider.tells_likelihood

    async def likelihood_form(self) -> str:
        """In which form the likelihood of options is told; raises RunError where it is not."""
        return await self.provider.likelihood_form()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about how this model was asked."""
        return tuple(self.provider.notes)

    def last_served(self) -> str | None:
        """What the latest stored reply says which model it came from."""
        return completions.last_served(self._database, canonical(dict(self.identity)))

    @property
    def concurrency(self) -> int:
        """The wrapped model's useful number of requests in flight."""
        return self.provider.concurrency

    async def prepare(self) -> None:
        """Find out what only the model's servers can tell, before anything is asked; raises RunError."""
        await self.provider.prepare()

    async def release(self) -> None:
        """Give the memory of a model in this process back until it is asked again."""
        await self.provider.release()

    async def aclose(self) -> None:
        """Close the wrapped provider; the writer belongs to the caller."""
        await self.provider.aclose()

    def drain(self) -> None:
        """Start no more calls, where the wrapped provider can tell those that wait from those under way."""
        self.provider.drain()

    def cost(self, reply: Completion | ProviderError) -> float | None:
        """US dollars that a completion, or a reply of no use, cost; None when no price or no count is known."""
        return self.cost_of(reply.usage)

    def most_output(self, request: Request) -> int:
        """Tokens a reply can be billed for at most; a provider may send a higher cap than it was asked for."""
        return self.provider.most_output(request)

    def key(self, request: Request) -> bytes:
        """The content key of a request to this model."""
        return self._keys.key(request)

    def present(self, keys: Sequence[bytes]) -> set[bytes]:
        """Which keys need no call; empty when refreshing."""
        if self.refresh:
            return set()
        return {key for key in keys if self._writer.held(key)} | completions.present(self._database, keys)

    async def take(self, keys: Sequence[bytes]) -> Taken:
        """Claim questions before they are asked, so that no other process on this file asks them too.

        When refreshing everything is asked here.
        """
        if self.refresh:
            return Taken(frozenset(keys), frozenset())
        # In a thread: the file may be locked, and replies must be read meanwhile.
        return await asyncio.to_thread(self._writer.claims.take, keys)

    async def give_up(self, keys: Sequence[bytes]) -> None:
        """Leave claimed questions to other processes."""
        await asyncio.to_thread(self._writer.claims.give_up, keys)

    async def complete(self, request: Request) -> Completion:
        """The stored completion, or a fresh one that is stored at once; raises ProviderError."""
        key = self.key(request)
        if not self.refresh and key not in self._in_flight and self._writer.held(key) is None:
            stored = completions.lookup(self._database, [key])
            if stored:
                return stored[key]
        return await self.ask(key, request)

    async def ask(self, key: bytes, request: Request) -> Completion:
        """Call the model without looking in the file first; one call per key until its reply is in the file."""
        running = self._in_flight.get(key)
        if running is not None:
            return await asyncio.shield(running)
        held = None if self.refresh else self._writer.held(key)
        if held is not None:
            return held.completion
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._in_flight[key] = future
        hook = before_retry.set(self._watching(key))
        try:
            await self._room()
            completion = await self.provider.complete(request)
            self._store(key, request, completion)
        except BaseException as error:
            if isinstance(error, ProviderError):
                self._store_failure(key, error)
            if isinstance(error, Exception):
                future.set_exception(error)
                future.exception()  # marked as seen: usually nobody else waits for it
            else:
                future.cancel()
            raise
        else:
            future.set_result(completion)
            return completion
        finally:
            before_retry.reset(hook)
            del self._in_flight[key]

    async def _room(self) -> None:
        """Wait until what arrived is on disk, or nearly: replies that cannot be kept are not asked for."""
        self._writer.check()
        while self._writer.behind:
            await asyncio.sleep(_ROOM_S)
            self._writer.check()

    def _watching(self, key: bytes) -> Callable[[ProviderError], Awaitable[None]]:
        """Keeps what failed attempts were billed, and asks whoever was to be asked before another."""
        outer = before_retry.get()

        async def failed(error: ProviderError) -> None:
            if error.billed:
                self._store_failure(key, error)
            if outer is not None:
                await outer(error)

        return failed

    def _store_failure(self, key: bytes, error: ProviderError) -> None:
        cost = self.cost_of(error.usage)
        self._writer.put(
            StoredAttempt(key, self.model_id, error.kind, str(error), error.status, None, error.usage, cost)
        )

    def _store(self, key: bytes, request: Request, completion: Completion) -> None:
        text, cost = prompt_text(request.messages), self.cost_of(completion.usage)
        entry = completions.entry_for(key, self.model_id, text, completion, cost, replace=self.refresh)
        self._writer.put(entry)
