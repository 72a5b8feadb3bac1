"""A circuit breaker: when a server only fails, stop asking, try one request now and then, and give up in the end.

It starts unproven: one request at a time until the server has answered once, so that a wrong key or address costs one
request, not one per worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from clika_providers.errors import ProviderError, RunError, UnreachableError

_FAILURES = 10
"""Failures in a row before a server that worked is suspected: fewer happen by chance where one in three fails."""
_QUIET_S = 3.0
"""Nor before it was silent so long: a whole burst in flight fails together when a server restarts."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 20.0
"""Between trials, doubled each time: a restart is noticed within a second, an outage costs three requests a minute."""
_OPENING_PAUSE_S = 0.1
"""The same before the first answer: a server that is about to come up is met soon."""
_LAST_CHANCE_S = 0.1
"""Before patience ends there is one more trial, and not sooner than this: no trials follow each other at once."""
_UNREACHABLE_AFTER = 3
"""Refused connections to a server that never answered: a wrong address is told within a second."""
_DECLINED_AT_FIRST = 20
"""Refusals from a server that never answered: it will not, however many more are sent."""
_OF_THE_TEXT = ("content_filter", "too_long")
"""Codes of refusals that are about what was asked, not about how."""


class CircuitBreaker:
    """One per model. `patience_s`: how long nothing may succeed before the model is given up.

    `slow_patience_s` holds instead where requests run into their time limit: a model being loaded is no dead one;
    `busy_patience_s` where the server asks for patience: it is there, wherever it runs.
    """

    def __init__(
        self,
        name: str,
        patience_s: float,
        *,
        slow_patience_s: float = 0.0,
        busy_patience_s: float = 0.0,
        quiet_s: float = _QUIET_S,
        pause_s: float = _FIRST_PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._name = name
        self._patience_s = patience_s
        self._slow_patience_s = max(patience_s, slow_patience_s)
        self._busy_patience_s = max(patience_s, busy_patience_s)
        self._declined: int | None = 0  # None once anything succeeded
        self._tripped = False
        self._quiet_s = min(quiet_s, patience_s / 2)
        self._first_pause_s = min(pause_s, patience_s / 4)
        self._failures = 0
        self._last_good: float | None = None
        self._started: float | None = None
        self._pause_s = _OPENING_PAUSE_S
        self._next_probe = 0.0
        self._open = True
        self._probing = False
        self._changed: asyncio.Event | None = None
        self.given_up: RunError | None = None

    async def admit(self) -> bool:
        """Wait until a request may be sent; True when it is the probe. Raises the error once given up."""
        while True:
            if self.given_up is not None:
                raise self.given_up
            if not self._open:
                return False
            now = self._clock()
            if self._started is None:
                self._started = now
            if not self._probing and now >= self._next_probe:
                self._probing = True
                return True
            wait = None if self._probing else self._next_probe - now
            await self._wait(wait)

    def succeeded(self) -> bool:
        """A reply came. True when an outage ended with it."""
        self._declined = None
        return self.good()

    def declined(self, error: ProviderError) -> None:
        """A request was refused for good; a server that only ever refuses is not asked to the end of the list."""
        self.good()
        if self._declined is None or error.code in _OF_THE_TEXT:
            return
        self._declined += 1
        if self._declined >= _DECLINED_AT_FIRST:
            self.give_up(
                RunError(
                    f"{self._name} refused each of the first {self._declined} requests, last: {error}; see what it "
                    "takes with `clika models check`",
                    status=error.status,
                    code="refused",
                )
            )

    def good(self) -> bool:
        """A server answered, if only to refuse this one request: the circuit closes. True when an outage ended."""
        ended, self._tripped = self._tripped, False
        self._failures = 0
        self._last_good = self._clock()
        if self._open:
            self._open = self._probing = False
            self._pause_s = self._first_pause_s
            self._wake()
        return ended

    def bad(self, error: ProviderError, probe: bool, *, connected: bool = True) -> None:
        """A transient failure. `connected` is False when nothing was there to answer."""
        self._failures += 1
        now = self._clock()
        since = self._last_good if self._last_good is not None else (self._started or now)
        patience_s = self._slow_patience_s if error.code == "timeout" else self._patience_s
        if probe:
            self._probing = False
            last_chance = max(since + patience_s - now, _LAST_CHANCE_S)
            self._next_probe = now + max(min(self._pause_s, last_chance), error.retry_after or 0.0)
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        if self._last_good is None and not connected and self._failures >= _UNREACHABLE_AFTER:
            self.give_up(
                UnreachableError(f"{error}; is the server running, and is --base-url right?", code="unreachable")
            )
        elif (
            self._open and now - since >= patience_s and self._failures > 1
        ):  # one failure, however slow, is no silence
            self.give_up(self._silent(error, now - since))
        elif not self._open and self._failures >= _FAILURES and now - since >= self._quiet_s:
            self._open = self._tripped = True
            self._next_probe = now + self._pause_s
        if probe:
            self._wake()

    def refused(self, error: ProviderError, probe: bool) -> None:
        """The server asked for patience: it is there, but that is no success yet."""
        now = self._clock()
        since = self._last_good if self._last_good is not None else (self._started or now)
        if now - since >= self._busy_patience_s:
            self.bad(error, probe)
            self.give_up(self._silent(error, now - since))
        elif self._open and probe:
            self._open = self._probing = False
            self._wake()

    def leave(self, probe: bool) -> None:
        """A probe ended without a verdict (cancelled): let another try."""
        if probe and self._probing:
            self._probing = False
            self._wake()

    def give_up(self, error: RunError) -> None:
        """Refuse everything from now on with this error."""
        if self.given_up is None:
            self.given_up = error
        self._probing = False
        self._wake()

    def _silent(self, error: ProviderError, seconds: float) -> RunError:
        return RunError(
            f"{self._name} has given no answer for {seconds:.0f} s, last: {error}. Everything that arrived is kept; run"
            " the same command again to ask only what is missing",
            status=error.status,
            code="circuit",
        )

    async def _wait(self, seconds: float | None) -> None:
        if self._changed is None:
            self._changed = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
