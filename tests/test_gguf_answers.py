"""Local answers are those of llama.cpp's own chat completion, and the same bits however they were asked for."""

from __future__ import annotations

import asyncio
import ctypes
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf_factory as factory
import numpy as np
import pytest
from heavy import later

from clika_providers import Completion, ItemError, Message, ProviderError, ProviderOptions, Request, RunError
from clika_providers.gguf import connect
from clika_providers.gguf.divisions import BLOCK, LEAST
from clika_providers.gguf.engine import Engine
from clika_providers.gguf.files import open_model
from clika_providers.gguf.model_setup import _settings
from clika_providers.gguf.runner import ModelSession
from clika_providers.gguf.scorer import log_softmax

llama_cpp = later("llama_cpp", "local")

LABELS = ("A", "B", "C", "D", "E")
TEMPLATES = {
    "with BOS": factory.WITH_BOS,
    "without BOS": factory.WITHOUT_BOS,
    "thinking switched off": factory.SWITCHED_THINKING,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("models")
    made: list[tuple[factory.Recipe, Path]] = []

    def make(recipe: factory.Recipe | None = None) -> Path:
        wanted = recipe or factory.Recipe()
        for known, path in made:
            if known == wanted:
                return path
        made.append((wanted, factory.make(folder / f"{len(made)}.gguf", wanted)))
        return made[-1][1]

    return make


def session(path: Path, **options: object) -> ModelSession:
    model = open_model(path)
    return ModelSession(model, _settings(model, ProviderOptions(n_threads=1, **options)), "test")  # type: ignore[arg-type]


@pytest.fixture
def opened(models: Callable[..., Path]) -> Iterator[Callable[..., ModelSession]]:
    sessions: list[ModelSession] = []

    def make(recipe: factory.Recipe | None = None, **options: object) -> ModelSession:
        sessions.append(session(models(recipe), **options))
        return sessions[-1]

    yield make
    for one in sessions:
        one.close()


def question(n: int, head: str = "Choose the right option.\n") -> str:
    rng = random.Random(n)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 9))) for _ in range(12)]
    options = "".join(f"{label}. {word}\n" for label, word in zip(LABELS, words[:5], strict=True))
    return f"{head}Question:what is {' '.join(words[5 : rng.randint(6, 12)])}?\n{options}Answer:"


def request(*contents: str, mode: str = "logprobs", **fields: object) -> Request:
    *system, user = contents
    messages = (*(Message("system", one) for one in system), Message("user", user))
    return Request(messages, mode=mode, **{"labels": LABELS, **fields})  # type: ignore[arg-type]


def answer(one: ModelSession, asked: Request) -> Completion:
    return one.answer(one.prepare(asked))


@pytest.fixture(scope="module")
def chat() -> Iterator[Callable[..., tuple[list[int], str]]]:
    """The prompt's tokens and the greedy text of the library's own chat completion."""
    loaded: dict[Path, Any] = {}

    def complete(path: Path, messages: Sequence[Message]) -> tuple[list[int], str]:
        if path not in loaded:
            loaded[path] = llama_cpp.Llama(str(path), n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False)
        llm = loaded[path]
        turns = [{"role": m.role, "content": m.content} for m in messages]
        reply = llm.create_chat_completion(turns, max_tokens=1, temperature=0.0)
        tokens = llm.input_ids[: reply["usage"]["prompt_tokens"]].tolist()
        return tokens, reply["choices"][0]["message"]["content"]

    yield complete
    for llm in loaded.values():
        llm.close()


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("system", [(), ("You are a geographer.",)], ids=["user only", "system"])
def test_both_paths_give_the_tokens_of_chat_completion(
    models: Callable[..., Path],
    opened: Callable[..., ModelSession],
    chat: Callable[..., tuple[list[int], str]],
    name: str,
    system: tuple[str, ...],
) -> None:
    recipe = factory.Recipe(template=TEMPLATES[name])
    asked = request(*system, question(1), thinking=False)
    ours = opened(recipe)
    scored = ours.prepare(asked)
    generated = ours.prepare(request(*system, question(1), mode="text"))
    # The library's own call cannot switch thinking off; what it renders is then the beginning of ours.
    tokens, _ = chat(models(recipe), asked.messages)
    assert list(scored.tokens[: len(tokens)]) == tokens
    assert generated.tokens == scored.tokens
    if name != "thinking switched off":
        assert len(scored.tokens) == len(tokens)
        assert (scored.tokens[0] == 1) is (name == "with BOS")


