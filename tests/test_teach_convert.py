"""A converted model must be the same model: equal logits, equal tokens, in transformers and in llama.cpp."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from heavy import later

from clika_client.common.errors import UserError
from clika_client.conductivity import convert

torch = later("torch", "teach")
transformers = later("transformers", "teach")
later("gguf", "teach")
llama_cpp = later("llama_cpp", "local")

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers

TEXTS = [
    "In which country is this city: Paris?\nA. France\nB. Italy\nAnswer:",
    "  two  spaces,\ttabs and 1234 numbers, don't they?",
    "Варшава — столица Польши; ירושלים, القاهرة",
    "東京は日本の首都です。北京在中国",
    "emoji 🙂 and a rare 𐍈 letter",
]
LINES = [*TEXTS, "France Italy Poland Japan China Russia", "Answer with the letter of the correct choice."] * 8
COMMON: dict[str, Any] = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
FAMILIES = {
    "llama": ("LlamaConfig", {}),
    "llama-3 rope, tied": ("LlamaConfig", {"tie_word_embeddings": True, "rope_parameters": LLAMA3_ROPE}),
    "mistral": ("MistralConfig", {}),
    "qwen2": ("Qwen2Config", {}),
    "qwen3": ("Qwen3Config", {"head_dim": 32}),
    "gemma": ("GemmaConfig", {"head_dim": 16}),
    "gemma2": ("Gemma2Config", {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 32}),
    "gemma3": ("Gemma3TextConfig", {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 32}),
    "bloom": ("BloomConfig", {}),
}


def sentencepiece_like() -> Any:
    from demo_model import tokenizer

    return tokenizer.build(tokenizer.train_pieces(LINES, 500))


def byte_level(split: str | None) -> Any:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if split is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        cut = pre_tokenizers.Split(Regex(split), behavior="isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def random_model(directory: Path, config_class: str, extra: dict[str, Any], tokenizer: Any) -> Any:
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, config_class)(**{**COMMON, **extra}))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Large weights: a wrong layout or a missing norm offset then changes the logits grossly.
            weight.normal_(std=0.15)
            if name.endswith("norm.weight") and "Gemma" not in config_class:
                weight.add_(1)
    model.eval().save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return model


def open_gguf(path: Path, **settings: Any) -> Any:
    # Full-precision key/value cache, so that only the conversion can make a difference.
    return llama_cpp.Llama(
        str(path),
        n_ctx=128,
        n_threads=1,
        n_threads_batch=1,
        logits_all=True,
        type_k=0,
        type_v=0,
        verbose=False,
        **settings,
    )


def llama_cpp_logits(llama: Any, ids: list[int]) -> Any:
    llama.reset()
    llama.eval(ids)
    return np.array(llama.scores[: len(ids)])


def transformers_logits(model: Any, ids: list[int]) -> Any:
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].float().numpy()


IDS = [1, *np.random.default_rng(5).integers(3, 400, 60).tolist()]


@pytest.mark.parametrize("family", FAMILIES)
def test_llama_cpp_computes_the_same_logits_for_every_family(family: str, tmp_path: Path) -> None:
    model = random_model(tmp_path / "hf", *FAMILIES[family], sentencepiece_like())
    path = convert.to_gguf(tmp_path / "hf", tmp_path / "model.gguf", "f32")
    expected = transformers_logits(model, IDS)
    assert expected.std() > 0.25
    np.testing.assert_allclose(llama_cpp_logits(open_gguf(path), IDS), expected, atol=2e-3)


def test_without_the_head_permutation_the_logits_would_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(tmp_path / "hf", *FAMILIES["llama"], sentencepiece_like())
    monkeypatch.setattr(convert, "permute", lambda weight, heads: weight)
    path = convert.to_gguf(tmp_path / "hf", tmp_path / "model.gguf", "f32")
    difference = np.abs(llama_cpp_logits(open_gguf(path), IDS) - transformers_logits(model, IDS))
    assert difference.max() > 0.1


@pytest.mark.parametrize("quantization", ["f16", "bf16", "q8_0"])
def test_smaller_number_formats_stay_close(quantization: str, tmp_path: Path) -> None:
    model = random_model(tmp_path / "hf", *FAMILIES["llama"], sentencepiece_like())
    path = convert.to_gguf(tmp_path / "hf", tmp_path / "model.gguf", quantization)
    expected = transformers_logits(model, IDS)
    difference = llama_cpp_logits(open_gguf(path), IDS) - expected
    assert np.abs(difference).mean() < 0.05 * expected.std()
    assert path.stat().st_size < convert.to_gguf(tmp_path / "hf", tmp_path / "full.gguf", "f32").stat().st_size


WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {"qwen2": WORD + r"\p{N}" + REST, "llama-bpe": WORD + r"\p{N}{1,3}" + REST, "gpt-2": None}
SPLITS["bloom"] = r" ?[^(\s|[.,!?…。，、।۔،])]+"


def own_class(name: str) -> Any:
    """The tokenizer class that transformers has for a family, with a vocabulary trained here."""
    from demo_model import tokenizer

    if name == "Qwen2Tokenizer":
        model = json.loads(byte_level(SPLITS["qwen2"]).backend_tokenizer.to_str())["model"]
        return transformers.Qwen2Tokenizer(model["vocab"], [tuple(merge) for merge in model["merges"]])
    vocab = {piece: i for i, piece in enumerate(tokenizer.train_pieces(LINES, 500))}
    special = {"bos_token": "<s>", "eos_token": "<|end|>"} if name == "LlamaTokenizer" else {}
    return getattr(transformers, name)(vocab=vocab, merges=tokenizer.merges_of(vocab), **special)


OWN = ["LlamaTokenizer", "GemmaTokenizer", "Qwen2Tokenizer"]


@pytest.mark.parametrize("kind", ["sentencepiece", *SPLITS, *OWN])
@pytest.mark.parametrize("text", TEXTS)
def test_text_becomes_the_same_tokens(kind: str, text: str, tmp_path: Path) -> None:
    if kind in OWN:
        tokenizer = own_class(kind)
    else:
        tokenizer = sentencepiece_like() if kind == "sentencepiece" else byte_level(SPLITS[kind])
    if kind == "LlamaTokenizer":
        # Before a text that begins with a space, transformers leaves out the space that sentencepiece adds.
        text = text.lstrip()
    random_model(tmp_path / "hf", *FAMILIES["qwen2"], tokenizer)
    path = convert.to_gguf(tmp_path / "hf", tmp_path / "model.gguf")
    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    expected = tokenizer.encode(text, add_special_tokens=False)
    assert llama.tokenize(text.encode(), add_bos=False, special=True) == expected
    assert llama.detokenize(expected).decode().removeprefix(" " * (kind == "LlamaTokenizer")) == text


def lora_adapter(directory: Path, model: Any, **settings: Any) -> Any:
    peft = pytest.importorskip("peft", reason="needs peft: pip install '.[teach]'")
    wanted = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "k_proj", "down_proj"], **settings}
    tuned = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **wanted))
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.1)
    tuned.eval().save_pretrained(directory)
    return tuned


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {}),
        ("llama", {"use_rslora": True}),
        ("bloom", {"target_modules": ["query_key_value"]}),
    ],
)
def test_a_merged_adapter_gives_the_tuned_logits(family: str, settings: dict[str, Any], tmp_path: Path) -> None:
    model = random_model(tmp_path / "hf", *FAMILIES[family], sentencepiece_like())
    before = transformers_logits(model, IDS)
    expected = transformers_logits(lora_adapter(tmp_path / "lora", model, **settings), IDS)
    assert np.abs(expected - before).max() > 0.25
    merged = convert.to_gguf(tmp_path / "hf", tmp_path / "merged.gguf", "f32", adapter=tmp_path / "lora")
    np.testing.assert_allclose(llama_cpp_logits(open_gguf(merged), IDS), expected, atol=2e-3)


def test_blooms_own_files_name_their_weights_without_the_class_and_are_the_same_model(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model = random_model(tmp_path / "hf", *FAMILIES["bloom"], sentencepiece_like())
    expected = transformers_logits(lora_adapter(tmp_path / "lora", model, target_modules=["query_key_value"]), IDS)
    file = tmp_path / "hf" / "model.safetensors"
    weights = {name.removeprefix("transformer."): weight for name, weight in load_file(file).items()}
    assert "h.0.mlp.dense_h_to_4h.weight" in weights
    save_file(weights, file)
    merged = convert.to_gguf(tmp_path / "hf", tmp_path / "merged.gguf", "f32", adapter=tmp_path / "lora")
    np.testing.assert_allclose(llama_cpp_logits(open_gguf(merged), IDS), expected, atol=2e-3)
    config = json.loads((tmp_path / "hf" / "config.json").read_text())
    (tmp_path / "hf" / "config.json").write_text(
        json.dumps({**config, "apply_residual_connection_post_layernorm": True})
    )
    with pytest.raises(UserError, match=r"apply_residual_connection_post_layernorm is true, which llama\.cpp"):
        convert.to_gguf(tmp_path / "hf", tmp_path / "m.gguf")


def test_an_adapter_for_another_model_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    small = random_model(tmp_path / "small", "LlamaConfig", {"num_hidden_layers": 1}, sentencepiece_like())
    assert small is not None
    large = random_model(tmp_path / "large", *FAMILIES["llama"], sentencepiece_like())
    lora_adapter(tmp_path / "lora", large)
    with pytest.raises(UserError, match="wrong base model"):
        convert.to_gguf(tmp_path / "small", tmp_path / "out" / "model.gguf", adapter=tmp_path / "lora")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_converted_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        convert.to_gguf(tmp_path, tmp_path / "m.gguf")
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["MambaForCausalLM"], "vocab_size": 8}))
    with pytest.raises(UserError, match="MambaForCausalLM"):
        convert.to_gguf(tmp_path, tmp_path / "m.gguf")
    with pytest.raises(UserError, match="q3_x"):
        convert.to_gguf(tmp_path, tmp_path / "m.gguf", "q3_x")


def test_a_pre_tokenizer_that_llama_cpp_does_not_know_is_refused(tmp_path: Path) -> None:
    random_model(tmp_path / "hf", *FAMILIES["llama"], byte_level(r"\d+|\D+"))
    with pytest.raises(UserError, match="pre-tokenizer"):
        convert.to_gguf(tmp_path / "hf", tmp_path / "m.gguf")


def test_the_chat_template_is_carried_over(tmp_path: Path) -> None:
    tokenizer = sentencepiece_like()
    random_model(tmp_path / "hf", *FAMILIES["llama"], tokenizer)
    llama = open_gguf(convert.to_gguf(tmp_path / "hf", tmp_path / "m.gguf"))
    assert llama.metadata["tokenizer.chat_template"] == tokenizer.chat_template


def test_llama_cpps_own_script_gives_the_same_logits_as_ours(tmp_path: Path) -> None:
    """With a checkout of llama.cpp, or the unpacked source of llama-cpp-python: CLIKA_LLAMA_CPP=…/vendor/llama.cpp"""
    from clika_client.conductivity.convert_elsewhere import convert_with

    if "CLIKA_LLAMA_CPP" not in os.environ:
        pytest.skip("CLIKA_LLAMA_CPP names no checkout of llama.cpp, whose script this is compared with")
    script = Path(os.environ["CLIKA_LLAMA_CPP"]) / "convert_hf_to_gguf.py"
    from clika_client.sets.demo import HUGGING_FACE

    ours = open_gguf(convert.to_gguf(HUGGING_FACE, tmp_path / "ours.gguf", "f32"))
    theirs = open_gguf(convert_with(script, HUGGING_FACE, tmp_path / "theirs.gguf", "f32"))
    for text in TEXTS:
        # The weights are compared: that this tokenizer puts nothing first, the script does not see.
        tokens = ours.tokenize(text.encode(), add_bos=False)
        for llama in (ours, theirs):
            llama.reset()
            llama.eval(tokens)
        n = len(tokens)
        np.testing.assert_allclose(ours.scores[:n], theirs.scores[:n], atol=1e-4)


def test_a_script_that_is_not_there_or_fails_is_told(tmp_path: Path) -> None:
    from clika_client.conductivity.convert_elsewhere import convert_with
    from clika_client.sets.demo import HUGGING_FACE

    with pytest.raises(UserError, match=r"no\.py does not exist"):
        convert_with(tmp_path / "no.py", HUGGING_FACE, tmp_path / "m.gguf", "f32")
    failing = tmp_path / "fails.py"
    failing.write_text("raise SystemExit('Model FooForCausalLM is not supported')")
    with pytest.raises(UserError, match=r"could not convert .*: Model FooForCausalLM is not supported"):
        convert_with(failing, HUGGING_FACE, tmp_path / "m.gguf", "f32")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fails.py"]
