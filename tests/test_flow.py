"""RateLimiter control: slots, the shared gate, pacing by headers and by refusals, the user's caps."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.asking import ask_many, question, using
from servers.loopback import Answer, Loopback, Seen, every_tenth_refused, token_bucket

from clika_providers.traffic.http_errors import duration, retry_after
from clika_providers.traffic.limit_headers import read_allowances
from clika_providers.traffic.limiter import RateLimiter


def test_two_thousand_questions_survive_a_refusal_of_every_tenth() -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 2000, 64)

    with Loopback(every_tenth_refused("0.2", delay_s=0.01)) as server:
        outcome = using("openai/m", work, base_url=server.url, concurrency=64, timeout_s=30.0, patience_s=30.0)
        # Every tenth of n requests is refused, so that 2,000 answers cost exactly 2,222 requests.
        assert len(server.seen) == 2222
    assert len(outcome.answers) == 2000
    assert not outcome.errors


@pytest.mark.parametrize(("capacity", "wait"), [(400, "1"), (40, "0.1"), (40, None)])
def test_a_token_bucket_costs_at_most_a_tenth_more_requests(capacity: float, wait: str | None) -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 1000, 64)

    # The bucket fills by the clock: other programs on the machine can spoil a try, not three in a row.
    for _ in range(3):
        with Loopback(token_bucket(400, capacity, wait, delay_s=0.02)) as server:
            outcome = using("openai/m", work, base_url=server.url, concurrency=64, timeout_s=30.0, backoff_s=0.2)
            requests = len(server.seen)
        assert len(outcome.answers) == 1000
        if requests <= 1100:
            break
    assert requests <= 1100


def _bucket_with_headers(per_s: float, capacity: float) -> Any:
    allow = token_bucket(per_s, capacity, "0.1")
    used = {"level": capacity, "at": time.monotonic()}

    def behave(seen: Seen) -> Answer:
        answer = allow(seen)
        now = time.monotonic()
        used["level"] = min(capacity, used["level"] + (now - used["at"]) * per_s) - (answer.status == 200)
        used["at"] = now
        answer.headers |= {
            "x-ratelimit-limit-requests": str(int(capacity)),
            "x-ratelimit-remaining-requests": str(max(0, int(used["level"]))),
            "x-ratelimit-reset-requests": f"{(capacity - used['level']) / per_s:.3f}s",
        }
        answer.delay_s = 0.02
        return answer

    return behave


def test_headers_that_tell_what_is_left_keep_refusals_from_happening() -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 220, 16)

    with Loopback(_bucket_with_headers(60, 100)) as server:
        outcome = using("openai/m", work, base_url=server.url, concurrency=16)
        statuses = len(server.seen)
    assert len(outcome.answers) == 220
    assert statuses <= 222


def test_a_retry_after_holds_back_everyone_not_only_the_one_refused() -> None:
    def behave(seen: Seen) -> Answer:
        if seen.number == 5:
            return Answer(429, {"error": {"message": "slow down"}}, {"retry-after": "0.6"})
        return Answer(delay_s=0.02)

    async def work(provider: Any) -> Any:
        return await ask_many(provider, 40, 4)

    with Loopback(behave) as server:
        using("openai/m", work, base_url=server.url, concurrency=4)
        refused_at = server.seen[4].at
        # Those already on their way may still arrive; nothing starts until the wait is over.
        early = [s for s in server.seen[5:] if 0.1 < s.at - refused_at < 0.6]
    assert not early


def test_the_slot_is_free_while_a_refused_request_sleeps() -> None:
    def behave(seen: Seen) -> Answer:
        if b"first" in seen.body and seen.number <= 2:
            return Answer(500, {"error": {"message": "oops"}})
        return Answer()

    async def work(provider: Any) -> list[str]:
        await provider.complete(question("opening"))
        done: list[str] = []

        async def one(name: str) -> None:
            await provider.complete(question(name))
            done.append(name)

        slow = asyncio.create_task(one("first"))
        await asyncio.sleep(0.1)
        await one("second")
        await slow
        return done

    with Loopback(behave) as server:
        assert using("openai/m", work, base_url=server.url, concurrency=1, backoff_s=1.0) == ["second", "first"]


def test_the_users_requests_per_minute_are_kept() -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 21, 8)

    with Loopback() as server:
        using("openai/m", work, base_url=server.url, rpm=1200)
        times = [seen.at for seen in server.seen]
    # 20 a second: 21 starts take a second, less the little that a late start may catch up.
    assert times[-1] - times[0] >= 0.9


def test_the_users_tokens_per_minute_are_kept_by_what_replies_say() -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 11, 4)

    with Loopback() as server:  # each reply says 51 tokens
        using("openai/m", work, base_url=server.url, tpm=51 * 60 * 10)
        times = [seen.at for seen in server.seen]
    assert times[-1] - times[0] >= 0.7


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


def test_a_hundred_thousand_calls_leave_nothing_behind() -> None:
    import tracemalloc

    async def run() -> int:
        flow = RateLimiter(64)

        async def worker(numbers: Any) -> None:
            for _ in numbers:
                async with flow.slot(10) as ticket:
                    await asyncio.sleep(0)
                flow.succeeded(ticket, {}, 12)

        async def all_of(count: int) -> None:
            numbers = iter(range(count))
            await asyncio.gather(*(worker(numbers) for _ in range(128)))

        await all_of(2_000)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        await all_of(20_000)
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert flow.in_flight == 0
        return grown

    assert asyncio.run(run()) < 100_000


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
