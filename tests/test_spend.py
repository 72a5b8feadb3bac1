"""Money: every token that a vendor counts is counted here, and no ceiling is passed, whatever the replies are worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clika import clika, write_probes
from servers.loopback import Answer, Loopback, Seen, chat
from test_batches_kept import Heard

from clika_client.asking.config import RunConfig
from clika_client.asking.run import RunResult, evaluate
from clika_client.asking.settings import Asking
from clika_client.prompts.catalogue import get_style
from clika_client.sets.user import read_user_set
from clika_client.store.store import Store
from clika_providers import ProviderOptions, Usage
from clika_providers.hosted.chat_reply import read_usage

PRICES = '[[price]]\nmodel = "openai/dear"\ninput = 10\noutput = 100\nsource = "test"\n'
"""Dollars a million: 50 tokens in and 20 out cost 0.0025."""


def usage(given: int = 50, said: int = 20) -> dict[str, int]:
    return {"prompt_tokens": given, "completion_tokens": said, "total_tokens": given + said}


UNUSABLE: dict[str, dict[str, Any]] = {
    "null content": {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]},
    "a tool call": {
        "choices": [{"message": {"content": None, "tool_calls": [{"id": "x"}]}, "finish_reason": "tool_calls"}]
    },
    "no choices": {"choices": []},
    "choices of another shape": {"choices": 5},
    "an error inside": {"error": {"message": "odd"}},
}


class Vendor:
    """Bills what it answers, and remembers the bill."""

    def __init__(
        self, reply: dict[str, Any], *, good_every: int = 0, delay_s: float = 0.0, given: int = 50, said: int = 20
    ) -> None:
        self.good = {**chat("B"), "usage": usage(given, said)}
        self.reply = {**self.good, **reply}
        self.good_every = good_every
        self.delay_s = delay_s
        self.each = (given * 10 + said * 100) / 1e6
        self.bill = 0.0
        self.served = 0

    def __call__(self, seen: Seen) -> Answer:
        self.bill += self.each
        self.served += 1
        good = self.good_every and self.served % self.good_every == 0
        return Answer(200, self.good if good else self.reply, delay_s=self.delay_s)


def run(folder: Path, url: str, *, items: int = 40, max_cost: float | None = None, **options: Any) -> RunResult:
    prices = folder / "prices.toml"
    prices.write_text(PRICES)
    probes = read_user_set(write_probes(folder / "mine.jsonl", items, languages=("en",)))
    made = ProviderOptions(base_url=url, backoff_s=0.001, max_retries=3, concurrency=8, patience_s=2.0)
    config = RunConfig(
        (probes,), ("openai/dear",), get_style("plain"), Asking(ask="text"),
        options=replace(made, **options), max_cost=max_cost, prices=prices,
    )  # fmt: skip
    with Store(folder / "c.db") as store:
        result = evaluate(store, config, Heard())
        (kept,) = store.database.connection.execute(
            "SELECT coalesce((SELECT sum(cost) FROM attempts), 0) + coalesce((SELECT sum(cost) FROM completions), 0)"
        ).fetchone()
        assert kept == pytest.approx(sum(o.cost for o in result.outcomes))
    return result


@pytest.mark.parametrize("kind", UNUSABLE)
def test_replies_of_no_use_are_on_the_bill_and_within_the_ceiling(tmp_path: Path, kind: str) -> None:
    vendor = Vendor(UNUSABLE[kind], good_every=3)  # now and then one of use: else the circuit breaker ends the run
    with Loopback(vendor) as server:
        result = run(tmp_path, server.url, max_cost=0.1)
    (outcome,) = result.outcomes
    assert outcome.cost == pytest.approx(vendor.bill)
    assert vendor.bill <= 0.1
    assert (outcome.useless, outcome.answered) == (vendor.served - vendor.served // 3, vendor.served // 3)
    assert vendor.served > 8
    assert "one request may cost" in str(outcome.stop)


def test_without_a_ceiling_the_whole_bill_is_told(tmp_path: Path) -> None:
    vendor = Vendor(UNUSABLE["null content"])
    with Loopback(vendor) as server:
        result = run(tmp_path, server.url, items=5)
    assert 5 < vendor.served <= 5 * 4  # a reply of the wrong shape is worth another attempt
    assert result.outcomes[0].cost == pytest.approx(vendor.bill)
    assert any(f"{vendor.served} replies cost ${vendor.bill:.4f}" in note for note in result.notes), result.notes


def test_a_reply_that_came_too_late_may_have_been_billed_and_the_ceiling_counts_it(tmp_path: Path) -> None:
    """The vendor answers, and bills, after our patience: nothing is heard, and the ceiling still holds."""
    vendor = Vendor({}, delay_s=0.6)
    with Loopback(vendor) as server:
        result = run(tmp_path, server.url, items=20, max_cost=0.03, timeout_s=0.2, patience_s=1.2)
    assert vendor.bill <= 0.03
    assert result.outcomes[0].answered == 0


def test_a_ceiling_below_one_request_names_what_one_may_cost(tmp_path: Path) -> None:
    vendor = Vendor({})
    with Loopback(vendor) as server:
        result = run(tmp_path, server.url, max_cost=0.000001)
    assert vendor.served == 0
    assert any("one request may cost up to $0.0" in note for note in result.notes), result.notes


SHAPES: dict[str, tuple[dict[str, Any], Usage]] = {
    "OpenAI: reasoning inside": (
        {"prompt_tokens": 10, "completion_tokens": 300, "total_tokens": 310,
         "completion_tokens_details": {"reasoning_tokens": 290}},
        Usage(10, 300, None, 290),
    ),
    "Gemini before a gateway: reasoning outside": (
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 515,
         "completion_tokens_details": {"reasoning_tokens": 500}},
        Usage(10, 505, None, 500),
    ),
    "reasoning in the total only": (
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 515}, Usage(10, 505),
    ),
    "reasoning outside, no total": (
        {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 500}},
        Usage(10, 505, None, 500),
    ),
    "a total that is too small": ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 0}, Usage(10, 5)),
    "no counts": ({}, Usage()),
    "counts that are none": ({"prompt_tokens": "10", "completion_tokens": True, "total_tokens": 1e999}, Usage()),
    "counts beyond all measure": ({"prompt_tokens": 2**63, "completion_tokens": 1e300}, Usage()),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_output_is_the_largest_of_what_the_counts_can_mean(shape: str) -> None:
    given, counted = SHAPES[shape]
    assert read_usage(given) == counted


def test_a_dry_run_of_a_model_that_always_thinks_shows_low_and_high(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789abcdef")
    probes = write_probes(tmp_path / "mine.jsonl")
    arguments = ("--dry-run", "--db", tmp_path / "c.db")
    assert "by how long the model thinks" in clika("run", probes, "-m", "openai/gpt-6-astra", *arguments).stdout
    assert "thinks" not in clika("run", probes, "-m", "openai/gpt-4o-mini", *arguments).stdout
