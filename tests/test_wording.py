"""A number agrees with its noun, and a mistyped name is answered with the one that was meant."""

import pytest

from clika_client.common.wording import counted, did_you_mean, instead, nearest

STORED = ["openai/atlas-large", "openai/atlas-mid", "gguf/Qwen3-4B.gguf", "mock/pick:1"]


@pytest.mark.parametrize(
    ("n", "noun", "said"),
    [
        (0, "item", "0 items"),
        (1, "language", "1 language"),
        (2, "language", "2 languages"),
        (1, "new reply", "1 new reply"),
        (12_000, "reply", "12,000 replies"),
        (3, "key", "3 keys"),
    ],
)
def test_a_noun_is_plural_for_all_numbers_but_one(n: int, noun: str, said: str) -> None:
    assert counted(n, noun) == said


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("atlas-large", "openai/atlas-large"),
        ("large", "openai/atlas-large"),
        ("Atlas-Large", "openai/atlas-large"),
        ("atlas-lagre", "openai/atlas-large"),
        ("openai/atlas-lrge", "openai/atlas-large"),
        ("anthropic/atlas-large", "openai/atlas-large"),
        ("qwen3-4b", "gguf/Qwen3-4B.gguf"),
        ("pick:1", "mock/pick:1"),
    ],
)
def test_a_name_without_its_provider_or_mistyped_finds_the_stored_one_first(typed: str, meant: str) -> None:
    assert nearest(typed, STORED)[0] == meant


def test_nothing_is_suggested_for_a_name_like_no_other() -> None:
    assert did_you_mean("claude", STORED) == did_you_mean("", STORED) == did_you_mean("e", ["mock/false"]) == ""


def test_a_wrong_name_is_followed_by_what_may_be_meant_and_all_there_are() -> None:
    stored = ("openai/m-large", "mock/a")
    assert instead("m-large", stored) == "did you mean openai/m-large? It has: mock/a, openai/m-large"
    assert instead("claude", stored) == "it has: mock/a, openai/m-large"
    assert instead("claude", ()) == "it has: none"
