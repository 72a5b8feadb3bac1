"""Against llmock, a server written by others that plays ten vendors and judges its clients."""

from __future__ import annotations

from typing import Any

import pytest
from servers.asking import ask_many, ask_one, question, using
from servers.programs import ask, llmock_server

from clika_providers import ItemError, RetryableError, RunError


def test_a_real_quota_of_300_a_minute_is_kept_without_a_finding() -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 310, 16)

    with llmock_server("--rpm", "300") as root:
        outcome = using(
            "openai/gpt-4o-mini", work, base_url=f"{root}/v1", concurrency=16, timeout_s=20.0, backoff_s=0.5
        )
        verdict = ask(f"{root}/_llmock/verdict")
        requests = ask(f"{root}/_llmock/requests")
    assert len(outcome.answers) == 310, outcome.errors
    assert verdict["findings"] == []
    rows = requests["requests"] if isinstance(requests, dict) else requests
    assert len(rows) <= 310 * 1.1


@pytest.fixture
def quick(llmock: Any) -> Any:
    """llmock's own fixture, forgetting what it was told before."""
    return llmock.reset()


SPECS = [
    ("openai", "openai/gpt-4o-mini"),
    ("anthropic", "anthropic/claude-haiku-4-5"),
    ("mistral", "mistral/mistral-small-2603"),
    ("groq", "groq/llama-3.1-8b-instant"),
    ("together", "together/some/model"),
    ("xai", "xai/grok-4.3"),
]


@pytest.mark.parametrize(("vendor", "spec"), SPECS)
def test_every_vendor_it_plays_answers(quick: Any, vendor: str, spec: str) -> None:
    quick.reply("B")
    got = ask_one(spec, base_url=quick.base_url(vendor))
    assert got.text == "B"
    assert got.usage.input_tokens
    quick.assert_resilient(strict=True)


@pytest.mark.parametrize(("vendor", "spec"), SPECS)
def test_every_vendors_own_refusal_is_waited_out(quick: Any, vendor: str, spec: str) -> None:
    quick.rate_limit(times=2, retry_after=0.1)
    assert ask_one(spec, base_url=quick.base_url(vendor), backoff_s=0.05).text
    quick.assert_resilient(strict=True)


@pytest.mark.parametrize(("vendor", "spec"), SPECS)
@pytest.mark.parametrize("status", [500, 503, 529])
def test_every_vendors_own_overload_is_tried_again(quick: Any, vendor: str, spec: str, status: int) -> None:
    quick.fail(status, times=1, retry_after=None if status == 500 else 0.1)  # left out, it asks for a whole second
    assert ask_one(spec, base_url=quick.base_url(vendor), backoff_s=0.2).text
    quick.assert_resilient(strict=True)


@pytest.mark.parametrize(("vendor", "spec"), SPECS)
@pytest.mark.parametrize(("status", "kind"), [(400, ItemError), (401, RunError), (403, RunError), (404, RunError)])
def test_every_vendors_own_final_error_is_met_once(quick: Any, vendor: str, spec: str, status: int, kind: Any) -> None:
    quick.fail(status, times=None)
    with pytest.raises(kind):
        ask_one(spec, base_url=quick.base_url(vendor))
    assert len(quick.requests) == 1
    quick.assert_resilient(strict=True)


def test_an_outage_ends_as_a_failure_and_not_as_a_storm(quick: Any) -> None:
    quick.fail(503, times=None, retry_after=0.2)
    with pytest.raises(RetryableError):
        ask_one("openai/gpt-4o-mini", base_url=quick.base_url(), max_retries=3, backoff_s=0.1)
    quick.assert_resilient()


def test_a_prompt_that_is_too_long_is_the_questions_own_failure(quick: Any) -> None:
    quick.context_overflow()
    with pytest.raises(ItemError):
        ask_one("openai/gpt-4o-mini", base_url=quick.base_url())
    assert ask_one("openai/gpt-4o-mini", question("short"), base_url=quick.base_url()).text
