"""Label probabilities out of top lists of tokens."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.asking import ask_one, question
from servers.loopback import Answer, Loopback, Seen, chat

from clika_providers.hosted.logprobs import of_labels


def entry(token: str, **tops: float) -> dict[str, Any]:
    return {"token": token, "logprob": -0.1, "top_logprobs": [{"token": t, "logprob": p} for t, p in tops.items()]}


def tops(**probabilities: float) -> list[dict[str, Any]]:
    return [{"token": t, "logprob": math.log(p)} for t, p in probabilities.items()]


def test_variants_of_a_label_count_together() -> None:
    top = [(" B", 0.3), ("B", 0.2), ("b", 0.1), ("**B", 0.05), ("A", 0.2), ("(A)", 0.01), ("The", 0.1)]
    content = [{"token": "B", "top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in top]}]
    got = of_labels({"content": content}, ("A", "B", "C"))
    assert got is not None
    assert got[0] == pytest.approx(math.log(0.21))
    assert got[1] == pytest.approx(math.log(0.65))
    assert got[2] is None


def test_letter_case_tells_labels_apart_when_the_labels_do() -> None:
    content = [{"token": "a", "top_logprobs": tops(a=0.6, A=0.3)}]
    got = of_labels({"content": content}, ("A", "a"))
    assert got == (pytest.approx(math.log(0.3)), pytest.approx(math.log(0.6)))


def test_a_word_that_begins_with_a_label_is_not_the_label() -> None:
    content = [{"token": "A", "top_logprobs": tops(Apple=0.6, Bad=0.2, A=0.1)}]
    assert of_labels({"content": content}, ("A", "B")) == (pytest.approx(math.log(0.1)), None)


def test_the_first_token_that_says_something_decides() -> None:
    content = [
        {"token": "\n", "top_logprobs": tops(A=0.9)},
        {"token": "C", "top_logprobs": tops(C=0.5, A=0.25)},
        {"token": "A", "top_logprobs": tops(A=1.0)},
    ]
    assert of_labels({"content": content}, ("A", "C")) == (pytest.approx(math.log(0.25)), pytest.approx(math.log(0.5)))


def test_labels_of_other_scripts_are_found() -> None:
    content = [{"token": "ب", "top_logprobs": [{"token": " ب", "logprob": -0.5}, {"token": "أ", "logprob": -1.5}]}]
    assert of_labels({"content": content}, ("أ", "ب")) == (pytest.approx(-1.5), pytest.approx(-0.5))


def test_the_older_shape_is_read_too() -> None:
    older = {"tokens": [" B"], "token_logprobs": [-0.2], "top_logprobs": [{" B": -0.2, " A": -2.0}]}
    assert of_labels(older, ("A", "B")) == (pytest.approx(-2.0), pytest.approx(-0.2))


@pytest.mark.parametrize("nothing", [None, {}, {"content": None}, {"content": []}, {"content": ["x"]}, [], "no"])
def test_where_there_are_none_there_are_none(nothing: Any) -> None:
    assert of_labels(nothing, ("A", "B")) is None


@given(st.lists(st.tuples(st.text(max_size=4), st.floats(allow_nan=True, allow_infinity=True)), max_size=25))
def test_no_top_list_however_odd_gives_a_probability_above_one(pairs: list[tuple[str, float]]) -> None:
    content = [{"token": "A", "top_logprobs": [{"token": t, "logprob": p} for t, p in pairs]}]
    got = of_labels({"content": content}, ("A", "B", "ب"))
    assert got is None or all(v is None or v <= 0 for v in got)


def test_a_logprobs_request_asks_for_a_top_list_and_few_tokens() -> None:
    def behave(seen: Seen) -> Answer:
        data = chat("B")
        data["choices"][0]["logprobs"] = {"content": [entry("B", B=-0.1, A=-2.5)]}
        return Answer(200, data)

    with Loopback(behave) as server:
        got = ask_one("vllm/m", question(mode="logprobs", labels=("A", "B")), base_url=server.url)
        sent = server.seen[0].json()
    assert got.choice_logprobs == (pytest.approx(-2.5), pytest.approx(-0.1))
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 20)
    assert sent["max_tokens"] <= 4
