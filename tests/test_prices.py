"""What requests cost; oracles are the vendors' prices per million tokens and plain arithmetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from clika import clika
from servers.loopback import Answer, Loopback
from servers.programs import free_port

from clika_providers import RunError, Usage
from clika_providers.prices import find_price, known_prices
from clika_providers.userfiles import builtin


# 100,000 questions of 200 tokens and 5 tokens of answer, computed by hand from the vendors' pages.
@pytest.mark.parametrize(
    ("spec", "mode", "batch", "dollars"),
    [
        ("openai/gpt-6-luna", "text", False, 20 * 0.10 + 0.5 * 0.50),
        ("anthropic/claude-haiku-5-5", "text", True, (20 * 0.10 + 0.5 * 0.50) / 2),
        ("openai/gpt-4o-mini", "text", True, (20 * 0.15 + 0.5 * 0.60) / 2),
        ("gemini/gemini-3.5-flash", "text", False, 20 * 1.50 + 0.5 * 9.00),
    ],
)
def test_a_hundred_thousand_questions_cost_what_the_vendor_says(
    spec: str, mode: str, batch: bool, dollars: float
) -> None:
    price = find_price(spec, mode=mode)  # type: ignore[arg-type]
    assert price is not None
    assert 100_000 * price.estimate(200, 5, batch=batch) == pytest.approx(dollars)


def test_each_request_is_priced_by_its_own_length() -> None:
    price = find_price("openai/gpt-6-luna")
    assert price is not None
    one = price.cost(Usage(200, 5))
    assert one == pytest.approx((200 * 0.10 + 5 * 0.50) / 1e6)
    # One long request pays the higher tier; as many tokens in short ones do not.
    assert price.cost(Usage(1_000_000, 0)) == pytest.approx(0.20)


def test_input_from_the_vendors_cache_is_cheaper() -> None:
    price = find_price("openai/gpt-4o-mini")
    assert price is not None
    assert price.cost(Usage(1000, 0, cached_tokens=600)) == pytest.approx((400 * 0.15 + 600 * 0.075) / 1e6)


def test_tokens_that_were_not_counted_have_no_price() -> None:
    price = find_price("openai/gpt-4o-mini")
    assert price is not None
    assert price.cost(Usage()) is None
    assert price.cost(Usage(10, None)) is None


def test_an_unknown_model_has_no_price_and_a_dated_name_has_its_familys() -> None:
    assert find_price("openai/gpt-99") is None
    assert find_price("openai/gpt-4o-mini-2024-07-18") == find_price("openai/gpt-4o-mini")
    assert find_price("openai/gpt-4o-minimal") is None


@pytest.mark.parametrize("spec", ["gguf/a.gguf", "ollama/qwen3:4b", "vllm/x", "llama-server/x", "lmstudio/x"])
def test_models_on_ones_own_machine_cost_nothing(spec: str) -> None:
    price = find_price(spec)
    assert price is not None
    assert price.estimate(1e6, 1e6) == 0


def test_the_users_prices_win(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        '[[price]]\nmodel = "openai/gpt-4o-mini"\ninput = 1\noutput = 2\n'
        '[[price]]\nmodel = "vllm/x"\ninput = 3\noutput = 0\n'
    )
    price = find_price("openai/gpt-4o-mini", user_file=mine)
    assert price is not None
    assert price.cost(Usage(1_000_000, 1_000_000)) == 3
    rented = find_price("vllm/x", user_file=mine)
    assert rented is not None
    assert rented.input == 3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('model = "a/b"\ninput = 1', "lacks output"),
        ('model = "a/b"\ninput = -1\noutput = 1', "input must be a number"),
        ('model = "a/b"\ninput = "1"\noutput = 1', "input must be a number"),
        ('model = "a/b"\ninput = 1\noutput = 1\nuotput = 2', "unknown fields: uotput"),
        ('model = "a/b"\ninput = 1\noutput = 1\nmode = "talk"', "mode must be one of .*'talk'"),
    ],
)
def test_a_faulty_price_file_is_named_with_its_fault(tmp_path: Path, row: str, message: str) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(f"[[price]]\n{row}\n")
    with pytest.raises(RunError, match=message) as caught:
        find_price("openai/gpt-4o", user_file=mine)
    assert "mine.toml" in str(caught.value)


def test_every_row_says_where_it_is_from_and_of_when() -> None:
    rows = builtin("prices.toml")["price"]
    assert len(rows) >= 40
    assert all(row["source"].startswith("https://") and row["as_of"].year == 2026 for row in rows)


# ---- beside another table

THEIRS = {
    "sample_spec": {"input_cost_per_token": "a text", "litellm_provider": "one of …"},
    "gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "litellm_provider": "openai"},
    "gpt-4o-mini": {"input_cost_per_token": 3e-07, "output_cost_per_token": 6e-07, "litellm_provider": "openai"},
    "gpt-4o-2024-05-13": {"input_cost_per_token": 5e-06, "output_cost_per_token": 15e-06, "litellm_provider": "openai"},
    "gpt-4.1-2030-01-01": {"input_cost_per_token": 9e-06, "output_cost_per_token": 8e-06, "litellm_provider": "openai"},
    "gpt-4.1-2030-02-02": {"input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06, "litellm_provider": "openai"},
    "azure/gpt-5": {"input_cost_per_token": 1.0, "output_cost_per_token": 1.0, "litellm_provider": "azure"},
    "xai/grok-4.3": {"input_cost_per_token": None, "output_cost_per_token": True, "litellm_provider": "xai"},
    "whisper": {"input_cost_per_second": 1e-4, "litellm_provider": "openai"},
    "odd": [1],
}  # fmt: skip


def compared(table: str, *more: object) -> dict[str, dict[str, Any]]:
    done = clika("models", "prices", table, *more, "--json")
    return {row["model"]: row for row in json.loads(done.stdout)["prices"]}


def test_prices_are_compared_with_a_published_table_and_dated_names_with_their_own(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(json.dumps(THEIRS))
    found = compared(str(file))
    assert found["openai/gpt-4o"]["verdict"] == "same"
    mini = found["openai/gpt-4o-mini"]
    assert (mini["verdict"], mini["input"], mini["their_input"]) == ("differs", 0.15, pytest.approx(0.3))
    assert found["openai/gpt-4o-2024-05-13"]["verdict"] == "same"
    later = found["openai/gpt-4.1-2030-01-01"]
    assert (later["verdict"], later["priced_as"], later["their_input"]) == ("differs", "openai/gpt-4.1", 9)
    assert "openai/gpt-4.1-2030-02-02" not in found
    assert {found[name]["verdict"] for name in ("openai/gpt-5", "xai/grok-4.3")} == {"not listed"}
    assert len(found) == len(known_prices()) + 1
    shown = clika("models", "prices", file).stdout
    assert "openai/gpt-4o-mini" in shown
    assert "2 same, 2 differs" in shown


def test_ones_own_prices_are_compared_too(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_text(json.dumps(THEIRS))
    (tmp_path / "mine.toml").write_text('[[price]]\nmodel = "openai/gpt-4o-mini"\ninput = 0.3\noutput = 0.6\n')
    found = compared(str(tmp_path / "table.json"), "--prices", tmp_path / "mine.toml")
    assert found["openai/gpt-4o-mini"]["verdict"] == "same"


def test_the_table_may_be_fetched_and_is_told_when_it_is_none(tmp_path: Path) -> None:
    answers = {"/good": Answer(200, THEIRS), "/text": Answer(200, b"<html>"), "/list": Answer(200, [1])}
    with Loopback(lambda seen: answers.get(seen.path, Answer(404, {}))) as server:
        root = server.url.removesuffix("/v1")
        assert compared(f"{root}/good")["openai/gpt-4o"]["verdict"] == "same"
        for path, said in ("/text", "not JSON"), ("/list", "not litellm's table"), ("/none", "answered 404"):
            assert said in clika("models", "prices", root + path, check=2).stderr
    assert "cannot be reached" in clika("models", "prices", f"http://127.0.0.1:{free_port()}/x", check=2).stderr
    assert "cannot read" in clika("models", "prices", tmp_path / "none.json", check=2).stderr


def test_the_table_itself_is_shown_with_its_dates() -> None:
    assert "2026-11-10" in clika("models", "prices").stdout


def test_a_snapshot_that_costs_something_else_is_not_priced_as_its_family() -> None:
    price = find_price("openai/gpt-4o-2024-05-13")
    assert price is not None
    assert (price.input, price.output) == (5, 15)
