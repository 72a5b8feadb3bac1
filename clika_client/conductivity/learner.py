"""Loads the model that is to be taught: its device, its number format, and the adapter or weights that learn."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.conductivity.convert import read_config
from clika_client.conductivity.presets import TeachSettings
from clika_providers.install import install_hint

TARGETS: Mapping[str, tuple[str, ...]] = {
    "bloom": ("query_key_value",),
    "baichuan": ("W_pack",),
}
"""Model type → layers that the authors' script adapts; all others have `OTHER_TARGETS`."""
OTHER_TARGETS = ("q_proj", "v_proj")


def import_torch() -> Any:
    """The torch module; raises UserError that says how to install what is missing for teaching."""
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise UserError(f"teaching needs {error.name}: {install_hint('teach')}") from None
    return torch


def resolved(settings: TeachSettings, model_dir: Path) -> TeachSettings:
    """The settings with this machine's device and number format, and the model's LoRA targets, in the place of `auto`.

    Raises UserError for a device that is not here and for a package that the settings need.
    """
    device = _device(settings.device)
    if settings.base_bits < 16 and importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(f"base_bits {settings.base_bits} (QLoRA) needs bitsandbytes: pip install bitsandbytes")
    if settings.method == "lora" and importlib.util.find_spec("peft") is None:
        raise UserError(f"LoRA needs peft: {install_hint('teach')}")
    dtype = settings.dtype
    if dtype == "auto":
        has = device == "cuda" and import_torch().cuda.is_bf16_supported()
        dtype = "bfloat16" if has else "float32"
    targets = settings.targets or TARGETS.get(str(read_config(model_dir).get("model_type")), OTHER_TARGETS)
    return replace(settings, device=device, dtype=dtype, targets=targets if settings.method == "lora" else ())


def _device(name: str) -> str:
    if name == "cpu":
        return name
    torch = import_torch()
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next((device for device, here in there.items() if here), "cpu")
    if not there[name]:
        here = [device for device, is_here in there.items() if is_here]
        raise UserError(f"torch finds no {name} device here; --device can be {', '.join([*here, 'cpu'])}")
    return name


def load(what: str, model_dir: Path, **settings: Any) -> Any:
    """`transformers.<what>.from_pretrained`, from this directory alone; raises UserError for what cannot be loaded."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    try:
        return getattr(transformers, what).from_pretrained(model_dir, local_files_only=True, **settings)
    except (OSError, ValueError) as error:
        raise UserError(f"transformers cannot load {model_dir}: {error}") from None


def load_learner(model_dir: Path, settings: TeachSettings) -> Any:
    """The model on the CPU (where its weights are quantized, on the GPU), with the weights to train set.

    Those are all of them, in float32, or a fresh LoRA adapter's, in float32 on top of frozen ones in `settings.dtype`.
    """
    torch = import_torch()
    # bfloat16 keeps 8 bits: a step of 2e-5 would be lost in a weight of 1. Autocast computes in it, weights stay exact.
    whole = settings.method == "full"
    options: dict[str, Any] = {"dtype": torch.float32 if whole else getattr(torch, settings.dtype)}
    if settings.base_bits < 16:
        options |= _quantized(settings, torch)
    model = load("AutoModelForCausalLM", model_dir, **options)
    model.config.use_cache = False
    if whole:
        return model
    import peft

    if settings.base_bits < 16:
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=settings.gradient_checkpointing)
    lora = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets),
    )
    if settings.gradient_checkpointing:
        model.enable_input_require_grads()  # frozen embeddings would cut the path that is computed again
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks transformers
            return peft.get_peft_model(model, lora)
    except ValueError as error:
        raise UserError(f"LoRA targets {', '.join(settings.targets)} do not fit {model_dir}: {error}") from None


def _quantized(settings: TeachSettings, torch: Any) -> dict[str, Any]:
    import transformers

    if settings.base_bits == 8:
        return {"quantization_config": transformers.BitsAndBytesConfig(load_in_8bit=True)}
    four = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": four}


def keeps_some_logits(model: Any) -> bool:
    """Whether the model can leave out the logits of positions that nothing is asked of."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(base.forward).parameters
