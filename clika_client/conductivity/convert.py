"""Hugging Face model directories and LoRA adapters → GGUF files that llama.cpp answers the same from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.files import replacing
from clika_client.conductivity import bloom
from clika_client.conductivity.adapter import Lora
from clika_client.conductivity.gguf_tokenizer import read_tokenizer
from clika_providers.install import install_hint

QUANTIZATIONS = ("f32", "f16", "bf16", "q8_0")


@dataclass(frozen=True, slots=True)
class Family:
    """How one architecture's weights are named and laid out in GGUF."""

    arch: str
    permute: bool = False
    """llama.cpp rotates neighbouring pairs where transformers rotates halves: q and k rows are reordered."""
    unit_offset: bool = False
    """Norm weights are stored as w and used as 1 + w."""


FAMILIES: Mapping[str, Family] = {
    "LlamaForCausalLM": Family("LLAMA", permute=True),
    "MistralForCausalLM": Family("LLAMA", permute=True),
    "Qwen2ForCausalLM": Family("QWEN2"),
    "Qwen3ForCausalLM": Family("QWEN3"),
    "GemmaForCausalLM": Family("GEMMA", unit_offset=True),
    "Gemma2ForCausalLM": Family("GEMMA2", unit_offset=True),
    "Gemma3ForCausalLM": Family("GEMMA3", unit_offset=True),
    "BloomForCausalLM": Family("BLOOM"),
}


def to_gguf(
    model_dir: Path,
    out: Path,
    quantization: str = "f16",
    adapter: Path | None = None,
    *,
    name: str | None = None,
    template: str | None = None,
) -> Path:
    """Write a model directory as one GGUF file, with `adapter` merged into the weights when given.

    The model is called `name`, or as its directory; `template` is its chat template where it brings none, so that a
    base model is asked before teaching in the words it is asked in afterwards. `quantization` is one of QUANTIZATIONS;
    vectors stay f32, and a matrix whose rows are no multiple of 32 stays f16 under q8_0. Raises UserError for an
    architecture, tokenizer or adapter that cannot be converted faithfully; nothing is left at `out` then.
    """
    if quantization not in QUANTIZATIONS:
        raise UserError(f"quantization {quantization!r} is unknown; use one of {', '.join(QUANTIZATIONS)}")
    gguf = _gguf()
    config = read_config(model_dir)
    family = family_of(config, model_dir)
    if family.arch == "BLOOM":
        config = bloom.standard(config, model_dir / "config.json")
    tokenizer = read_tokenizer(model_dir, int(config["vocab_size"]), adapter)
    if template and not tokenizer.chat_template:
        tokenizer = replace(tokenizer, chat_template=template)
    lora = Lora.read(adapter) if adapter else None
    with _writer(out, family) as writer:
        writer.add_type("model")
        writer.add_name(name or model_dir.resolve().name)
        _add_shape(writer, config, family)
        tokenizer.add_to(writer)
        kind = "ALL_F32" if quantization == "f32" else f"MOSTLY_{quantization.upper()}"
        writer.add_file_type(gguf.LlamaFileType[kind])
        names = _names(family, config)
        for source, weight in _weights(model_dir, config):
            if lora:
                weight = lora.merge(bloom.full(source) if family.arch == "BLOOM" else source, weight)
            target, weight = _place(names, family, config, source, weight)
            writer.add_tensor(target, *_stored(weight, quantization))
        if family.arch != "BLOOM" and (factors := _rope_factors(config)) is not None:
            writer.add_tensor("rope_freqs.weight", factors)
        if lora:
            lora.check_all_used()
    return out


def read_config(model_dir: Path) -> dict[str, Any]:
    """The model's config.json; raises UserError when it is missing or unreadable."""
    path = model_dir / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{model_dir} is no Hugging Face model directory: it has no config.json") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(config, dict):
        raise UserError(f"{path} must hold a JSON object")
    return config


def family_of(config: Mapping[str, Any], where: Path) -> Family:
    """The conversion rules for a config; raises UserError naming the families that exist."""
    architecture = (config.get("architectures") or ["none"])[0]
    family = FAMILIES.get(architecture)
    if family is None:
        raise UserError(
            f"{where / 'config.json'}: architecture {architecture!r} cannot be converted; "
            f"known: {', '.join(FAMILIES)}. llama.cpp's own script may know it: give the path of its "
            "convert_hf_to_gguf.py with --converter"
        )
    scalar = config.get("query_pre_attn_scalar")
    if scalar is not None and scalar != _head_size(config):
        # llama.cpp takes 1/sqrt(head size) for these architectures except in sizes it recognises by depth.
        raise UserError(
            f"{where / 'config.json'}: query_pre_attn_scalar {scalar} differs from the head size "
            f"{_head_size(config)}, which the GGUF format cannot say for {architecture}"
        )
    return family


def _gguf() -> Any:
    try:
        import gguf
        import torch  # noqa: F401
    except ImportError as error:
        raise UserError(f"converting needs {error.name}: {install_hint('teach')}") from None
    return gguf


@contextmanager
def _writer(out: Path, family: Family) -> Iterator[Any]:
    """A GGUF writer whose file appears at `out` only when everything went well."""
    gguf = _gguf()
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as part:
        writer = gguf.GGUFWriter(part, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH[family.arch]], use_temp_file=True)
        try:
            yield writer
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
            if writer.temp_file is not None:
                writer.temp_file.close()


