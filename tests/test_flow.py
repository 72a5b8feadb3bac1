"""Flow control: slots, the shared gate, pacing by headers and by refusals, the user's caps.

What is about time runs in virtual time against a simulated server, with the caller, limiter and breaker of the product:
the same figures on every machine. What is about the wire runs against a real server, and no duration is asserted.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.asking import ask_many, using
from servers.loopback import Answer, Loopback, Seen, every_tenth_refused
from virtual_time import in_virtual_time

from clika_providers import Completion, ProviderError, ProviderOptions, RetryableError, RunError, Usage
from clika_providers.traffic.circuit_breaker import CircuitBreaker
from clika_providers.traffic.http_errors import duration, retry_after
from clika_providers.traffic.limit_headers import read_allowances
from clika_providers.traffic.limiter import RateLimiter
from clika_providers.traffic.retry import Caller, TransportReply

Clock = Callable[[], float]
Answering = Callable[[int, float], "Completion | Exception | tuple[Completion, dict[str, str]]"]
"""(number of the request from 1, seconds since the beginning) → what comes back."""


class Simulated:
    """A server behind the product's own traffic control; every moment is virtual."""

    def __init__(
        self, clock: Clock, answering: Answering, *, delay_s: float = 0.02, limiter: RateLimiter | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        self.clock, self.answering, self.delay_s = clock, answering, delay_s
        self.options = ProviderOptions(**{"timeout_s": 30.0, "backoff_s": 0.2, **options})
        self.limiter = limiter or RateLimiter(64, clock=clock)
        breaker = CircuitBreaker("sim/m", self.options.patience_s or 120.0, clock=clock)
        self.caller = Caller(lambda: self.limiter, breaker, self.options)
        self.arrived: list[float] = []
        self.most_in_flight = self._in_flight = 0

    async def attempt(self) -> TransportReply:
        self.arrived.append(self.clock())
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            found = self.answering(len(self.arrived), self.clock())
            await asyncio.sleep(self.delay_s)
        finally:
            self._in_flight -= 1
        if isinstance(found, Exception):
            raise found
        completion, headers = found if isinstance(found, tuple) else (found, {})
        return TransportReply(completion, headers)

    async def ask(self, count: int, workers: int, tokens: float = 10) -> list[Completion | ProviderError]:
        numbers = iter(range(count))
        outcomes: list[Completion | ProviderError] = []

        async def worker() -> None:
            for _ in numbers:
                try:
                    outcomes.append(await self.caller.call(self.attempt, tokens))
                except ProviderError as error:
                    outcomes.append(error)
                    if isinstance(error, RunError):
                        return

        await asyncio.gather(*(worker() for _ in range(workers)))
        return outcomes


def simulated(answering: Callable[[], Answering], work: Callable[[Simulated], Awaitable[Any]], **options: Any) -> Any:
    async def run(clock: Clock) -> Any:
        limits = {name: options.pop(name) for name in ("rpm", "tpm", "cap") if name in options}
        limiter = RateLimiter(limits.pop("cap", 64), clock=clock, **limits)
        return await work(Simulated(clock, answering(), limiter=limiter, **options))

    return in_virtual_time(run)


def good(tokens: int = 50) -> Completion:
    return Completion("B", "stop", usage=Usage(tokens, 1))


def busy(wait: float | None = None) -> RetryableError:
    return RetryableError("asked too much", status=429, retry_after=wait)


def bucket(per_s: float, capacity: float, wait: float | None, *, tell: bool = False) -> Answering:
    """Allows `per_s` requests a second after a first `capacity`; with `tell`, says in headers what is left."""
    level, updated = capacity, 0.0

    def answer(number: int, now: float) -> Any:
        nonlocal level, updated
        level, updated = min(capacity, level + (now - updated) * per_s), now
        if level < 1:
            return busy(wait)
        level -= 1
        headers = {
            "x-ratelimit-limit-requests": str(int(capacity)),
            "x-ratelimit-remaining-requests": str(max(0, int(level))),
            "x-ratelimit-reset-requests": f"{(capacity - level) / per_s:.3f}s",
        }
        return (good(), headers if tell else {})

    return answer


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("capacity", "wait"), [(400, 1.0), (40, 0.1), (40, None)])
def test_a_token_bucket_costs_at_most_a_tenth_more_requests(capacity: float, wait: float | None, seed: int) -> None:
    async def work(server: Simulated) -> tuple[int, int]:
        outcomes = await server.ask(1000, 64)
        return sum(isinstance(o, Completion) for o in outcomes), len(server.arrived)

    random.seed(seed)  # of the jitter between attempts
    answered, requests = simulated(lambda: bucket(400, capacity, wait), work)
    assert answered == 1000
    assert requests <= 1100


def test_headers_that_tell_what_is_left_keep_refusals_from_happening() -> None:
    async def work(server: Simulated) -> tuple[int, int]:
        outcomes = await server.ask(220, 16)
        return sum(isinstance(o, Completion) for o in outcomes), len(server.arrived)

    answered, requests = simulated(lambda: bucket(60, 100, 0.1, tell=True), work, cap=16)
    assert answered == 220
    assert requests <= 222


