"""BLOOM as GGUF has it: no rotation but ALiBi, norms and layers with biases, q, k and v in one matrix, head by head."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError

_CONTEXT = 2048
"""Of BLOOM and BLOOMZ, whose configuration may leave it out: ALiBi has no limit of its own."""


def standard(config: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """The configuration with the names that other families have for the same things."""
    if config.get("apply_residual_connection_post_layernorm"):
        raise UserError(f"{where}: apply_residual_connection_post_layernorm is true, which llama.cpp does not compute")
    hidden = config.get("hidden_size") or config["n_embed"]
    heads = config.get("n_head") or config["num_attention_heads"]
    return {
        "tie_word_embeddings": True,
        **config,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "num_hidden_layers": config.get("n_layer") or config["num_hidden_layers"],
        "intermediate_size": 4 * hidden,
        "max_position_embeddings": config.get("seq_length") or _CONTEXT,
    }


_CLASS = "transformer."
"""Before a weight's name where transformers saved it, and in adapters; BLOOM's own files leave it out."""


def short(name: str) -> str:
    """A weight's name as GGUF's tables know it."""
    return name.removeprefix(_CLASS)


def full(name: str) -> str:
    """A weight's name as adapters know it."""
    return name if name.startswith((_CLASS, "lm_head.")) else _CLASS + name


def by_kind(name: str, weight: Any, heads: int) -> Any:
    """Rows of all heads' q, then k, then v, as llama.cpp reads them, from those of each head's three; shape kept."""
    if ".query_key_value." not in name:
        return weight
    apart = weight.reshape(heads, 3, -1, *weight.shape[1:])
    return apart.transpose(0, 1).reshape(weight.shape).contiguous()
