"""How many requests may be in flight, and how soon the next may start, for one server and key.

Four brakes, the strictest of which holds:
- slots: additive increase, multiplicative decrease (AIMD), never above the cap;
- the gate: nothing starts before the moment a Retry-After named, whoever received it;
- pacing by the server's rate-limit headers, once little of the allowance remains;
- the user's own caps, and a pace learnt from refusals where no header tells one.

Refusals are judged in windows, each opened by a refusal. A bad window slows the pace to 85 % of what got through, from
where it grows again, by 5 % a second, then 10 %, and so on. Should the share of refusals stay the same at the slower
pace, they are not about our rate: they are tolerated, and the pace restored.

A slot is held during a call, never during the sleep before the next attempt. Waiting costs one future per waiter.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakKeyDictionary

from clika_providers.traffic.limit_headers import Allowance, read_allowances
from clika_providers.traffic.pacing import Pacer

Clock: TypeAlias = Callable[[], float]

# The figures below decide how soon a limit is found and how many requests are refused meanwhile; tests/test_flow.py
# holds them to at most a tenth of refused requests on token buckets of 400 a second with large and small bursts.
_START_SLOTS = 16
"""In flight at first: few enough that a small server is not flooded before it could refuse; each reply adds one."""
_CUT = 0.8
"""Of the slots, after a bad window: gentler than TCP's half, because the pace below is cut too."""
_PACE_OF_SUCCESS = 0.85
"""Of the rate that got through: below it, so that the server's bucket fills again while we go on."""
_GROWTH = 1.05, 1.0
"""Factor, and the seconds without refusal that earn it; as each step grows faster, five find a limit twice as high."""
_QUICK_GROWTH = 1.25, 0.25
"""The same where the rate was guessed from a handful of replies and may be far too low."""
_FASTEST_GROWTH = 1.5
"""Growth speeds up by 5 points a step, to this: from one request a second to a hundred in 16."""
_MEASURED_AT_ALL, _MEASURED_WELL = 5, 20
"""Replies in a window from which its rate is a measurement at all, and one to trust (standard error 1 / sqrt(n))."""
_MOST_TOLERATED = 0.25
"""Share of refusals that may be the server's mood; where more are refused, asking slower is right in any case."""
_WINDOW_REFUSALS, _WINDOW_OUTCOMES, _WINDOW_S = 8, 20, 0.5
"""A window is judged by so many refusals, or by so many outcomes after so long: less would judge one burst."""
_WINDOW_TOO_OLD_S = 5.0
"""What happened in so long a time outside closed gates is no burst, and says nothing about the present pace."""
_CLEAN_OUTCOMES = 30
"""Replies in a row without refusal that end a bad stretch: at a refusal share of a tenth, 4 % of stretches are so long
by chance."""
_SLOWEST_LEARNT, _SLOWEST_TOLD = 1.0, 1 / 60
"""A second: what refusals may slow us to (they are a guess), and what headers may (they are told)."""
_PACE_WITHOUT_MEANING = 10_000.0
"""A second: more than one process can send, so the pace limits nothing and is forgotten."""


@dataclass(slots=True)
class Ticket:
    """One start: which era it belongs to (outcomes of older eras say nothing about the present pace)."""

    era: int
    tokens: float


@dataclass(slots=True)
class _Window:
    since: float
    outcomes: int = 0
    refusals: int = 0
    gated_s: float = 0.0


class Slot:
    """`async with limiter.slot()`, made by hand: a generator's frame is a fiftieth of our own cost of a question."""

    __slots__ = ("_limiter", "_tokens")

    def __init__(self, limiter: RateLimiter, tokens: float) -> None:
        self._limiter, self._tokens = limiter, tokens

    async def __aenter__(self) -> Ticket:
        return await self._limiter.enter(self._tokens)

    async def __aexit__(self, *_: object) -> None:
        self._limiter.leave()


