"""How many requests may be in flight, and how soon the next may start, for one server and key.

Four brakes, the strictest of which holds:
- slots: additive increase, multiplicative decrease (AIMD), never above the cap;
- the gate: nothing starts before the moment a Retry-After named, whoever received it;
- pacing by the server's rate-limit headers, once little of the allowance remains;
- the user's own caps, and a pace learnt from refusals where no header tells one.

A slot is held during a call, never during the sleep before the next attempt. Waiting costs one future per waiter.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from clika_providers.traffic.learnt_pace import Clock, LearntPace
from clika_providers.traffic.limit_headers import Allowance, read_allowances
from clika_providers.traffic.pacing import Pacer

_SLOWEST_TOLD = 1 / 60
"""A second: what headers may slow us to, which are told and no guess."""
_OF_THE_REFILL = 0.95
"""At which an allowance that runs low is used: the rest is for what others with the same key take meanwhile."""
_LOW, _LOW_AT_MOST = 0.1, 0.5
"""Shares of an allowance: more than the second is plenty, however many are in flight; less than the first never is."""
_ROOM_PER_SLOT = 2.0
"""Replies overtake each other, and what starts meanwhile is not counted yet: room for every slot twice."""
_WEIGHT_OF_ONE = 0.1
"""Of the newest reply in the mean of tokens a call: some ten decide, so that one long thought does not slow all."""


@dataclass(slots=True)
class Ticket:
    """One start: which era it belongs to (outcomes of older eras say nothing about the present pace)."""

    era: int
    tokens: float


class Slot:
    """`async with limiter.slot()`, made by hand: a generator's frame is a fiftieth of our own cost of a question."""

    __slots__ = ("_limiter", "_tokens")

    def __init__(self, limiter: RateLimiter, tokens: float) -> None:
        self._limiter, self._tokens = limiter, tokens

    async def __aenter__(self) -> Ticket:
        return await self._limiter.enter(self._tokens)

    async def __aexit__(self, *_: object) -> None:
        self._limiter.leave()


class RateLimiter:
    """Shared by every model behind one server and key; lives in one event loop.

    `clock` gives seconds; it runs as the loop's own does, by which waiting is timed.
    """

    def __init__(
        self, cap: int, *, rpm: float | None = None, tpm: float | None = None, clock: Clock = time.monotonic
    ) -> None:
        self._clock = clock
        self.cap = max(1, cap)
        self.learnt = LearntPace(self.cap, clock)
        self.in_flight = 0
        self.refused = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.Handle | None = None
        self._wakes_at = 0.0
        """When the timer goes off, by the loop's clock; uvloop's handle of a short wait does not tell."""
        self._not_before = 0.0
        self._user = (Pacer(rpm / 60 if rpm else None), Pacer(tpm / 60 if tpm else None))
        self._header = Pacer()
        self._tokens_each = 0.0

    @property
    def slots(self) -> float:
        """How many requests may be in flight now."""
        return self.learnt.slots

    def slot(self, tokens: float = 0.0) -> Slot:
        """Wait for permission to start, then hold a slot. `tokens` is an estimate for the token pace."""
        return Slot(self, tokens)

    async def enter(self, tokens: float) -> Ticket:
        """Wait for permission to start; what `slot` does first."""
        await self._enter()
        self._take(tokens)
        return Ticket(self.learnt.era, tokens)

    def leave(self) -> None:
        """Give a slot back; what `slot` does at its end."""
        self.in_flight -= 1
        self._pump()

    def succeeded(self, ticket: Ticket, headers: Mapping[str, str], tokens: int | None) -> None:
        """A reply arrived; `tokens` is what it really used, if the server said."""
        if tokens:
            self._tokens_each += (tokens - self._tokens_each) * (_WEIGHT_OF_ONE if self._tokens_each else 1.0)
            self._user[1].adjust(tokens - ticket.tokens)
        self._pace_by(headers)
        self.learnt.passed(ticket.era, self.cap)

    def refused_by_server(self, ticket: Ticket, retry_after: float | None, headers: Mapping[str, str]) -> None:
        """The server was asked too much (429, 529, 503 with a wait); `retry_after` in seconds, if it said."""
        self.refused += 1
        self._pace_by(headers)
        self.learnt.refused(ticket.era)
        if retry_after and not self.learnt.is_noise():
            self._close_gate(retry_after)

    def start_again(self) -> None:
        """Forget what refusals taught: they were part of an outage that is over."""
        self.learnt.start_again(self.cap)

    async def _enter(self) -> None:
        if not self._waiting and self.in_flight < int(self.learnt.slots) and self._ready_at() <= self._clock():
            self.in_flight += 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        self._pump()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # the slot was given at the moment of cancelling
                self.in_flight -= 1
                self._pump()
            raise

    def _take(self, tokens: float) -> None:
        now = self._clock()
        for pacer in (self._user[0], self._header, self.learnt.pace):
            pacer.take(now)
        self._user[1].take(now, tokens)

    def _ready_at(self) -> float:
        return max(
            self._not_before, self._header.ready_at(), self.learnt.pace.ready_at(), *(p.ready_at() for p in self._user)
        )

    def _pump(self) -> None:
        """Let one waiter in if it may start now; it accounts for itself, then pumps for the next."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if not self._waiting or self.in_flight >= max(1, int(self.learnt.slots)):
            return
        wait = self._ready_at() - self._clock()
        if wait > 0:
            self._wake_in(wait)
            return
        self.in_flight += 1
        self._waiting.popleft().set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._pump)

    def _wake_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._timer is not None:
            if self._wakes_at <= at:
                return  # it will look again, and set a new timer if it is still too early
            self._timer.cancel()
        self._wakes_at = at
        self._timer = loop.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._pump()

    def _close_gate(self, seconds: float) -> None:
        now = self._clock()
        longer = now + seconds - max(self._not_before, now)
        if longer > 0:
            self._not_before = now + seconds
            self.learnt.gate_closed(longer)

    def _pace_by(self, headers: Mapping[str, str]) -> None:
        rates = [self._rate_of(a) for a in read_allowances(headers)]
        known = [r for r in rates if r is not None]
        if rates:
            self._header.rate = min(known) if known else None

    def _rate_of(self, allowance: Allowance) -> float | None:
        """Requests per second at which this allowance neither runs out nor is wasted; None while plenty is left."""
        each = 1.0 if allowance.unit == "requests" else max(1.0, self._tokens_each)
        in_flight = _ROOM_PER_SLOT * each * self.learnt.slots
        enough = max(_LOW * allowance.limit, min(in_flight, _LOW_AT_MOST * allowance.limit))
        if allowance.remaining > enough or allowance.refill_per_s is None:
            return None
        return max(_OF_THE_REFILL * allowance.refill_per_s / each, _SLOWEST_TOLD)


_flows: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, RateLimiter]] = WeakKeyDictionary()


def shared_flow(name: str, cap: int, *, rpm: float | None = None, tpm: float | None = None) -> RateLimiter:
    """The flow of this loop for a server and key; the first user's caps hold, later ones may only raise the cap."""
    flows = _flows.setdefault(asyncio.get_running_loop(), {})
    flow = flows.get(name)
    if flow is None:
        flow = flows[name] = RateLimiter(cap, rpm=rpm, tpm=tpm)
    flow.cap = max(flow.cap, cap)
    return flow
