"""What requests cost; oracles are the vendors' prices per million tokens and plain arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from clika_providers import RunError, Usage
from clika_providers.prices import find_price
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
