"""Against aimock, a server written by others: vendors' own shapes, and chaos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from servers.asking import ask_many, ask_one, using
from servers.programs import aimock_server

FIXTURES = [{"match": {"userMessage": "question"}, "response": {"content": "B"}},
            {"match": {"userMessage": "Which?"}, "response": {"content": "C"}}]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "path"),
    [("openai/gpt-4o-mini", "/v1"), ("anthropic/claude-haiku-4-5", ""), ("ollama/llama3.2", "/v1"), ("vllm/m", "/v1")],
)
def test_a_scripted_answer_comes_through(spec: str, path: str, tmp_path: Path) -> None:
    with aimock_server(FIXTURES, tmp_path) as root:
        got = ask_one(spec, base_url=root + path)
    assert (got.text, got.finish_reason) == ("C", "stop")


CHAOS = ("--chaos-drop", "0.05", "--chaos-malformed", "0.05", "--chaos-disconnect", "0.05", "--chaos-ratelimit", "0.05")


@pytest.mark.parametrize(("spec", "path"), [("openai/gpt-4o-mini", "/v1"), ("anthropic/claude-haiku-4-5", "")])
def test_chaos_costs_attempts_but_no_answer_and_makes_none_up(spec: str, path: str, tmp_path: Path) -> None:
    async def work(provider: Any) -> Any:
        return await ask_many(provider, 100, 16)

    with aimock_server(FIXTURES, tmp_path, *CHAOS) as root:
        outcome = using(spec, work, base_url=root + path, backoff_s=0.05, max_retries=8, patience_s=20.0)
    # Malformed replies are asked for three times at most: now and then one question is lost, and counted as such.
    assert len(outcome.answers) + len(outcome.errors) == 100
    assert len(outcome.answers) >= 96
    assert {got.text for got in outcome.answers.values()} == {"B"}
