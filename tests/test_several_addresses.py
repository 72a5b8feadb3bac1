"""One model at several addresses: checked to be one, asked by load, one row; a lost address takes nothing with it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from clika import clika, count, write_probes
from servers.loopback import Answer, Behaviour, Loopback, Seen, chat

from clika_client.sets.demo import GGUF


def model(
    root: str = "/data/weights-1", *, text: str = "B", logprob: float | None = None, delay_s: float = 0.0,
    told: bool = True,
) -> Behaviour:  # fmt: skip
    """A server of one model: what its list tells, what it says, and how likely its first token is."""

    def behave(seen: Seen) -> Answer:
        if seen.method == "GET":
            return Answer(200, {"data": [{"id": "m", "root": root}]}) if told else Answer(404, {})
        said = chat(text)
        if logprob is not None and "logprobs" in seen.json():
            top = [{"token": text, "logprob": logprob}, {"token": "other", "logprob": math.log(0.06)}]
            said["choices"][0]["logprobs"] = {"content": [{"token": text, "logprob": logprob, "top_logprobs": top}]}
        return Answer(200, said, delay_s=delay_s)

    return behave


def run(tmp_path: Path, *urls: str, n: int = 20, check: int = 0, more: tuple[Any, ...] = ()) -> Any:
    probes = write_probes(tmp_path / "mine.jsonl", n)
    named = [word for url in urls for word in ("--base-url", url)]
    return clika("run", probes, "-m", "openai/m", *named, "--db", tmp_path / "c.db", "--bootstrap", "0", *more,
                 check=check, OPENAI_API_KEY="sk-planted-0123456789abcdef")  # fmt: skip


def asked(server: Loopback) -> int:
    """Questions of the set, the probe left out."""
    return sum(one.method == "POST" and "question number" in one.body.decode() for one in server.seen)


def test_questions_go_where_fewest_wait_and_the_row_is_that_of_the_first_address(tmp_path: Path) -> None:
    with Loopback(model(delay_s=0.01)) as one, Loopback(model("/elsewhere/weights-1", delay_s=0.05)) as other:
        done = run(tmp_path, one.url, other.url, n=40, more=("--concurrency", "4"))
        assert asked(one) + asked(other) == 80
        assert asked(one) > asked(other) > 0, "the faster one is given more"
        assert "asked at 2 addresses" in done.stdout + done.stderr
        before = asked(one) + asked(other)
        again = run(tmp_path, one.url, n=40)
        assert asked(one) + asked(other) == before, "a run with the first address alone finds every reply"
        assert "nothing to send" in again.stderr


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (model(), model("/data/weights-2"), "root is weights-1 and weights-2"),
        (model(), model(text="C", told=False), "4 of 4 fixed prompts were answered differently"),
        (
            model(logprob=math.log(0.9)),
            model(logprob=math.log(0.3), told=False),
            "4 of 4 fixed prompts were answered differently",
        ),
    ],
    ids=["told", "texts", "probabilities"],
)
def test_other_weights_are_refused_in_a_sentence_before_anything_is_asked(
    tmp_path: Path, one: Behaviour, other: Behaviour, said: str
) -> None:
    with Loopback(one) as first, Loopback(other) as second:
        done = run(tmp_path, first.url, second.url, check=2)
        assert f"do not serve the same weights: {said}" in " ".join(done.stderr.split())
        assert (asked(first), asked(second), count(tmp_path / "c.db")) == (0, 0, 0)


def test_equal_weights_on_other_hardware_are_one_model(tmp_path: Path) -> None:
    with Loopback(model(logprob=math.log(0.8))) as one, Loopback(model(logprob=math.log(0.7))) as two:
        done = run(tmp_path, one.url, two.url, n=4)
        assert "log-probabilities within 0.13" in done.stdout + done.stderr


def test_an_address_that_dies_takes_no_question_with_it(tmp_path: Path) -> None:
    with Loopback(model(delay_s=0.01)) as one, Loopback(model(delay_s=0.01), die_after=15) as two:
        done = run(tmp_path, one.url, two.url, n=30, more=("--patience", "1"))
        assert count(tmp_path / "c.db") == 60
        assert "is left out" in done.stdout + done.stderr


def test_an_address_where_nothing_answers_is_left_out_and_said(tmp_path: Path) -> None:
    with Loopback(model()) as one:
        done = run(tmp_path, one.url, "http://127.0.0.1:1/v1", n=4)
        assert count(tmp_path / "c.db") == 8
        assert "127.0.0.1:1/v1 is left out" in done.stdout + done.stderr


def test_claude_is_not_asked_at_several_addresses(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 2)
    done = clika("run", probes, "-m", "anthropic/m", "--base-url", "http://127.0.0.1:1", "--base-url",
                 "http://127.0.0.1:2", "--dry-run", check=2)  # fmt: skip
    assert "several --base-url are for servers that speak chat completions" in done.stderr


@pytest.mark.parametrize("model", ["mock/say:A", f"gguf/{GGUF}"])
def test_an_address_that_no_model_of_a_run_has_is_refused(tmp_path: Path, model: str) -> None:
    addresses = ("--base-url", "http://127.0.0.1:1/v1", "--base-url", "http://127.0.0.1:2/v1")
    done = clika(
        "run", write_probes(tmp_path / "mine.jsonl"), "-m", model, "--db", tmp_path / "c.db", *addresses, check=2
    )
    assert "--base-url http://127.0.0.1:1/v1 changes nothing" in done.stderr
