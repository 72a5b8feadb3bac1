"""One limiter for all machines: an actor that holds it, and what asks that actor for permission.

Two runs on one cluster that use the same server and key share it too. Slots of those who died are given back after
the longest time that a call can take.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from weakref import WeakKeyDictionary

from clika_providers.errors import RunError
from clika_providers.traffic.limiter import RateLimiter, Ticket

NAMESPACE = "clika"
Word: TypeAlias = "tuple[int, Literal['good', 'refused', 'leave', 'again'], Mapping[str, str], float | None]"
"""(number of the slot, what became of it, rate-limit headers, tokens used or seconds to wait)"""


class Limiter:
    """The actor: a RateLimiter whose slots are asked for by number."""

    def __init__(self, cap: int, rpm: float | None, tpm: float | None, hold_s: float) -> None:
        self._limiter = RateLimiter(cap, rpm=rpm, tpm=tpm)
        self._hold_s = hold_s
        self._held: dict[tuple[str, int], tuple[AsyncExitStack, Ticket]] = {}
        self._granted: dict[str, list[int]] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def raise_cap(self, cap: int) -> None:
        """Another run may have more in flight; the first one's pace holds."""
        self._limiter.cap = max(self._limiter.cap, cap)

    async def tell(self, client: str, asked: Sequence[tuple[int, float]], said: Sequence[Word]) -> None:
        """What a client wants to start, as (number, tokens), and what became of what it started before."""
        for word in said:
            await self._hear(client, word)
        for number, tokens in asked:
            task = asyncio.create_task(self._enter(client, number, tokens))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def granted(self, client: str) -> list[int]:
        """The numbers that may start now, at least one."""
        news = self._news.setdefault(client, asyncio.Event())
        await news.wait()
        news.clear()
        return self._granted.pop(client, [])

    async def most_in_flight(self) -> tuple[int, int]:
        """(slots taken now, the cap)."""
        return self._limiter.in_flight, self._limiter.cap

    async def _enter(self, client: str, number: int, tokens: float) -> None:
        stack = AsyncExitStack()
        ticket = await stack.enter_async_context(self._limiter.slot(tokens))
        self._held[client, number] = stack, ticket
        asyncio.get_running_loop().call_later(self._hold_s, self._expire, client, number)
        self._granted.setdefault(client, []).append(number)
        self._news.setdefault(client, asyncio.Event()).set()

    async def _hear(self, client: str, word: Word) -> None:
        number, what, headers, amount = word
        if what == "again":
            self._limiter.start_again()
            return
        held = self._held.get((client, number))
        if held is None:
            return  # given back for its age, or granted by a limiter that is no more
        stack, ticket = held
        if what == "good":
            self._limiter.succeeded(ticket, headers, None if amount is None else int(amount))
        elif what == "refused":
            self._limiter.refused_by_server(ticket, amount, headers)
        else:
            del self._held[client, number]
            await stack.aclose()

    def _expire(self, client: str, number: int) -> None:
        held = self._held.pop((client, number), None)
        if held is not None:
            task = asyncio.create_task(held[0].aclose())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


@dataclass(frozen=True, slots=True)
class RemoteFlow:
    """Where the limiter of one server and key is found; sent to every actor that asks that server."""

    name: str
    cap: int
    rpm: float | None
    tpm: float | None
    hold_s: float

    def line(self) -> Line:
        """The line of this event loop to the limiter."""
        lines = _lines.setdefault(asyncio.get_running_loop(), {})
        found = lines.get(self.name)
        if found is None:
            found = lines[self.name] = Line(self)
        return found

    def actor(self) -> Any:
        """The limiter's handle; it is made by whoever comes first."""
        import ray

        remote = ray.remote(Limiter).options(
            name=self.name, namespace=NAMESPACE, get_if_exists=True, num_cpus=0, max_concurrency=10_000
        )
        return remote.remote(self.cap, self.rpm, self.tpm, self.hold_s)


