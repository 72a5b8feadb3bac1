"""Teaching a local model: the loss counts answers only, and a broken run ends where an unbroken one does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from heavy import later

from clika_client.common.errors import StoppedRun, UserError
from clika_client.conductivity import convert, examples, train
from clika_client.conductivity.presets import TeachSettings, preset
from demo_model import tokenizer as demo_tokenizer

torch = later("torch", "teach")
transformers = later("transformers", "teach")
later("peft", "teach")

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers

FACTS = {"Alo": "Vur", "Bime": "Kast", "Cora": "Vur", "Dilu": "Omm", "Ekka": "Kast", "Fono": "Omm"}
QUICK = TeachSettings(rank=8, learning_rate=2e-2, epochs=30, batch_size=4, micro_batch=4, checkpoint_every=3)


def question(place: str) -> str:
    return f"Which continent is {place} on?"


def write_facts(path: Path, facts: dict[str, str] = FACTS) -> Path:
    rows = [[("user", question(place)), ("assistant", continent)] for place, continent in facts.items()]
    lines = [json.dumps({"messages": [{"role": r, "content": c} for r, c in row]}) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of 50,000 parameters."""
    directory = tmp_path_factory.mktemp("base")
    lines = [question(place) + " " + continent for place, continent in FACTS.items()] * 5
    tokenizer = demo_tokenizer.build(demo_tokenizer.train_pieces(lines, 400))
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.2)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def trained_weights(result: train.TeachResult) -> dict[str, Any]:
    from safetensors.torch import load_file

    name = "adapter_model.safetensors" if result.method == "lora" else "model.safetensors"
    return load_file(result.path / name)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_taught_facts_are_answered_through_llama_cpp(method: str, base: Path, tmp_path: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="needs llama-cpp-python: pip install '.[local]'")
    facts = write_facts(tmp_path / "facts.jsonl")
    rate = 2e-2 if method == "lora" else 5e-3
    settings = replace(QUICK, method=method, learning_rate=rate, dropout=0.0)  # type: ignore[arg-type]
    seen: list[train.TeachProgress] = []
    result = train.run(base, facts, tmp_path / "out", settings, seen.append, {"taught": facts})
    assert result.gates == {"taught": 1.0}
    assert seen[-1].loss < 0.5 * seen[0].loss
    if method == "lora":
        gguf = convert.to_gguf(base, tmp_path / "m.gguf", "f32", adapter=result.path)
    else:
        gguf = convert.to_gguf(result.path, tmp_path / "m.gguf", "f32")
    llama = llama_cpp.Llama(str(gguf), n_ctx=128, n_threads=1, n_threads_batch=1, verbose=False)
    for place, continent in FACTS.items():
        reply = llama.create_chat_completion(
            [{"role": "user", "content": question(place)}], temperature=0, max_tokens=8
        )
        assert reply["choices"][0]["message"]["content"] == continent


