"""One call from first attempt to verdict: circuit, slot, total time limit, and tenacity's pauses between attempts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from clika_providers.errors import ItemError, ProviderError, RetryableError, RunError
from clika_providers.options import ProviderOptions
from clika_providers.traffic.circuit_breaker import CircuitBreaker
from clika_providers.traffic.http_errors import THROTTLE_STATUS, quoted
from clika_providers.traffic.limiter import Ticket
from clika_providers.types import Completion

T = TypeVar("T")
_SHAPE_ATTEMPTS = 3
"""A reply without what belongs in it was paid for, and mostly comes out the same: a third one settles that."""
_PATIENT, _MORE_WHEN_THROTTLED = 3, 3
"""Who allows so many retries wants the answer, and gets so many more where a call came too soon, which costs nothing
and says nothing about the question. Who allows fewer is probing, and is obeyed."""
_LONGEST_PAUSE_S = 30.0
"""Doubling goes no further: per-minute limits have half refilled, and a server that is back is not left waiting."""
_JITTER = 0.5, 1.0
"""Share of a pause: calls that failed together come back over half of it, and never at once."""
_SPREAD = 0.1
"""Share of a wait that was asked for, over which all who were told the same moment come back."""
_LEAST_SPREAD_S, _MOST_SPREAD_S = 0.02, 1.0
"""Of that: a `retry-after` of 0 still must not bring a herd, and a minute's wait is not made six seconds longer."""
_AFTER_THE_MOMENT_S = 0.005
"""A server whose clock is behind ours by less refuses whoever comes on the stroke."""

before_retry: ContextVar[Callable[[ProviderError], Awaitable[None]] | None] = ContextVar("before_retry", default=None)
"""Who is told of a failed attempt before the next is made, in the task that asks: it may have been billed, and whoever
keeps to a budget has to agree to another. What it raises ends the call."""


@dataclass(frozen=True, slots=True)
class TransportReply:
    """A completion with what the transport learnt beside it."""

    completion: Completion
    headers: Mapping[str, str]


class Flow(Protocol):
    """Who says when a call may start, and learns what became of it: a RateLimiter, or one far away."""

    def slot(self, tokens: float = 0.0) -> AbstractAsyncContextManager[Ticket]:
        """Wait for permission to start, then hold a slot."""
        ...

    def succeeded(self, ticket: Ticket, headers: Mapping[str, str], tokens: int | None) -> None:
        """A reply arrived."""
        ...

    def refused_by_server(self, ticket: Ticket, retry_after: float | None, headers: Mapping[str, str]) -> None:
        """The server was asked too much."""
        ...

    def start_again(self) -> None:
        """Forget what refusals taught."""
        ...


async def persistently(ask: Callable[[], Awaitable[T]], options: ProviderOptions) -> T:
    """An exchange that is safe to repeat, tried as often as its failures deserve; raises ProviderError.

    The first attempt is made bare: nearly all succeed, and tenacity's hooks are a third of our cost of one.
    """
    try:
        return await ask()
    except RetryableError as error:
        return await _again(error, ask, options)


async def _again(first: RetryableError, ask: Callable[[], Awaitable[T]], options: ProviderOptions) -> T:
    """The attempts after `first` failed, which tenacity counts as the first of them."""
    from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

    made: list[RetryableError] = [first]

    async def attempt() -> T:
        if made:
            raise made.pop()
        return await ask()

    def failure(state: RetryCallState) -> RetryableError:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, RetryableError)
        return error

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(RetryableError),
        wait=lambda state: pause(failure(state), state.attempt_number, options),
        stop=lambda state: enough(failure(state), state.attempt_number, options),
        reraise=True,
        sleep=asyncio.sleep,
    )
    return await retrying(attempt)


def _asked_too_much(error: ProviderError) -> bool:
    """Whether the server said it is asked too much; a bare 503 is an outage, which no pace mends."""
    if not isinstance(error, RetryableError):
        return False
    return error.status in THROTTLE_STATUS or (error.status == 503 and error.retry_after is not None)