def test_a_retry_after_holds_back_everyone_not_only_the_one_refused() -> None:
    async def work(server: Simulated) -> list[float]:
        await server.ask(40, 4)
        return server.arrived

    def fifth(number: int, now: float) -> Any:
        return busy(0.6) if number == 5 else good()

    arrived = simulated(lambda: fifth, work, cap=4)
    told_at = arrived[4] + 0.02
    assert not [moment for moment in arrived if told_at < moment < told_at + 0.6]


def test_the_slot_is_free_while_a_refused_request_sleeps() -> None:
    async def work(server: Simulated) -> list[str]:
        done: list[str] = []
        await server.ask(1, 1)

        async def one(name: str) -> None:
            await server.caller.call(server.attempt, 10)
            done.append(name)

        slow = asyncio.create_task(one("first"))
        await asyncio.sleep(0.1)
        await one("second")
        await slow
        return done

    def second_fails(number: int, now: float) -> Any:
        return RetryableError("oops", status=500) if number == 2 else good()

    assert simulated(lambda: second_fails, work, cap=1, backoff_s=1.0) == ["second", "first"]


def test_the_users_requests_per_minute_are_kept() -> None:
    async def work(server: Simulated) -> list[float]:
        await server.ask(21, 8)
        return server.arrived

    arrived = simulated(lambda: lambda number, now: good(), work, rpm=1200)
    # 20 a second: 21 starts take a second, less the 50 ms that a late start may catch up.
    assert arrived[-1] - arrived[0] == pytest.approx(1.0, abs=0.06)


def test_the_pace_is_kept_in_a_loop_whose_handles_do_not_tell_when() -> None:
    """As those of uvloop for waits under half a millisecond; Ray runs its actors in it."""
    uvloop = pytest.importorskip("uvloop", reason="uvloop is installed for development")

    async def calls(limiter: RateLimiter) -> float:
        async def call() -> None:
            async with limiter.slot():
                await asyncio.sleep(0)

        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(call() for _ in range(400)))
        return asyncio.get_running_loop().time() - started

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(calls(RateLimiter(64, rpm=120_000))) > 0.1


def test_the_users_tokens_per_minute_are_kept_by_what_replies_say() -> None:
    async def work(server: Simulated) -> list[float]:
        await server.ask(31, 4)
        return server.arrived

    # Each reply says 51 tokens where 10 were estimated; 510 a second are 10 replies.
    arrived = simulated(lambda: lambda number, now: good(), work, tpm=510 * 60)
    assert arrived[-1] - arrived[0] == pytest.approx(3.0, abs=0.3)


def test_a_pace_that_only_refusals_tell_is_kept_for_minutes() -> None:
    """20 a second: few requests are wasted, and at least a third of what is possible is used."""

    async def work(server: Simulated) -> tuple[float, int]:
        await server.ask(4000, 32)
        return server.clock(), len(server.arrived)

    took, requests = simulated(lambda: bucket(20, 20, None), work)
    assert requests <= 1.1 * 4000
    assert took <= 3 * 4000 / 20


def test_a_server_that_is_away_for_a_minute_costs_few_requests_and_no_answers() -> None:
    async def work(server: Simulated) -> tuple[list[Any], int]:
        outcomes = await server.ask(2000, 16)
        return outcomes, sum(10 <= moment < 70 for moment in server.arrived)

    def away(number: int, now: float) -> Any:
        return RetryableError("restarting", status=503) if 10 <= now < 70 else good()

    outcomes, wasted = simulated(lambda: away, work, delay_s=0.1, max_retries=20)
    assert all(isinstance(o, Completion) for o in outcomes)
    # Five attempts of each worker in the three seconds of doubt (pauses .2, .4, .8, 1.6), then trials after 1, 2, 4, 8,
    # 16 and 20 seconds, with some jitter.
    assert wasted <= 16 * 5 + 6 + 10


def test_a_server_that_stays_away_is_given_up_after_the_patience_it_was_given() -> None:
    async def work(server: Simulated) -> tuple[list[Any], float]:
        return await server.ask(2000, 16), server.clock()

    def gone(number: int, now: float) -> Any:
        return RetryableError("gone", status=503) if now >= 10 else good()

    outcomes, ended = simulated(lambda: gone, work, patience_s=100.0, delay_s=0.1, max_retries=100)
    assert isinstance(outcomes[-1], RunError)
    assert "run the same command again" in " ".join(str(outcomes[-1]).split())
    # The last trial may begin just before the patience ends.
    assert 110 <= ended <= 110 + 21


def test_hundreds_of_questions_survive_a_refusal_of_every_tenth() -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 450, 64)

    with Loopback(every_tenth_refused("0.2", delay_s=0.01)) as server:
        outcome = using("openai/m", work, base_url=server.url, concurrency=64, timeout_s=30.0, patience_s=30.0)
        # Every tenth of n requests is refused, so that 450 answers cost exactly 499 requests: the 500th is not sent.
        assert len(server.seen) == 499
    assert len(outcome.answers) == 450
    assert not outcome.errors