@pytest.mark.parametrize("template", [factory.NO_SYSTEM, factory.DROPS_SYSTEM], ids=["refuses", "drops"])
def test_a_system_role_the_template_does_not_take_moves_into_the_user_turn(
    models: Callable[..., Path],
    opened: Callable[..., ModelSession],
    chat: Callable[..., tuple[list[int], str]],
    template: str,
) -> None:
    recipe = factory.Recipe(template=template)
    ours = opened(recipe).prepare(request("Be brief.", question(2)))
    tokens, _ = chat(models(recipe), [Message("user", "Be brief.\n\n" + question(2))])
    assert list(ours.tokens) == tokens


def test_a_base_model_gets_the_plain_text_and_its_own_bos(
    models: Callable[..., Path], opened: Callable[..., ModelSession]
) -> None:
    recipe = factory.Recipe(template=None)
    llm = llama_cpp.Llama(str(models(recipe)), n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False)
    expected = llm.tokenize(question(3).encode(), add_bos=True, special=False)
    llm.close()
    one = opened(recipe)
    assert list(one.prepare(request(question(3))).tokens) == expected
    assert expected[0] == 1
    shot = Request((Message("user", "1+1?\nAnswer:"), Message("assistant", "2"), Message("user", "2+2?\nAnswer:")))
    tokens = one.prepare(shot).tokens
    assert b"".join(one.engine.piece(t) for t in tokens[1:]) == b"1+1?\nAnswer: 2\n\n2+2?\nAnswer:"


@pytest.mark.parametrize("template", [factory.WITH_BOS, factory.WITHOUT_BOS], ids=["with BOS", "without"])
def test_greedy_text_chat_completion_and_scores_name_the_same_answer(
    models: Callable[..., Path],
    opened: Callable[..., ModelSession],
    chat: Callable[..., tuple[list[int], str]],
    template: str,
) -> None:
    recipe = factory.Recipe(template=template, seed=4)
    one = opened(recipe)
    answers = []
    for n in range(12):
        asked = request(question(n))
        _, said = chat(models(recipe), asked.messages)
        assert answer(one, asked).text == said
        assert answer(one, request(question(n), mode="text", max_tokens=1)).text == said
        assert answer(one, request(question(n), mode="text", max_tokens=4)).text[0] == said
        answers.append(said)
    assert len(set(answers)) > 1  # otherwise agreement would mean nothing


def quantized(path: Path, kind: str) -> Path:
    made = path.with_name(f"{path.stem}-{kind}.gguf")
    if not made.exists():
        params = llama_cpp.llama_model_quantize_default_params()
        params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
        params.nthread = 1
        assert llama_cpp.llama_model_quantize(str(path).encode(), str(made).encode(), ctypes.byref(params)) == 0
    return made


WIDE = factory.Recipe(n_embd=256, n_ff=512, n_layer=2, half=True, seed=2)


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q4_0", "Q4_K_M"])
@pytest.mark.parametrize("borders", ["as found", "fixed"])
def test_scores_are_the_same_bits_in_any_order_and_after_any_interruption(
    models: Callable[..., Path], kind: str, borders: str
) -> None:
    path = models(WIDE) if kind == "F16" else quantized(models(WIDE), kind)
    heads = ["Choose the right option.\n" * 3, "Choose the right option.\n" * 3 + "Example:\n", "Short. "]
    asked = [request(question(n, heads[n % 3])) for n in range(12)]

    def run(order: Sequence[int]) -> dict[int, tuple[float | None, ...] | None]:
        one = session(path)
        if borders == "fixed":
            one.engine.step = BLOCK
        found = {n: answer(one, asked[n]).choice_logprobs for n in order}
        one.close()
        return found

    whole = run(range(12))
    assert run(range(12)) == whole
    for seed in range(3):
        order = random.Random(seed).sample(range(12), 12)
        assert run(order) == whole
        assert run(sorted(order[:5])).items() <= whole.items()
    for n in range(0, 12, 5):
        assert run([n])[n] == whole[n]