def _head_size(config: Mapping[str, Any]) -> int:
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary settings in one shape, whichever of transformers' spellings the config has."""
    new = config.get("rope_parameters") or {}
    if "full_attention" in new:  # Gemma 3 of transformers 5: one entry per kind of layer
        local = new.get("sliding_attention") or {}
        return {**new["full_attention"], "local_theta": local.get("rope_theta")}
    old = config.get("rope_scaling") or {}
    rope = {"rope_theta": config.get("rope_theta", 10000.0), **old, **new}
    rope["rope_type"] = rope.get("rope_type") or rope.get("type") or "default"
    rope["local_theta"] = config.get("rope_local_base_freq")
    return rope


def _add_shape(writer: Any, config: Mapping[str, Any], family: Family) -> None:
    """The hyperparameters llama.cpp builds the graph from."""
    gguf = _gguf()
    heads = config["num_attention_heads"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_vocab_size(config["vocab_size"])
    if family.arch == "BLOOM":
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
        return
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_key_length(_head_size(config))
    writer.add_value_length(_head_size(config))
    if family.arch == "LLAMA":
        writer.add_rope_dimension_count(_head_size(config))
    rope = _rope(config)
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    elif rope["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    elif rope["rope_type"] not in ("default", "llama3"):
        raise UserError(f"config.json: rope type {rope['rope_type']!r} cannot be converted")
    if family.arch in ("GEMMA2", "GEMMA3"):
        writer.add_sliding_window(config["sliding_window"])
        for key, add in (
            ("attn_logit_softcapping", writer.add_attn_logit_softcapping),
            ("final_logit_softcapping", writer.add_final_logit_softcapping),
        ):
            if config.get(key):
                add(config[key])
    if rope.get("local_theta"):
        writer.add_rope_freq_base_swa(rope["local_theta"])


def _rope_factors(config: Mapping[str, Any]) -> Any:
    """Frequency factors of rope type "llama3" as an array of shape (head size / 2,); None for other types."""
    import numpy as np

    rope = _rope(config)
    if rope["rope_type"] != "llama3":
        return None
    size = _head_size(config)
    frequencies = 1.0 / rope["rope_theta"] ** (np.arange(0, size, 2, dtype=np.float64) / size)
    wavelengths = 2 * math.pi / frequencies
    original = rope["original_max_position_embeddings"]
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    smooth = np.clip((original / wavelengths - low) / (high - low), 0.0, 1.0)
    return (1.0 / ((1 - smooth) / factor + smooth)).astype(np.float32)


def _names(family: Family, config: Mapping[str, Any]) -> Any:
    gguf = _gguf()
    return gguf.get_tensor_name_map(gguf.MODEL_ARCH[family.arch], config["num_hidden_layers"])


def _weights(model_dir: Path, config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every weight of the directory, one at a time, as float32 torch tensors."""
    from safetensors import safe_open

    files = sorted(model_dir.glob("model*.safetensors"))
    if not files:
        raise UserError(f"{model_dir} has no model*.safetensors; save the model with transformers' save_pretrained")
    for path in files:
        with safe_open(path, framework="pt") as archive:
            for name in archive.keys():  # noqa: SIM118  (not a dict)
                if name.endswith("rotary_emb.inv_freq"):
                    continue
                if name == "lm_head.weight" and config.get("tie_word_embeddings"):
                    continue
                yield name, archive.get_tensor(name).float()


def _place(names: Any, family: Family, config: Mapping[str, Any], name: str, weight: Any) -> tuple[str, Any]:
    """A weight's GGUF name and its values in GGUF's layout."""
    if family.arch == "BLOOM":
        name, weight = bloom.short(name), bloom.by_kind(name, weight, config["num_attention_heads"])
    target = names.get_name(name, try_suffixes=(".weight", ".bias"))
    if target is None:
        raise UserError(f"weight {name!r} has no place in a GGUF file of architecture {family.arch.lower()}")
    if family.permute:
        heads = config["num_attention_heads"]
        if ".q_proj." in name:
            weight = permute(weight, heads)
        elif ".k_proj." in name:
            weight = permute(weight, config.get("num_key_value_heads") or heads)
    if family.unit_offset and name.endswith("norm.weight"):
        weight = weight + 1
    return target, weight


def permute(weight: Any, heads: int) -> Any:
    """Rows of each head from (first half, second half) to interleaved pairs; shape kept."""
    rows = weight.shape[0]
    return (
        weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:])
        .transpose(1, 2)
        .reshape(weight.shape)
        .contiguous()
    )


def _stored(weight: Any, quantization: str) -> tuple[Any, Any, Any]:
    """The array, its logical shape when packed, and its GGUF type: the tail of `add_tensor`'s arguments."""
    import numpy as np

    gguf = _gguf()
    array = weight.numpy()
    if array.ndim == 1 or quantization == "f32":
        return array, None, None
    if quantization == "q8_0" and array.shape[-1] % 32:
        quantization = "f16"
    if quantization == "f16":
        return array.astype(np.float16), None, None
    kind = gguf.GGMLQuantizationType[quantization.upper()]
    return gguf.quants.quantize(array, kind), None, kind