class Caller:
    """Makes calls to one model with everything that is the same for every vendor."""

    def __init__(self, flow: Callable[[], Flow], breaker: CircuitBreaker, options: ProviderOptions) -> None:
        self._flow = flow
        self.breaker = breaker
        self._options = options
        self._waiting: set[asyncio.Task[Any]] = set()
        self._draining = False

    def drain(self) -> None:
        """Start nothing more: calls that wait for their turn are cancelled, those with the server go on."""
        self._draining = True
        for task in list(self._waiting):
            task.cancel()

    async def call(self, attempt: Callable[[], Awaitable[TransportReply]], tokens: float) -> Completion:
        """The completion, after as many attempts as its failures deserve; raises ProviderError.

        `attempt` makes one try and raises ProviderError; `tokens` estimates what one try uses.
        """

        if self._draining:
            raise asyncio.CancelledError
        failed: ProviderError | None = None
        agree = before_retry.get()

        async def once() -> Completion:
            nonlocal failed
            if failed is not None and agree is not None:
                await agree(failed)
            try:
                return await self._once(attempt, tokens)
            except ProviderError as error:
                failed = error
                raise

        mine = asyncio.current_task()
        assert mine is not None
        self._waiting.add(mine)
        try:
            return await persistently(once, self._options)
        finally:
            self._waiting.discard(mine)

    async def _under_way(self, attempt: Callable[[], Awaitable[TransportReply]]) -> TransportReply:
        """One attempt, within its time; whatever goes wrong in it is a failure of this request alone."""
        mine = asyncio.current_task()
        assert mine is not None
        self._waiting.discard(mine)
        try:
            async with asyncio.timeout(self._options.timeout_s):
                return await attempt()
        except (ProviderError, TimeoutError):
            raise
        except Exception as error:
            # No reply can be foreseen in all its shapes; one that trips us must not stop the others.
            odd = RetryableError(
                f"the reply was not usable ({type(error).__name__}: {quoted(str(error))})", code="shape"
            )
            odd.sent = True
            raise odd from error
        finally:
            self._waiting.add(mine)

    async def _once(self, attempt: Callable[[], Awaitable[TransportReply]], tokens: float) -> Completion:
        probe = await self.breaker.admit()
        flow = self._flow()
        try:
            async with flow.slot(tokens) as ticket:
                try:
                    reply = await self._under_way(attempt)
                except ProviderError as error:
                    if _asked_too_much(error):
                        with suppress(ValueError, ArithmeticError):  # headers are hints; odd ones are none
                            flow.refused_by_server(ticket, error.retry_after, error.headers)
                    raise
                usage = reply.completion.usage
                used = (usage.input_tokens or 0) + (usage.output_tokens or 0)
                with suppress(ValueError, ArithmeticError):
                    flow.succeeded(ticket, reply.headers, used or None)
        except TimeoutError:
            slow = RetryableError(f"no complete reply within {self._options.timeout_s:g} s", code="timeout")
            slow.sent = True
            self.breaker.bad(slow, probe)
            raise slow from None
        except RetryableError as error:
            self._transient(error, probe)
            raise
        except ItemError as error:
            self.breaker.declined(error)
            raise
        except RunError as error:
            self.breaker.give_up(error)
            raise
        except BaseException:
            self.breaker.leave(probe)
            raise
        if self.breaker.succeeded():
            flow.start_again()
        return reply.completion

    def _transient(self, error: RetryableError, probe: bool) -> None:
        if (error.retry_after or 0.0) > self._options.max_wait_s:
            run_error = RunError(
                f"{error}; it asks to wait {error.retry_after:.0f} s. Everything that arrived is kept; run the same"
                " command again later",
                status=error.status,
                code="wait",
                retry_after=error.retry_after,
            )
            self.breaker.give_up(run_error)
            raise run_error from None
        if error.status == 429:
            self.breaker.refused(error, probe)
        else:
            self.breaker.bad(error, probe, connected=error.code != "not_connected")


def pause(error: RetryableError, attempts: int, options: ProviderOptions) -> float:
    """Seconds before the next attempt: exponential with jitter, and never less than the server asked for."""
    longest = min(_LONGEST_PAUSE_S, options.backoff_s * 2.0 ** (attempts - 1))
    jittered = longest * random.uniform(*_JITTER)
    asked = error.retry_after
    if asked is None:
        return jittered
    over = max(_LEAST_SPREAD_S, min(_SPREAD * asked, _MOST_SPREAD_S))
    spread = asked + random.uniform(_AFTER_THE_MOMENT_S, over)
    return spread if attempts == 1 else max(spread, jittered)


def enough(error: RetryableError, attempts: int, options: ProviderOptions) -> bool:
    """Whether these were all the attempts that this failure deserves."""
    if error.code == "shape":
        return attempts >= min(_SHAPE_ATTEMPTS, options.max_retries + 1)
    if error.status == 429 and options.max_retries >= _PATIENT:
        return attempts > options.max_retries + _MORE_WHEN_THROTTLED
    return attempts > options.max_retries