_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Line]] = WeakKeyDictionary()


def flow_name(flow: str) -> str:
    """An actor's name that tells neither address nor key."""
    return f"clika-limiter-{hashlib.blake2b(flow.encode(), digest_size=12).hexdigest()}"


class Line:
    """One event loop's line to the limiter; it has the methods of a RateLimiter that a caller needs."""

    def __init__(self, flow: RemoteFlow) -> None:
        self._flow = flow
        self._client = secrets.token_hex(6)
        self._actor: Any = None
        self._waiting: dict[int, tuple[float, asyncio.Future[None]]] = {}
        self._asked: list[tuple[int, float]] = []
        self._said: list[Word] = []
        self._number = 0
        self._listening: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def slot(self, tokens: float = 0.0) -> AsyncIterator[Any]:
        """As RateLimiter.slot."""
        self._number += 1
        ticket = Ticket(self._number, tokens)  # the limiter knows the era, we the number
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[ticket.era] = tokens, turn
        self._asked.append((ticket.era, tokens))
        self._tell()
        try:
            await turn
            yield ticket
        finally:
            self._waiting.pop(ticket.era, None)
            self._say(ticket, "leave", {}, None)

    def succeeded(self, ticket: Ticket, headers: Mapping[str, str], tokens: int | None) -> None:
        """As RateLimiter.succeeded."""
        self._say(ticket, "good", headers, tokens)

    def refused_by_server(self, ticket: Ticket, retry_after: float | None, headers: Mapping[str, str]) -> None:
        """As RateLimiter.refused_by_server."""
        self._say(ticket, "refused", headers, retry_after)

    def start_again(self) -> None:
        """As RateLimiter.start_again."""
        self._say(Ticket(0, 0.0), "again", {}, None)

    def _say(
        self, ticket: Ticket, what: Literal["good", "refused", "leave", "again"], headers: Mapping[str, str],
        amount: float | None,
    ) -> None:  # fmt: skip
        self._said.append((ticket.era, what, dict(headers), amount))
        self._tell()

    def _tell(self) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell_all())

    async def _tell_all(self) -> None:
        import ray

        while self._asked or self._said:
            await asyncio.sleep(0)  # what the others of this turn of the loop have to say goes with it
            asked, self._asked = self._asked, []
            said, self._said = self._said, []
            try:
                if self._actor is None:
                    self._actor = await asyncio.to_thread(self._flow.actor)
                    await self._actor.raise_cap.remote(self._flow.cap)
                if self._listening is None or self._listening.done():
                    self._listening = asyncio.ensure_future(self._listen(self._actor))
                await self._actor.tell.remote(self._client, asked, said)
            except ray.exceptions.RayTaskError as error:
                self._fail(error)
            except ray.exceptions.RayError:
                await self._lost()

    async def _listen(self, actor: Any) -> None:
        import ray

        try:
            while True:
                for number in await actor.granted.remote(self._client):
                    _, turn = self._waiting.pop(number, (0.0, None))
                    if turn is None:
                        self._say(Ticket(number, 0.0), "leave", {}, None)
                    elif not turn.done():
                        turn.set_result(None)
        except ray.exceptions.RayError:
            if actor is self._actor:
                await self._lost()
                self._tell()

    def _fail(self, error: Exception) -> None:
        """A defect of the limiter, which waiting would not mend."""
        waiting, self._waiting = self._waiting, {}
        for _, turn in waiting.values():
            if not turn.done():
                turn.set_exception(RunError(f"the cluster's limiter failed: {error}"))

    async def _lost(self) -> None:
        """The limiter went with its machine: make another, and ask again for what was not granted."""
        self._actor, self._listening = None, None
        self._client = secrets.token_hex(6)
        self._said.clear()
        self._asked = [(number, tokens) for number, (tokens, turn) in self._waiting.items() if not turn.done()]
        await asyncio.sleep(0.2)