class _Meter:
    """Successes per second over the last half second or so."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since, self._count, self._rate = clock(), 0, 0.0

    def add(self) -> None:
        self._count += 1
        elapsed = self._clock() - self._since
        if elapsed >= 0.5:
            self._rate = self._count / elapsed
            self._since, self._count = self._since + elapsed, 0

    def per_s(self) -> float:
        elapsed = self._clock() - self._since
        return self._rate if elapsed < 0.5 else self._count / elapsed


class RateLimiter:
    """Shared by every model behind one server and key; lives in one event loop.

    `clock` gives seconds; it runs as the loop's own does, by which waiting is timed.
    """

    def __init__(
        self, cap: int, *, rpm: float | None = None, tpm: float | None = None, clock: Clock = time.monotonic
    ) -> None:
        self._clock = clock
        self.cap = max(1, cap)
        self.slots: float = min(self.cap, _START_SLOTS)
        self.in_flight = 0
        self.refused = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._user = (Pacer(rpm / 60 if rpm else None), Pacer(tpm / 60 if tpm else None))
        self._header, self._learnt = Pacer(), Pacer()
        self._tokens_each = 0.0
        self._slow_start = True
        self._era = 0
        self._window: _Window | None = None
        self._tolerated = 0.0
        self._before_cut: float | None = None  # share of refusals at the last slowing, until a clean stretch
        self._growth = _GROWTH
        self._meter = _Meter(clock)
        self._changed_at = 0.0
        self._clean = 0

    def slot(self, tokens: float = 0.0) -> Slot:
        """Wait for permission to start, then hold a slot. `tokens` is an estimate for the token pace."""
        return Slot(self, tokens)

    async def enter(self, tokens: float) -> Ticket:
        """Wait for permission to start; what `slot` does first."""
        await self._enter()
        self._take(tokens)
        return Ticket(self._era, tokens)

    def leave(self) -> None:
        """Give a slot back; what `slot` does at its end."""
        self.in_flight -= 1
        self._pump()

    def succeeded(self, ticket: Ticket, headers: Mapping[str, str], tokens: int | None) -> None:
        """A reply arrived; `tokens` is what it really used, if the server said."""
        if tokens:
            self._tokens_each += (tokens - self._tokens_each) * (0.1 if self._tokens_each else 1.0)
            self._user[1].adjust(tokens - ticket.tokens)
        self._meter.add()
        self._pace_by(headers)
        self._grow()
        self._count(ticket, refused=False)

    def refused_by_server(self, ticket: Ticket, retry_after: float | None, headers: Mapping[str, str]) -> None:
        """The server was asked too much (429, 529, 503 with a wait); `retry_after` in seconds, if it said."""
        self.refused += 1
        self._slow_start = self._slow_start and self._tolerated > 0
        self._pace_by(headers)
        self._count(ticket, refused=True)
        if retry_after and not self._is_noise():
            self._close_gate(retry_after)

    def start_again(self) -> None:
        """Forget what refusals taught: they were part of an outage that is over."""
        self.slots = min(self.cap, max(self.slots, _START_SLOTS))
        self._slow_start = True
        self._window = self._before_cut = self._learnt.rate = None
        self._era += 1

    # -- starting ---------------------------------------------------------------------------------------------------

    async def _enter(self) -> None:
        if not self._waiting and self.in_flight < int(self.slots) and self._ready_at() <= self._clock():
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
        for pacer in (self._user[0], self._header, self._learnt):
            pacer.take(now)
        self._user[1].take(now, tokens)

    def _ready_at(self) -> float:
        return max(
            self._not_before, self._header.ready_at(), self._learnt.ready_at(), *(p.ready_at() for p in self._user)
        )

    def _pump(self) -> None:
        """Let one waiter in if it may start now; it accounts for itself, then pumps for the next."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if not self._waiting or self.in_flight >= max(1, int(self.slots)):
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
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return  # it will look again, and set a new timer if it is still too early
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._pump()

    # -- learning ---------------------------------------------------------------------------------------------------

    def _close_gate(self, seconds: float) -> None:
        now = self._clock()
        longer = now + seconds - max(self._not_before, now)
        if longer > 0:
            self._not_before = now + seconds
            if self._window is not None:
                self._window.gated_s += longer

    def _count(self, ticket: Ticket, *, refused: bool) -> None:
        if ticket.era != self._era:
            return
        now = self._clock()
        if self._window is None:
            if not refused:
                self._clean += 1
                return
            self._clean = 0
            self._window = _Window(now)
            return
        window = self._window
        window.outcomes += 1
        window.refusals += refused
        enough = _WINDOW_OUTCOMES * (2 if self._tolerated else 1)
        age = now - window.since
        if window.refusals >= _WINDOW_REFUSALS or (window.outcomes >= enough and age >= _WINDOW_S):
            self._window = None
            self._judge(window, age)
        elif age - window.gated_s >= _WINDOW_TOO_OLD_S:
            self._window = None  # too little happened to tell anything

    def _judge(self, window: _Window, seconds: float) -> None:
        share = window.refusals / window.outcomes
        if share <= 2 * self._tolerated or not share:
            return
        if self._before_cut is not None and share <= _MOST_TOLERATED and share > self._before_cut / 2:
            self._tolerated, self._slow_start = share, True
            self._learnt.rate = self._before_cut = None
        else:
            passed = window.outcomes - window.refusals
            # The server's allowance fills up while the gate is closed, so closed time counts for nothing at first. If
            # refusals go on, each opening lets only a few through, and those over the whole time are the rate.
            open_s = seconds - window.gated_s if self._before_cut is None else seconds
            rate = passed / max(open_s, 0.02)
            if passed < _MEASURED_AT_ALL:
                rate = max(rate, self._meter.per_s() / 2)
            self._learnt.rate = max(_SLOWEST_LEARNT, _PACE_OF_SUCCESS * rate)
            self._growth = _GROWTH if passed >= _MEASURED_WELL else _QUICK_GROWTH
            self._before_cut = share
            self.slots = max(1.0, self.slots * _CUT)
        self._changed_at = self._clock()
        self._clean = 0
        self._era += 1

    def _is_noise(self) -> bool:
        """Whether a refusal just now is one of those that come at any pace, and concern one request only."""
        if not self._tolerated:
            return False
        window = self._window
        return window is None or window.refusals <= max(3.0, 2 * self._tolerated * window.outcomes)

    def _grow(self) -> None:
        if self._slow_start:
            self.slots = min(self.cap, self.slots + 1)
            return
        factor, every_s = self._growth
        now = self._clock()
        if self._window is not None or now - self._changed_at < every_s:
            return
        self._changed_at = now
        self._growth = min(factor + 0.05, _FASTEST_GROWTH), every_s
        if self._clean >= _CLEAN_OUTCOMES:
            self._before_cut = None
        self.slots = min(self.cap, self.slots * factor + 0.5)
        if self._learnt.rate is not None:
            self._learnt.rate *= factor
            if self._learnt.rate > _PACE_WITHOUT_MEANING:
                self._learnt.rate = None

    def _pace_by(self, headers: Mapping[str, str]) -> None:
        rates = [self._rate_of(a) for a in read_allowances(headers)]
        known = [r for r in rates if r is not None]
        if rates:
            self._header.rate = min(known) if known else None

    def _rate_of(self, allowance: Allowance) -> float | None:
        """Requests per second at which this allowance neither runs out nor is wasted; None while plenty is left."""
        each = 1.0 if allowance.unit == "requests" else max(1.0, self._tokens_each)
        # Replies overtake each other, and what starts meanwhile is not counted yet: keep room for every slot twice.
        enough = max(0.1 * allowance.limit, min(2.0 * each * self.slots, 0.5 * allowance.limit))
        if allowance.remaining > enough or allowance.refill_per_s is None:
            return None
        return max(0.95 * allowance.refill_per_s / each, _SLOWEST_TOLD)


_flows: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, RateLimiter]] = WeakKeyDictionary()


def shared_flow(name: str, cap: int, *, rpm: float | None = None, tpm: float | None = None) -> RateLimiter:
    """The flow of this loop for a server and key; the first user's caps hold, later ones may only raise the cap."""
    flows = _flows.setdefault(asyncio.get_running_loop(), {})
    flow = flows.get(name)
    if flow is None:
        flow = flows[name] = RateLimiter(cap, rpm=rpm, tpm=tpm)
    flow.cap = max(flow.cap, cap)
    return flow
