"""The likelihood of options: as the whole text's own logits say, the same bits however asked, shared work done once."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf_factory as factory
import numpy as np
import pytest
from heavy import later

from clika_providers import ItemError, Message, ProviderOptions, Request
from clika_providers.gguf.engine import Engine
from clika_providers.gguf.files import open_model
from clika_providers.gguf.likelihood import tokenize, tree
from clika_providers.gguf.model_setup import _settings
from clika_providers.gguf.runner import ModelSession
from clika_providers.gguf.scorer import log_probabilities, log_softmax

llama_cpp = later("llama_cpp", "local")

BASE = factory.Recipe(template=None, seed=3)
WIDE = factory.Recipe(template=None, n_embd=256, n_ff=512, half=True, seed=2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factory.make(tmp_path_factory.mktemp("base") / "base.gguf", BASE)


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plain = factory.make(tmp_path_factory.mktemp("wide") / "wide.gguf", WIDE)
    made = plain.with_name("wide-q4.gguf")
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M, 1
    assert llama_cpp.llama_model_quantize(str(plain).encode(), str(made).encode(), ctypes.byref(params)) == 0
    return made


@pytest.fixture
def opened() -> Iterator[Callable[[Path], ModelSession]]:
    sessions: list[ModelSession] = []

    def make(path: Path) -> ModelSession:
        found = open_model(path)
        sessions.append(ModelSession(found, _settings(found, ProviderOptions(n_threads=1)), "test"))
        return sessions[-1]

    yield make
    for one in sessions:
        one.close()


def question(n: int) -> Request:
    rng = random.Random(n)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(1, 30))) for _ in range(9)]
    options = (f" {words[0]} one", f" {words[0]} two", f" {words[1]}", f" {words[2]} {words[3]}")
    text = f"Question: what is {' '.join(words[4 : rng.randint(6, 9)])}?\nAnswer:"
    return Request((Message("user", text),), "likelihood", options=options, neutral=(Message("user", "Answer:"),))


def asked(one: ModelSession, request: Request) -> Any:
    return one.answer(one.prepare(request))


@pytest.fixture(scope="module")
def whole_text(model: Path) -> Iterator[Callable[[str, str], float]]:
    """By the library's own evaluation of the whole text at once: the sum over the continuation's tokens."""
    llm = llama_cpp.Llama(str(model), n_ctx=512, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)

    def score(text: str, continuation: str) -> float:
        tokens = llm.tokenize((text + continuation).encode(), add_bos=True, special=False)
        start = len(llm.tokenize(text.encode(), add_bos=True, special=False))
        llm.reset()
        llm.eval(tokens)
        rows = [log_softmax(np.asarray(llm.scores[at - 1])) for at in range(start, len(tokens))]
        return float(sum(row[tokens[at]] for row, at in zip(rows, range(start, len(tokens)), strict=True)))

    yield score
    llm.close()


def test_an_option_scores_what_the_whole_text_evaluated_at_once_says(
    model: Path, opened: Callable[[Path], ModelSession], whole_text: Callable[[str, str], float]
) -> None:
    one = opened(model)
    for n in range(4):
        request = question(n)
        found = asked(one, request)
        for option, score, neutral in zip(request.options, found.choice_logprobs, found.neutral_logprobs, strict=True):
            assert score == pytest.approx(whole_text(request.messages[0].content, option), abs=1e-3)
            assert neutral == pytest.approx(whole_text("Answer:", option), abs=1e-3)
        assert found.text == request.options[int(np.argmax(found.choice_logprobs))].strip()


def test_likelihoods_are_the_same_bits_in_any_order_and_after_any_interruption(
    quantized: Path, opened: Callable[[Path], ModelSession]
) -> None:
    requests = [question(n) for n in range(8)]
    one = opened(quantized)
    first = {n: asked(one, requests[n]) for n in range(8)}
    another = opened(quantized)
    for n in (5, 2, 7, 2, 0):
        again = asked(another, requests[n])
        assert again.choice_logprobs == first[n].choice_logprobs
        assert again.neutral_logprobs == first[n].neutral_logprobs


def test_the_order_of_the_options_changes_no_bit(quantized: Path, opened: Callable[[Path], ModelSession]) -> None:
    one, request = opened(quantized), question(3)
    forward = asked(one, request)
    turned = asked(one, Request(request.messages, "likelihood", options=request.options[::-1]))
    assert turned.choice_logprobs == forward.choice_logprobs[::-1]


def test_a_chat_model_is_given_the_same_plain_text_as_a_base_model(
    tmp_path: Path, model: Path, opened: Callable[[Path], ModelSession]
) -> None:
    chat = factory.make(tmp_path / "chat.gguf", factory.Recipe(template=factory.WITH_BOS, seed=3))
    request = question(1)
    assert asked(opened(chat), request).choice_logprobs == asked(opened(model), request).choice_logprobs


def test_a_long_option_and_a_model_with_one_state_a_sequence_score_alike(
    model: Path, opened: Callable[[Path], ModelSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (" " + "a b c d e f " * 12, " a b c", " x", " a b c d e y")
    long = Request((Message("user", "Tell me:"),), "likelihood", options=options)
    as_tree = asked(opened(model), long).choice_logprobs
    monkeypatch.setattr(Engine, "branches", property(lambda _: False))
    one_by_one = asked(opened(model), long).choice_logprobs
    assert one_by_one == pytest.approx(as_tree, abs=1e-3)


def test_equal_beginnings_are_evaluated_once_and_the_last_tokens_never() -> None:
    nodes, places = tree([(1, 2, 3), (1, 2, 4, 5), (1, 6), (7,)])
    assert [(node.token, node.depth, node.branches) for node in nodes] == [
        (1, 0, (0, 1, 2)),
        (2, 1, (0, 1)),
        (4, 2, (1,)),
    ]
    assert places == [[0, 1], [0, 1, 2], [0], []]


def test_work_that_neighbours_share_is_counted_as_spared(model: Path, opened: Callable[[Path], ModelSession]) -> None:
    one = opened(model)
    head = "Instruction that all questions share, long enough to be worth keeping. " * 3
    texts = [f"{head}Question {n}:" for n in range(3)]
    usages = [
        asked(one, Request((Message("user", text),), "likelihood", options=(" yes it is", " yes it was"))).usage
        for text in texts
    ]
    assert usages[0].cached_tokens < 20
    assert all(usage.cached_tokens > 0.6 * usage.input_tokens for usage in usages[1:])


def test_tokens_joined_across_the_seam_belong_to_every_option(
    model: Path, opened: Callable[[Path], ModelSession]
) -> None:
    engine = opened(model).engine
    found = tokenize(engine, "Say xa", ["b", "c"])  # `ab` and `ac` are tokens, so the `a` is not part of the prompt
    assert b"".join(engine.piece(t) for t in found.prompt[1:]).endswith(b"x")
    assert [b"".join(engine.piece(t) for t in path) for path in found.paths] == [b"ab", b"ac"]


def test_options_that_begin_the_text_come_after_the_token_between_texts(
    model: Path, opened: Callable[[Path], ModelSession]
) -> None:
    one = opened(model)
    found = asked(one, Request((), "likelihood", options=("Paris is large.", "Rome is large.")))
    assert tokenize(one.engine, "", ["Paris", "Rome"]).prompt == (one.engine.boundary(),)
    assert all(score < 0 for score in found.choice_logprobs)


def test_an_empty_option_is_refused_by_name(model: Path, opened: Callable[[Path], ModelSession]) -> None:
    with pytest.raises(ItemError, match="''"):
        opened(model).prepare(Request((Message("user", "Q:"),), "likelihood", options=(" a", "")))


def test_the_probability_of_a_few_tokens_has_the_bits_of_the_whole_vocabulary() -> None:
    logits = np.random.default_rng(0).normal(0, 9, 5000).astype(np.float32)
    whole = log_softmax(logits)
    assert log_probabilities(logits, [0, 17, 4999]) == {at: float(whole[at]) for at in (0, 17, 4999)}
