"""What a local model is, from the identity that is stored with its answers: weights, quantization, template, build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_KINDS = {
    "chat": "a chat template in the file, ",
    "base": "no chat template: a base model, given plain text, ",
    None: "",
}


def facts_of(identity: str) -> dict[str, Any]:
    """Plain facts of a model whose identity names its weights, as what is computed here does; empty for every other.

    None is what the identity does not tell.
    """
    try:
        held = json.loads(identity)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(held, dict) or "weights" not in held:
        return {}
    name = str(held.get("model", ""))
    return {
        "weights": name,
        "quantization": name.rpartition(" ")[2],
        "weights_sha256": held["weights"],
        "kind": None if "chat_template" not in held else "chat" if held["chat_template"] else "base",
        "chat_template": held.get("chat_template"),
        "library": f"llama-cpp-python {version}" if (version := held.get("llama_cpp_python")) else held.get("provider"),
        "build": held.get("build"),
        "device": held.get("device", "CPU"),
        "packed": held.get("packed", 1),
    }


def sentence(facts: Mapping[str, Any]) -> str:
    """The facts in the words of a note."""
    kind = _KINDS[facts["kind"]]
    return f"{facts['weights']}, {kind}{facts['library']} on {facts['device']}"
