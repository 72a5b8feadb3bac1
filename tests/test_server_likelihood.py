"""Likelihoods from servers: each server's own form is found by trying, and the figures are those of the definition."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf_factory
import pytest
from clika import clika, count, records, write_probes
from servers.llama import binary_missing, llama_cpp_server, llama_server, missing
from servers.loopback import Answer, Behaviour, Loopback, Seen, chat

from clika_providers import Completion, Message, Provider, ProviderOptions, Request, RunError
from clika_providers.registry import connect

ASKED = Request(
    (Message("user", "Question: capital of France?\nAnswer:"),),
    "likelihood",
    options=(" Paris", " Bad Homburg", " Bad Ems"),
    neutral=(Message("user", "Answer:"),),
)
needs_server = pytest.mark.skipif(
    missing() is not None and not os.environ.get("CLIKA_REQUIRE_SERVERS"), reason=str(missing())
)


# --- a model that can be computed by hand: a token costs its letters, and a tenth of its place ----------


def pieces(text: str) -> list[str]:
    return re.findall(r" ?\w+|\s|[^\w\s]", text)


def cost(tokens: list[str], at: int) -> float | None:
    return None if at == 0 else -float(len(tokens[at])) - at / 10


def by_hand(text: str, option: str) -> float:
    start, whole = len(pieces(text)), pieces(text + option)
    return sum(cost(whole, at) or 0.0 for at in range(start, len(whole)))


def number(token: str) -> int:
    return int.from_bytes(token.encode(), "big")


def word(token: int) -> str:
    return token.to_bytes((token.bit_length() + 7) // 8, "big").decode()


def vllm(seen: Seen) -> Answer:
    tokens = pieces(seen.json()["prompt"])
    if not seen.path.endswith("/v1/completions"):
        return Answer(404, {"error": {"message": "Not Found"}})
    listed: list[Any] = [None]
    listed += [{str(number(t)): {"logprob": cost(tokens, at), "rank": 9}} for at, t in enumerate(tokens) if at]
    return Answer(body={"choices": [{"text": " x", "prompt_logprobs": listed}], "usage": {"prompt_tokens": 7}})


def echoing(seen: Seen) -> Answer:
    body = seen.json()
    tokens = pieces(body["prompt"])
    held = {"tokens": [*tokens, " x"], "token_logprobs": [*(cost(tokens, at) for at in range(len(tokens))), -0.5]}
    choice = {"text": body["prompt"] + " x", "logprobs": held if body.get("echo") else None, "finish_reason": "length"}
    return Answer(body={"choices": [choice], "usage": {"prompt_tokens": len(tokens), "completion_tokens": 1}})


def sglang(seen: Seen) -> Answer:
    if seen.path != "/generate":
        return Answer(400, {"error": {"message": "echo is not compatible with logprobs"}})
    tokens = pieces(seen.json()["text"])
    listed = [[cost(tokens, at), number(token), None] for at, token in enumerate(tokens)]
    return Answer(body={"text": " x", "meta_info": {"prompt_tokens": len(tokens), "input_token_logprobs": listed}})


def llama_cpp(seen: Seen) -> Answer:
    body = seen.json()
    if seen.path == "/tokenize":
        return Answer(body={"tokens": [number(token) for token in pieces(body["content"])]})
    if seen.path == "/completion":
        ((forced, bias),) = body["logit_bias"]
        assert (bias > 1000, body["n_predict"], body["n_probs"]) == (True, 1, 1)
        tokens = [*map(word, body["prompt"]), word(forced)]
        told = {"id": forced, "token": tokens[-1], "logprob": cost(tokens, len(tokens) - 1), "top_logprobs": []}
        return Answer(body={"content": tokens[-1], "completion_probabilities": [told]})
    return Answer(500 if body.get("echo") else 200, {"error": {"message": "Only no echo is supported"}})


def chats_only(seen: Seen) -> Answer:
    return Answer(body=chat("A")) if seen.path.endswith("chat/completions") else Answer(404, {"detail": "Not Found"})


FORMS: dict[str, Behaviour] = {
    "prompt_logprobs": vllm, "echo": echoing, "/generate": sglang, "/completion with a forced token": llama_cpp,
}  # fmt: skip


async def using(spec: str, url: str, ask: Callable[[Provider], Any], **options: Any) -> Any:
    provider = connect(spec, ProviderOptions(base_url=url, max_retries=0, **options))
    try:
        return await ask(provider)
    finally:
        await provider.aclose()


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_figures_of_the_definition_and_shares_what_can_be_shared(form: str) -> None:
    with Loopback(FORMS[form]) as server:
        found: Completion = asyncio.run(using("openai/some-model", server.url, lambda p: p.complete(ASKED)))
    text = ASKED.messages[0].content
    assert found.choice_logprobs == pytest.approx([by_hand(text, option) for option in ASKED.options])
    assert found.neutral_logprobs == pytest.approx([by_hand("Answer:", option) for option in ASKED.options])
    assert found.option_tokens == (1, 2, 2)
    assert found.text == "Paris"
    assert json.loads(found.raw or "")["form"] == form


def test_equal_beginnings_of_options_are_asked_of_llama_server_once() -> None:
    with Loopback(llama_cpp) as server:
        asyncio.run(using("openai/some-model", server.url, lambda p: p.complete(ASKED)))
        forced = [one.json()["prompt"] for one in server.seen if one.path == "/completion"]
    text = [number(token) for token in pieces(ASKED.messages[0].content)]
    after = [len(prompt) - len(text) for prompt in forced if prompt[: len(text)] == text]
    assert sorted(after) == [0, 0, 1, 1]  # Paris, Bad; Homburg, Ems


def test_a_probability_too_small_for_llama_server_makes_an_option_unlikely_and_no_figure_senseless() -> None:
    def rounded(seen: Seen) -> Answer:
        answer = llama_cpp(seen)
        if seen.path == "/completion" and seen.json()["logit_bias"][0][0] == number(" Paris"):
            answer.body["completion_probabilities"][0]["logprob"] = -3.4028234663852886e38
        return answer

    with Loopback(rounded) as server:
        found = asyncio.run(using("openai/some-model", server.url, lambda p: p.complete(ASKED)))
    assert found.choice_logprobs[0] == pytest.approx(-149 * math.log(2))
    assert found.text != "Paris"


def test_the_neutral_prompt_is_asked_once_for_all_questions_with_the_same_options() -> None:
    async def twice(provider: Provider) -> None:
        await provider.complete(ASKED)
        other = Request((Message("user", "Q: another?\nAnswer:"),), "likelihood", (), options=ASKED.options,
                        neutral=ASKED.neutral)  # fmt: skip
        await provider.complete(other)

    with Loopback(vllm) as server:
        asyncio.run(using("openai/some-model", server.url, twice))
        texts = [one.json()["prompt"] for one in server.seen]
    assert texts.count("Answer: Paris") == 1


def test_a_server_that_tells_none_is_refused_in_one_sentence_and_leaves_no_run(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 2)
    db = tmp_path / "c.db"
    with Loopback(chats_only) as server:
        given = ("-m", "openai/some-model", "--base-url", server.url, "--ask", "likelihood", "--db", db)
        said = clika("run", probes, *given, check=2).stderr.replace("\n", " ")
    assert "tells no probabilities of texts that its model did not write" in said
    assert "gguf/FILE" in said
    assert count(db, "runs") == count(db, "cells") == 0


def test_a_vendor_of_chats_is_refused_without_being_asked() -> None:
    provider: Any = connect("mistral/some-model", ProviderOptions(need_key=False))
    with pytest.raises(RunError, match="chat API"):
        asyncio.run(provider.likelihood_form())


def test_models_check_says_in_which_form_likelihoods_are_told() -> None:
    def both(seen: Seen) -> Answer:
        return chats_only(seen) if "chat" in seen.path or seen.method == "GET" else vllm(seen)

    for behave, form in ((both, "prompt_logprobs"), (chats_only, None)):
        with Loopback(behave) as server:
            done = clika("models", "check", "openai/some-model", "--base-url", server.url, "--json", check=None)
        assert json.loads(done.stdout)["likelihood"] == form


@needs_server
def test_a_real_server_says_what_the_model_in_this_process_says(tmp_path: Path) -> None:
    base = gguf_factory.make(tmp_path / "base.gguf", gguf_factory.Recipe(template=None, seed=5))
    probes = write_probes(tmp_path / "mine.jsonl", 3)
    common = ("--ask", "likelihood", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    with llama_server(base) as url:
        told = asyncio.run(using("llama-server/base", url, lambda p: p.complete(ASKED)))
        rows = records(clika("run", probes, "-m", "llama-server/base", "--base-url", url, *common))
    here = asyncio.run(using(f"gguf/{base}", url, lambda p: p.complete(ASKED)))
    assert told.choice_logprobs == pytest.approx(here.choice_logprobs, abs=1e-3)
    assert told.neutral_logprobs == pytest.approx(here.neutral_logprobs, abs=1e-3)
    assert told.option_tokens == here.option_tokens
    local = records(clika("run", probes, "-m", f"gguf/{base}", *common))
    assert [r["accuracy"] for r in rows] == [r["accuracy"] for r in local if r["model"].startswith("gguf/")]
    assert {(r["ask"], r["reading"]) for r in rows} == {("likelihood", "sum")}


@needs_server
def test_a_server_that_tells_each_tokens_successor_is_found_out() -> None:
    """llama-cpp-python's server does for models whose text does not begin with BOS, such as the demo model."""
    demo = Path(__file__).parents[1] / "clika_client" / "data" / "demo" / "clika-demo.q8_0.gguf"
    with llama_server(demo) as url, pytest.raises(RunError, match="successor"):
        asyncio.run(using("llama-server/demo", url, lambda p: p.complete(ASKED)))