def test_reuse_of_the_prefix_really_happens(
    opened: Callable[..., ModelSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = opened()
    evaluated: list[int] = []
    plain = Engine.decode

    def counting(self: Engine, tokens: Sequence[int], at: int, **how: bool) -> None:
        evaluated.append(len(tokens))
        plain(self, tokens, at, **how)

    monkeypatch.setattr(Engine, "decode", counting)
    head = "Choose the right option of the five that follow.\n" * 4
    first, second = one.prepare(request(question(1, head))), one.prepare(request(question(2, head)))
    shared = next(n for n, (a, b) in enumerate(zip(first.tokens, second.tokens, strict=False)) if a != b)
    one.answer(first)
    assert sum(evaluated) == len(first.tokens)
    evaluated.clear()
    one.answer(second)
    assert shared > 100
    assert sum(evaluated) <= len(second.tokens) - shared + max(LEAST, one.engine.step)


def test_generating_text_between_scores_changes_nothing(opened: Callable[..., ModelSession]) -> None:
    one = opened()
    alone = answer(one, request(question(5))).choice_logprobs
    for mode in ("text", "logprobs"):
        answer(one, request(question(6), mode=mode, max_tokens=20))
        answer(one, request(question(5), mode="text", max_tokens=20))
        assert answer(one, request(question(5))).choice_logprobs == alone


def test_probabilities_are_those_of_the_logits(
    models: Callable[..., Path], opened: Callable[..., ModelSession]
) -> None:
    one = opened()
    asked = one.prepare(request(question(7)))
    llm = llama_cpp.Llama(str(models()), n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False, logits_all=True)
    llm.eval(asked.tokens)
    logits = llm.scores[len(asked.tokens) - 1].astype(np.float64)
    probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    pieces, _, _ = factory.vocabulary(factory.Recipe())
    expected = [np.log(sum(probabilities[pieces.index(way)] for way in (x, "\u2581" + x))) for x in LABELS]
    found = one.answer(asked).choice_logprobs
    assert found == pytest.approx(expected, abs=2e-3)
    llm.close()


def test_labels_of_several_tokens_are_scored_by_the_chain_rule(
    models: Callable[..., Path], opened: Callable[..., ModelSession]
) -> None:
    labels = ("أ", "ب", "A", "東")
    one = opened()
    asked = one.prepare(request(question(8), labels=labels))
    llm = llama_cpp.Llama(str(models()), n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False, logits_all=True)
    pieces, _, _ = factory.vocabulary(factory.Recipe())
    expected = []
    for label in labels:
        path = [pieces.index("A")] if label == "A" else [pieces.index(f"<0x{b:02X}>") for b in label.encode()]
        llm.reset()
        llm.eval([*asked.tokens, *path])
        rows = [log_softmax(llm.scores[len(asked.tokens) - 1 + n]) for n in range(len(path))]
        expected.append(sum(row[token] for row, token in zip(rows, path, strict=True)))
    llm.close()
    found = one.answer(asked)
    assert found.choice_logprobs == pytest.approx(expected, abs=5e-3)
    assert one.answer(asked).choice_logprobs == found.choice_logprobs
    single = one.answer(one.prepare(request(question(8), labels=("A", "東")))).choice_logprobs
    assert single is not None
    assert single[0] == found.choice_logprobs[2]  # type: ignore[index]


def test_packed_prompts_agree_with_single_ones_within_noise(opened: Callable[..., ModelSession]) -> None:
    alone, together = opened(), opened(n_sequences=6)
    asked = [request(question(n, "Choose the right option of the five.\n" * 3)) for n in range(6)]
    prompts = [together.prepare(one) for one in asked]
    packed = together.answer_packed(prompts)
    assert [one.choice_logprobs for one in together.answer_packed(prompts)] == [o.choice_logprobs for o in packed]
    for one, found in zip(asked, packed, strict=True):
        assert found.choice_logprobs == pytest.approx(answer(alone, one).choice_logprobs, abs=0.1)
    ragged = [together.prepare(request("Q" * n + "?")) for n in (1, 90, 300)]
    assert len(together.answer_packed(ragged)) == 3


def test_a_grammar_lets_through_labels_only(opened: Callable[..., ModelSession]) -> None:
    one = opened(factory.Recipe(likely="XYZ"))
    free = answer(one, request(question(1), mode="text", max_tokens=3))
    held = answer(one, request(question(1), mode="text", grammar=True))
    assert free.text[0] in "XYZ"
    assert free.finish_reason == "length"
    assert held.text.strip() in LABELS
    assert held.finish_reason == "stop"
    odd = ('say "A"', "back\\slash", "ب")
    assert answer(one, request(question(1), mode="text", grammar=True, labels=odd)).text.strip() in odd


def test_sampling_is_another_draw_per_repeat_and_the_same_when_repeated(opened: Callable[..., ModelSession]) -> None:
    one = opened()
    draws = [
        answer(one, request(question(1), mode="text", max_tokens=12, temperature=1.5, repeat=n)).text
        for n in (0, 1, 2, 0, 1, 2)
    ]
    assert draws[:3] == draws[3:]
    assert len(set(draws)) > 1


def test_a_stop_text_ends_the_answer_before_it(opened: Callable[..., ModelSession]) -> None:
    one = opened()
    whole = answer(one, request(question(1), mode="text", max_tokens=10)).text
    stopped = answer(one, request(question(1), mode="text", max_tokens=10, stop=(whole[2:4],)))
    assert stopped.text == whole.partition(whole[2:4])[0]
    assert stopped.finish_reason == "stop"


def test_thinking_that_cannot_be_turned_off_is_cut_at_a_limit_and_told_apart(
    opened: Callable[..., ModelSession],
) -> None:
    one = opened(factory.Recipe(template=factory.ALWAYS_THINKING))
    cut = answer(one, request(question(1), mode="text", max_tokens=8))
    assert cut.text == ""
    assert cut.thinking
    assert cut.finish_reason == "length"
    assert not cut.is_answer
    assert cut.usage.reasoning_tokens == cut.usage.output_tokens
    scored = one.prepare(request(question(1)))
    assert b"".join(one.engine.piece(t) for t in scored.tokens).endswith(b"<think>\n\n</think>\n\n")


def test_adapters_change_answers_as_the_library_applies_them(
    models: Callable[..., Path], opened: Callable[..., ModelSession], tmp_path: Path
) -> None:
    adapter = factory.make_adapter(tmp_path / "lora.gguf")
    asked = request(question(3))
    taught = opened(lora=adapter)
    prompt = taught.prepare(asked)
    llm = llama_cpp.Llama(
        str(models()),
        lora_path=str(adapter),
        n_ctx=1024,
        n_threads=1,
        n_threads_batch=1,
        verbose=False,
        logits_all=True,
    )
    llm.eval(prompt.tokens)
    row = log_softmax(llm.scores[len(prompt.tokens) - 1])
    llm.close()
    pieces, _, _ = factory.vocabulary(factory.Recipe())
    expected = [np.logaddexp(row[pieces.index(x)], row[pieces.index("\u2581" + x)]) for x in LABELS]
    assert taught.answer(prompt).choice_logprobs == pytest.approx(expected, abs=5e-3)
    assert answer(opened(), asked).choice_logprobs != taught.answer(prompt).choice_logprobs


def test_a_split_model_answers_as_the_whole_one(opened: Callable[..., ModelSession], tmp_path: Path) -> None:
    parts = factory.make_split(tmp_path, count=3)
    split = session(parts[0])
    assert answer(split, request(question(1))).choice_logprobs == answer(opened(), request(question(1))).choice_logprobs
    split.close()


def test_the_context_grows_with_the_prompts_and_keeps_the_bits(opened: Callable[..., ModelSession]) -> None:
    recipe = factory.Recipe(n_ctx=4096)
    one = opened(recipe)
    before = answer(one, request(question(1))).choice_logprobs
    assert one.engine.n_ctx == 1024
    answer(one, request("long " * 500 + question(2)))
    assert one.engine.n_ctx == 2048
    assert answer(one, request(question(1))).choice_logprobs == before


def test_a_prompt_too_long_is_refused_with_counts_and_cure(opened: Callable[..., ModelSession]) -> None:
    one = opened(factory.Recipe(n_ctx=4096), n_ctx=512)
    with pytest.raises(ItemError, match=r"need \d+ tokens, the context holds 512: .*--n-ctx"):
        answer(one, request("x" * 1500))
    assert answer(one, request(question(1))).text in LABELS


# --- through the provider's own door ------------------------------------------------------------------


def ask_all(path: Path, asked: Sequence[Request], **options: object) -> list[Completion | ProviderError]:
    async def go() -> list[Completion | ProviderError]:
        provider = connect(str(path), ProviderOptions(n_threads=1, **options))  # type: ignore[arg-type]
        try:
            return await asyncio.gather(*(provider.complete(one) for one in asked), return_exceptions=True)  # type: ignore[return-value]
        finally:
            await provider.aclose()

    return asyncio.run(go())


def test_requests_asked_at_once_are_answered_as_one_by_one(
    models: Callable[..., Path], opened: Callable[..., ModelSession]
) -> None:
    asked = [request(question(n)) for n in range(20)]
    one = opened()
    expected = [answer(one, a).choice_logprobs for a in asked]
    for options in ({}, {"n_sequences": 4}):
        found = ask_all(models(), asked, **options)
        for completion, figures in zip(found, expected, strict=True):
            assert isinstance(completion, Completion)
            assert completion.choice_logprobs == (figures if not options else pytest.approx(figures, abs=0.1))
            assert completion.text == LABELS[int(np.argmax(np.array(completion.choice_logprobs)))]


def test_one_bad_request_does_not_hurt_its_neighbours(models: Callable[..., Path]) -> None:
    asked = [request(question(1)), request("x" * 5000), request(question(2)), request("", labels=LABELS)]
    for options in ({}, {"n_sequences": 3}):
        good, long, also_good, _ = ask_all(models(), asked, **options)
        assert isinstance(good, Completion)
        assert isinstance(also_good, Completion)
        assert isinstance(long, ItemError)


def test_an_unknown_architecture_is_named_with_the_cure(models: Callable[..., Path]) -> None:
    (error,) = ask_all(models(factory.Recipe(architecture="mystery")), [request(question(1))])
    assert isinstance(error, RunError)
    assert "unknown model architecture: 'mystery'" in str(error)
    assert "newer release" in str(error)


def test_an_adapter_of_another_size_is_refused_with_the_reason(models: Callable[..., Path], tmp_path: Path) -> None:
    adapter = factory.make_adapter(tmp_path / "lora.gguf", factory.Recipe(n_embd=96))
    (error,) = ask_all(models(), [request(question(1))], lora=adapter)
    assert isinstance(error, RunError)
    assert "adapter" in str(error)
    assert "lora.gguf" in str(error)


def test_a_file_changed_between_its_check_and_its_loading_is_noticed(
    models: Callable[..., Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(models().read_bytes())

    async def go() -> None:
        provider = connect(str(copy), ProviderOptions(n_threads=1))
        copy.write_bytes(models(factory.Recipe(seed=77)).read_bytes())
        with pytest.raises(RunError, match="was changed"):
            await provider.complete(request(question(1)))
        await provider.aclose()

    asyncio.run(go())


def test_what_a_local_model_cannot_do_is_said(models: Callable[..., Path]) -> None:
    asked = [
        request(question(1), labels=()),
        request(question(1), mode="text", extra=(("logit_bias", 3),)),
        request(question(1), thinking=True),
    ]
    for error in ask_all(models(), asked):
        assert isinstance(error, RunError)


def test_a_closed_provider_answers_nobody_and_leaves_nobody_waiting(models: Callable[..., Path]) -> None:
    async def go() -> None:
        provider = connect(str(models()), ProviderOptions(n_threads=1))
        waiting = [asyncio.ensure_future(provider.complete(request(question(n)))) for n in range(50)]
        await waiting[0]
        await provider.aclose()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, Completion | RunError) for one in outcomes)
        assert any(isinstance(one, RunError) for one in outcomes)
        with pytest.raises(RunError, match="closed"):
            await provider.complete(request(question(1)))

    asyncio.run(go())


def test_closing_does_not_wait_for_a_long_answer(models: Callable[..., Path]) -> None:
    async def go() -> float:
        provider = connect(str(models(WIDE)), ProviderOptions(n_threads=1))
        await provider.complete(request(question(1)))
        long = asyncio.ensure_future(provider.complete(request(question(1), mode="text", max_tokens=900)))
        await asyncio.sleep(0.05)
        began = asyncio.get_running_loop().time()
        await provider.aclose()
        took = asyncio.get_running_loop().time() - began
        with pytest.raises(RunError):
            await long
        return took

    assert asyncio.run(go()) < 0.5
