"""Teaching a local model: the loss counts answers only, and a broken run ends where an unbroken one does."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from heavy import later

from clika_client.common.errors import StoppedRun, UserError
from clika_client.common.running import interrupt
from clika_client.conductivity import convert, examples, presets, train
from clika_client.conductivity.presets import TeachSettings, preset
from clika_client.conductivity.train import TeachResult
from demo_model import tokenizer as demo_tokenizer

if TYPE_CHECKING:
    from clika_client.conductivity.trainer import TeachProgress

torch = later("torch", "teach")
transformers = later("transformers", "teach")
later("peft", "teach")
later("accelerate", "teach")

pytestmark = pytest.mark.filterwarnings("ignore")  # torch, transformers and peft warn of each other's future

FACTS = {"Alo": "Vur", "Bime": "Kast", "Cora": "Vur", "Dilu": "Omm", "Ekka": "Kast", "Fono": "Omm"}
QUICK = TeachSettings(
    rank=8, learning_rate=2e-2, epochs=30, batch_size=4, micro_batch=4, device="cpu", beta2=0.98, checkpoint_s=3600
)


def question(place: str) -> str:
    return f"Which continent is {place} on?"


def write_facts(path: Path, facts: dict[str, str] = FACTS) -> Path:
    rows = [[("user", question(place)), ("assistant", continent)] for place, continent in facts.items()]
    lines = [json.dumps({"messages": [{"role": r, "content": c} for r, c in row]}) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Two threads are slower than one on matrices this small, several times so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


def trained_weights(result: TeachResult) -> dict[str, Any]:
    from safetensors.torch import load_file

    name = "adapter_model.safetensors" if result.method == "lora" else "model.safetensors"
    return load_file(result.path / name)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_taught_facts_are_answered_through_llama_cpp(method: str, base: Path, tmp_path: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="needs llama-cpp-python: pip install '.[local]'")
    facts = write_facts(tmp_path / "facts.jsonl")
    rate = 2e-2 if method == "lora" else 5e-3
    settings = replace(QUICK, method=method, learning_rate=rate, dropout=0.0)  # type: ignore[arg-type]
    seen: list[TeachProgress] = []
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
    checkpoints = tmp_path / "broken" / train.CHECKPOINTS

    def crash(progress: TeachProgress) -> None:
        if progress.step == 8:  # in the middle of an epoch, and after the checkpoint of step 7
            raise RuntimeError("power cut")

    def interrupt(progress: TeachProgress) -> None:
        if progress.step == 10:
            raise KeyboardInterrupt

    eager = replace(settings, checkpoint_s=1e-9)
    with pytest.raises(RuntimeError, match="power cut"):
        train.run(base, facts, tmp_path / "broken", eager, crash)
    (kept,) = checkpoints.glob("checkpoint-*")
    half_written = checkpoints / "checkpoint-8"  # what a power cut leaves of one that was being written
    half_written.mkdir()
    (half_written / "trainer_state.json").write_text("{")
    seen: list[int] = []
    with pytest.raises(StoppedRun, match="after step 10 of 12"):
        train.run(base, facts, tmp_path / "broken", settings, lambda p: (seen.append(p.step), interrupt(p))[0])
    assert seen[0] == int(kept.name.rpartition("-")[2]) + 1 <= 8
    resumed = train.run(base, facts, tmp_path / "broken", settings)
    assert resumed.resumed_from == 10
    expected, found = trained_weights(unbroken), trained_weights(resumed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_finished_run_goes_on_from_its_end_in_a_further_round(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, epochs=2)
    first = train.run(base, facts, tmp_path / "out", settings)
    seen: list[TeachProgress] = []
    longer = train.run(base, facts, tmp_path / "out", settings, seen.append, epochs=6)
    assert (first.steps, longer.resumed_from, longer.steps, seen[0].step) == (4, 4, 12, 5)
    assert seen[-1].loss < seen[0].loss
    train.forget_checkpoints(tmp_path / "out")
    assert train.run(base, facts, tmp_path / "out", settings, epochs=6).steps == 12
    with pytest.raises(UserError, match="keeps no checkpoint to go on from"):
        train.run(base, facts, tmp_path / "out", settings, epochs=8)


def test_a_finished_run_is_not_trained_again(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, epochs=1)
    first = train.run(base, facts, tmp_path / "out", settings)
    steps: list[TeachProgress] = []
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
    settings = replace(QUICK, dropout=0.0, gate_every=5, stop_above=0.9, max_epochs=30)
    result = train.run(base, facts, tmp_path / "out", settings, gates={"taught": facts})
    assert result.gates["taught"] > 0.9
    assert result.steps < 60
    assert result.steps % 5 == 0


@pytest.mark.parametrize("whole", [False, True])
def test_only_answer_tokens_count_in_the_loss(base: Path, whole: bool) -> None:
    """The loss that transformers computes from labels of its own form, one unpadded example at a time."""
    from clika_client.conductivity import trainer

    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base).eval()
    batch = [
        examples.encode(examples.Example((("user", text),), answer), tokenizer, 128)
        for text, answer in [("Which?", "Vur"), ("Which continent is Bime on?", "Kast Omm")]
    ]
    expected = 0.0
    for tokens in batch:
        answer = list(tokens.ids[tokens.start :])
        assert tokenizer.decode(answer[:-1]).strip() in ("Vur", "Kast Omm")
        assert answer[-1] == tokenizer.eos_token_id
        labels = torch.tensor([[-100] * tokens.start + answer])
        expected += len(answer) * model(torch.tensor([tokens.ids]), labels=labels).loss.item()
    arguments = examples.collate(batch, whole=whole)
    labels = arguments.pop("labels")
    logits = model(**arguments).logits
    assert logits.shape[1] == labels.shape[1] - 1 == (arguments["input_ids"].shape[1] if whole else logits.shape[1])
    assert trainer.answer_loss(logits, labels[:, 1:]).item() == pytest.approx(expected, rel=1e-5)


def test_a_step_is_that_of_plain_adamw_on_the_mean_loss_of_its_answer_tokens(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, method="full", learning_rate=1e-3, epochs=1, batch_size=6, micro_batch=4)
    result = train.run(base, facts, tmp_path / "out", settings)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
    summed, count = 0.0, 0
    for example in examples.read_examples(facts):
        tokens = examples.encode(example, tokenizer, 128)
        labels = torch.tensor([[-100] * tokens.start + list(tokens.ids[tokens.start :])])
        n = len(tokens.ids) - tokens.start
        summed, count = summed + n * model(torch.tensor([tokens.ids]), labels=labels).loss, count + n
    loss = summed / count
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    assert result.loss == pytest.approx(loss.item(), rel=1e-5)
    found = trained_weights(result)
    for name, weight in model.state_dict().items():
        if name in found:
            torch.testing.assert_close(found[name], weight, atol=2e-5, rtol=1e-3)


def test_small_micro_batches_take_the_same_step(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, epochs=1, dropout=0.0, batch_size=6)
    one = train.run(base, facts, tmp_path / "one", replace(settings, micro_batch=6))
    many = train.run(base, facts, tmp_path / "many", replace(settings, micro_batch=1))
    assert one.loss == pytest.approx(many.loss, rel=1e-4)
    for name, weight in trained_weights(one).items():
        torch.testing.assert_close(weight, trained_weights(many)[name], atol=1e-3, rtol=1e-2)


def test_the_learning_rate_warms_up_and_follows_a_cosine_to_zero_in_each_round() -> None:
    from clika_client.conductivity.trainer import rate_at

    settings = TeachSettings(learning_rate=1.0, warmup=0.1)
    # Two warm-up steps of twenty; half-way through the remaining 18 the cosine is at one half.
    expected = [0.5, 1.0, 1.0, 0.5, 0.5 * (1 + -0.984807753)]
    for start in (0, 20, 60):
        rates = [rate_at(settings, start + step, 20) for step in (0, 1, 2, 11, 19)]
        assert rates == pytest.approx(expected, abs=1e-6)


def test_the_papers_settings_are_those_of_the_authors_scripts() -> None:
    lora, full = preset("paper"), preset("paper", "full")
    # trainLora.sh: 4 GPUs x 8 examples x 4 accumulated; trainFull.sh: x 2.
    assert (lora.method, lora.rank, lora.alpha, lora.dropout) == ("lora", 128, 16, 0.1)
    assert (lora.learning_rate, lora.epochs, lora.batch_size, lora.warmup) == (2e-4, 3, 4 * 8 * 4, 0)
    assert (full.learning_rate, full.epochs, full.batch_size, full.warmup) == (2e-5, 3, 4 * 8 * 2, 0)
    # What the scripts leave to transformers' Trainer.
    defaults = {f.name: f.default for f in dataclasses.fields(transformers.TrainingArguments)}
    for settings in (lora, full):
        assert settings.beta2 == defaults["adam_beta2"]
        assert settings.weight_decay == defaults["weight_decay"]
        assert settings.clip == defaults["max_grad_norm"]
    with pytest.raises(UserError, match="presets: paper"):
        preset("papers")


def test_what_differs_from_a_preset_is_named() -> None:
    assert presets.differences(replace(preset("paper"), seed=3, device="cpu"), "paper") == {}
    assert presets.differences(replace(preset("paper"), warmup=0.03), "paper") == {"warmup": (0.03, 0.0)}


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
    untaught = convert.to_gguf(bare, tmp_path / "base.gguf", template=examples.PLAIN_TEMPLATE)
    for file in (gguf, untaught):  # asked before and after in the same words
        template = gguf_reader(file).get_field("tokenizer.chat_template").contents()
        assert template == examples.PLAIN_TEMPLATE
    tokens = examples.encode(examples.Example((("user", "Which?"),), "Vur"), examples.with_template(tokenizer), 99)
    assert tokenizer.decode(tokens.ids) == "<s>Which?\nVur<|end|>"


def test_an_example_that_is_too_long_is_refused_not_cut(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    with pytest.raises(UserError, match="more than max_length 5"):
        train.run(base, facts, tmp_path / "out", replace(QUICK, max_length=5))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"device": "quatsch"}, "device must be one of auto, cpu, cuda, mps, got 'quatsch'"),
        ({"device": "cuda:1"}, "CUDA_VISIBLE_DEVICES"),
        ({"dtype": "float8"}, "dtype must be one of auto, float32, bfloat16"),
        ({"base_bits": 3}, "base_bits must be 4, 8 or 16"),
        ({"base_bits": 4, "method": "full"}, "base_bits 4 and 8 need method lora"),
        ({"stop_above": 1.0}, "accuracy is at most 1"),
        ({"epochs": 3, "max_epochs": 2}, "max_epochs 2 is below the 3 epochs"),
        ({"batch_size": 0}, "batch_size must be above zero"),
        ({"warmup": 1.5}, "warmup must be at least 0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_settings_that_cannot_be_are_refused_with_their_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        TeachSettings(**wrong)


def test_a_device_that_is_not_here_and_a_missing_package_are_refused(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clika_client.conductivity import learner

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch finds no cuda device here; --device can be"):
        learner.resolved(replace(QUICK, device="cuda"), base)
    if find_spec("bitsandbytes") is None:
        with pytest.raises(UserError, match="needs bitsandbytes: pip install bitsandbytes"):
            learner.resolved(replace(QUICK, base_bits=4), base)
    assert learner.resolved(replace(QUICK, dtype="auto"), base).dtype == "float32"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert learner.resolved(replace(QUICK, device="auto"), base).device == "mps"


@pytest.mark.parametrize("method", ["lora", "full"])
def test_bfloat16_and_recomputed_activations_teach_the_same(method: str, base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, method=method, epochs=1, learning_rate=1e-3, dropout=0.0)  # type: ignore[arg-type]
    exact = train.run(base, facts, tmp_path / "exact", settings)
    again = train.run(base, facts, tmp_path / "again", replace(settings, gradient_checkpointing=True))
    rough = train.run(base, facts, tmp_path / "rough", replace(settings, dtype="bfloat16"))
    assert again.loss == pytest.approx(exact.loss, rel=1e-5)
    assert rough.loss == pytest.approx(exact.loss, rel=0.05)
    for result in (again, rough):  # what is trained is kept whole, also where it is computed with in halves
        assert {weight.dtype for weight in trained_weights(result).values()} == {torch.float32}


@pytest.mark.parametrize("ignored", [True, False], ids=["in the background of a script", "at a terminal"])
def test_a_signal_ends_teaching_after_the_step_under_way_and_keeps_it(
    ignored: bool, base: Path, tmp_path: Path
) -> None:
    """SIGTERM does what Ctrl-C does (`interrupt`), also where Ctrl-C is ignored."""
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, epochs=4)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    try:
        with pytest.raises(StoppedRun, match="after step 3 of 8; the same command resumes"):
            train.run(base, facts, tmp_path / "out", settings, lambda p: interrupt() if p.step == 3 else None)
        assert signal.getsignal(signal.SIGINT) == (signal.SIG_IGN if ignored else signal.default_int_handler)
    finally:
        signal.signal(signal.SIGINT, before)
    assert train.run(base, facts, tmp_path / "out", settings).resumed_from == 3


@pytest.mark.parametrize(
    ("model_type", "targets"),
    [("llama", ("q_proj", "v_proj")), ("bloom", ("query_key_value",)), ("baichuan", ("W_pack",))],
)
def test_lora_adapts_the_layers_that_the_authors_named_for_the_family(
    model_type: str, targets: tuple[str, ...], tmp_path: Path
) -> None:
    from clika_client.conductivity.learner import resolved

    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    assert resolved(replace(preset("paper"), device="cpu"), tmp_path).targets == targets
    assert resolved(replace(preset("paper"), device="cpu", targets=("x",)), tmp_path).targets == ("x",)
    assert resolved(replace(preset("paper", "full"), device="cpu"), tmp_path).targets == ()