# --- llama.cpp's own llama-server, where one is named ----------------------------------------------------


@pytest.mark.skipif(binary_missing() is not None, reason=str(binary_missing()))
@pytest.mark.parametrize("recipe", [{"template": None}, {}], ids=["base", "chat"])
def test_llama_server_says_what_the_model_in_this_process_says(tmp_path: Path, recipe: dict[str, Any]) -> None:
    """Likelihoods, and letters where there is a template to put the question in."""
    model = gguf_factory.make(tmp_path / "m.gguf", gguf_factory.Recipe(seed=5, **recipe))
    probes, db = write_probes(tmp_path / "mine.jsonl", 3), tmp_path / "c.db"
    letters = Request((Message("user", "1 + 1?\nA. 2\nB. 3\nAnswer:"),), "logprobs", ("A", "B"))
    with llama_cpp_server(model) as url:
        there = f"llama-server/{model.stem}"
        checked = json.loads(clika("models", "check", there, "--base-url", url, "--json").stdout)
        told = asyncio.run(using(there, url, lambda p: p.complete(ASKED)))
        shown = asyncio.run(using(there, url, lambda p: p.complete(letters)))
        asked = ("--ask", "likelihood", "--db", db, "--bootstrap", 0, "--json")
        clika("run", probes, "-m", there, "--base-url", url, "--ask", "text", "--db", db, "--bootstrap", 0)
        done = clika("run", probes, "-m", there, "--base-url", url, *asked)
    rows = [row for row in records(done) if row["ask"] == "likelihood"]
    assert "the model behind the name changed" not in done.stderr + done.stdout
    assert checked["likelihood"] == "/completion with a forced token"
    here = asyncio.run(using(f"gguf/{model}", url, lambda p: p.complete(ASKED)))
    assert told.choice_logprobs == pytest.approx(here.choice_logprobs, abs=0.1)
    assert told.neutral_logprobs == pytest.approx(here.neutral_logprobs, abs=0.1)
    assert told.option_tokens == here.option_tokens
    if not recipe:
        mine = asyncio.run(using(f"gguf/{model}", url, lambda p: p.complete(letters)))
        assert shown.choice_logprobs == pytest.approx(mine.choice_logprobs, abs=0.1)
    local = records(clika("run", probes, "-m", f"gguf/{model}", *asked))
    assert [r["accuracy"] for r in rows] == [r["accuracy"] for r in local if r["model"].startswith("gguf/")]