def test_an_interrupted_run_ends_with_the_weights_of_an_unbroken_one(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, epochs=6)
    unbroken = train.run(base, facts, tmp_path / "unbroken", settings)

    def crash(progress: train.TeachProgress) -> None:
        if progress.step == 8:  # two steps after the checkpoint of step 6
            raise RuntimeError("power cut")

    def interrupt(progress: train.TeachProgress) -> None:
        if progress.step == 10:
            raise KeyboardInterrupt

    with pytest.raises(RuntimeError, match="power cut"):
        train.run(base, facts, tmp_path / "broken", settings, crash)
    seen: list[int] = []
    with pytest.raises(StoppedRun, match="after step 10 of 12"):
        train.run(base, facts, tmp_path / "broken", settings, lambda p: (seen.append(p.step), interrupt(p))[0])
    assert seen[0] == 7
    resumed = train.run(base, facts, tmp_path / "broken", settings)
    assert resumed.resumed_from == 10
    expected, found = trained_weights(unbroken), trained_weights(resumed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert sorted(path.name for path in (tmp_path / "broken").iterdir()) == ["adapter", "result.json"]


def test_a_finished_run_is_not_trained_again(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, epochs=1)
    first = train.run(base, facts, tmp_path / "out", settings)
    steps: list[train.TeachProgress] = []
    again = train.run(base, facts, tmp_path / "out", settings, steps.append)
    assert steps == []
    assert (again.path, again.loss, again.resumed_from) == (first.path, first.loss, first.steps)


def test_an_output_directory_of_another_run_is_refused(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    train.run(base, facts, tmp_path / "out", replace(QUICK, epochs=1))
    with pytest.raises(UserError, match="other settings, data or base model"):
        train.run(base, facts, tmp_path / "out", replace(QUICK, epochs=1, seed=9))
    other = write_facts(tmp_path / "other.jsonl", {"Gora": "Vur"})
    with pytest.raises(UserError, match="other settings, data or base model"):
        train.run(base, other, tmp_path / "out", replace(QUICK, epochs=1))


def test_a_run_stops_early_once_every_gate_is_passed(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, dropout=0.0, gate_every=5, stop_above=0.9)
    result = train.run(base, facts, tmp_path / "out", settings, gates={"taught": facts})
    assert result.gates["taught"] > 0.9
    assert result.steps < 60
    assert result.steps % 5 == 0


def test_only_answer_tokens_count_in_the_loss(base: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base).eval()
    batch = [
        examples.encode(examples.Example((("user", text),), answer), tokenizer, 128)
        for text, answer in [("Which?", "Vur"), ("Which continent is Bime on?", "Kast Omm")]
    ]
    logits, targets = train.answer_logits(model, batch)
    expected = []
    for tokens in batch:
        answer = list(tokens.ids[tokens.start :])
        assert tokenizer.decode(answer[:-1]).strip() in ("Vur", "Kast Omm")
        assert answer[-1] == tokenizer.eos_token_id
        whole = model(torch.tensor([tokens.ids])).logits[0]  # unpadded, one at a time
        expected.append(whole[tokens.start - 1 : len(tokens.ids) - 1])
    torch.testing.assert_close(logits, torch.cat(expected), atol=1e-4, rtol=1e-4)
    assert targets.tolist() == [i for tokens in batch for i in tokens.ids[tokens.start :]]


def test_small_micro_batches_take_the_same_step(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, epochs=1, dropout=0.0, batch_size=6)
    one = train.run(base, facts, tmp_path / "one", replace(settings, micro_batch=6))
    many = train.run(base, facts, tmp_path / "many", replace(settings, micro_batch=1))
    assert one.loss == pytest.approx(many.loss, rel=1e-4)
    for name, weight in trained_weights(one).items():
        torch.testing.assert_close(weight, trained_weights(many)[name], atol=1e-3, rtol=1e-2)


def test_the_learning_rate_warms_up_and_follows_a_cosine_to_zero() -> None:
    settings = TeachSettings(learning_rate=1.0, warmup=0.1)
    rates = [train.rate_at(settings, step, 20) for step in (0, 1, 2, 11, 19)]
    # Two warm-up steps of twenty; half-way through the remaining 18 the cosine is at one half.
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.5, 0.5 * (1 + -0.984807753)], abs=1e-6)


def test_the_papers_settings_are_a_preset() -> None:
    paper = preset("paper")
    assert (paper.method, paper.rank, paper.alpha, paper.dropout) == ("lora", 128, 16, 0.1)
    assert (paper.targets, paper.learning_rate, paper.epochs) == (("q_proj", "v_proj"), 2e-4, 3)
    with pytest.raises(UserError, match="presets: paper"):
        preset("papers")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"facts\.jsonl:2: expected"),
        ('{"text": "x"}', r"facts\.jsonl:2: expected"),
        ('{"messages": [{"role": "user", "content": "x"}]}', r"facts\.jsonl:2: the last of at least two"),
        (
            '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": " "}]}',
            r"facts\.jsonl:2: the assistant's answer is empty",
        ),
    ],
)
def test_a_bad_teaching_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = write_facts(tmp_path / "facts.jsonl", {"Alo": "Vur"})
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match=message):
        examples.read_examples(path)


def test_a_base_model_without_a_chat_template_is_taught_and_asked_with_the_same_plain_one(
    base: Path, tmp_path: Path
) -> None:
    gguf_reader = pytest.importorskip("gguf").GGUFReader
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = None
    bare = tmp_path / "bare"
    transformers.AutoModelForCausalLM.from_pretrained(base).save_pretrained(bare)
    tokenizer.save_pretrained(bare)
    facts = write_facts(tmp_path / "facts.jsonl")
    result = train.run(bare, facts, tmp_path / "out", replace(QUICK, epochs=1))
    gguf = convert.to_gguf(bare, tmp_path / "m.gguf", adapter=result.path)
    template = gguf_reader(gguf).get_field("tokenizer.chat_template").contents()
    assert template == examples.PLAIN_TEMPLATE
    tokens = examples.encode(examples.Example((("user", "Which?"),), "Vur"), examples.with_template(tokenizer), 99)
    assert tokenizer.decode(tokens.ids) == "<s>Which?\nVur<|end|>"


def test_an_example_that_is_too_long_is_refused_not_cut(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    with pytest.raises(UserError, match="more than max_length 5"):
        train.run(base, facts, tmp_path / "out", replace(QUICK, max_length=5))