def test_never_more_in_flight_than_the_user_allows() -> None:
    now, most = 0, 0

    def behave(seen: Seen) -> Answer:
        return Answer(delay_s=0.02)

    async def work(provider: Any) -> int:
        nonlocal now, most
        send = provider._exchange

        async def counted(*args: Any) -> Any:
            nonlocal now, most
            now += 1
            most = max(most, now)
            try:
                return await send(*args)
            finally:
                now -= 1

        provider._exchange = counted
        await ask_many(provider, 100, 30)
        return most

    with Loopback(behave) as server:
        assert using("openai/m", work, base_url=server.url, concurrency=5) == 5


def test_two_models_behind_one_key_share_one_flow_and_another_key_has_its_own() -> None:
    from clika_providers import ProviderOptions, connect

    async def flows() -> list[RateLimiter]:
        found = []
        for model, key in (("a", "echo key-one"), ("b", "echo key-one"), ("a", "echo key-two")):
            provider: Any = connect(
                f"openai/{model}", ProviderOptions(base_url="http://127.0.0.1:9/v1", key_command=key)
            )
            found.append(provider._flow())
        return found

    one, same, other = asyncio.run(flows())
    assert one is same
    assert one is not other


def test_calls_leave_nothing_behind() -> None:
    """What asyncio keeps for itself is the same after many calls as after few: growth between the two is ours."""
    import tracemalloc

    async def run() -> list[int]:
        flow = RateLimiter(64)

        async def worker(numbers: Any) -> None:
            for _ in numbers:
                async with flow.slot(10) as ticket:
                    await asyncio.sleep(0)
                flow.succeeded(ticket, {}, 12)

        async def all_of(count: int) -> int:
            numbers = iter(range(count))
            await asyncio.gather(*(worker(numbers) for _ in range(128)))
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            return [await all_of(count) for count in (1_000, 1_000, 6_000)]
        finally:
            tracemalloc.stop()
            assert flow.in_flight == 0

    _, few, many = asyncio.run(run())
    # A single object kept per call would be 16 bytes at least.
    assert many - few < 6_000 * 16


@settings(max_examples=20, deadline=None)
@given(
    cap=st.integers(1, 8),
    fates=st.lists(st.sampled_from(["good", "refused", "waited", "failed", "cancelled"]), min_size=1, max_size=40),
    seed=st.integers(0, 1000),
)
def test_whatever_happens_every_request_gets_its_turn_and_the_cap_holds(cap: int, fates: list[str], seed: int) -> None:
    chance = random.Random(seed)

    async def run() -> None:
        flow, most, served = RateLimiter(cap), 0, 0

        async def one(fate: str) -> None:
            nonlocal most, served
            async with flow.slot() as ticket:
                most = max(most, flow.in_flight)
                await asyncio.sleep(chance.random() / 500)
                served += 1
                if fate == "good":
                    flow.succeeded(ticket, {}, 10)
                elif fate == "refused":
                    flow.refused_by_server(ticket, None, {})
                elif fate == "waited":
                    flow.refused_by_server(ticket, 0.005, {})

        tasks = [asyncio.create_task(one(fate)) for fate in fates]
        await asyncio.sleep(0)
        for task, fate in zip(tasks, fates, strict=True):
            if fate == "cancelled" and chance.random() < 0.5:
                task.cancel()
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks, return_exceptions=True)
        assert most <= cap
        assert served >= sum(fate != "cancelled" for fate in fates)
        assert flow.in_flight == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360),
        ("59.6s", 59.6),
        ("1s", 1),
        ("20ms", 0.02),
        ("1h2m3s", 3723),
        ("17", 17),
        ("0", 0),
        ("x", None),
        ("", None),
    ],
)
def test_durations_are_read_as_servers_write_them(text: str, seconds: float | None) -> None:
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


def test_waits_are_found_wherever_a_server_puts_them() -> None:
    from clika_providers.traffic.http_errors import Failure

    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after({"retry-after": "soon"}) is None
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}]
    assert retry_after({}, Failure("", details=details)) == 12


def test_allowances_of_openai_and_anthropic_are_read() -> None:
    openai = {
        "x-ratelimit-limit-requests": "300",
        "x-ratelimit-remaining-requests": "60",
        "x-ratelimit-reset-requests": "48s",
        "x-ratelimit-remaining-tokens": "many",
    }
    (only,) = read_allowances(openai)
    assert (only.unit, only.limit, only.remaining, only.refill_per_s) == ("requests", 300, 60, 5)
    from datetime import UTC, datetime, timedelta

    reset = (datetime.now(UTC) + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    anthropic = {f"anthropic-ratelimit-input-tokens-{k}": v for k, v in
                 (("limit", "1000"), ("remaining", "400"), ("reset", reset))}  # fmt: skip
    (tokens,) = read_allowances(anthropic)
    assert tokens.unit == "tokens"
    assert tokens.refill_per_s == pytest.approx(20, rel=0.1)
