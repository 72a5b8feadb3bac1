"""What a local model is, from the identity that is stored with its answers: weights, quantization, template, build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def facts_of(identity: str) -> dict[str, Any]:
    """Plain facts of a model that was computed in this program; empty for every other."""
    try:
        held = json.loads(identity)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(held, dict) or held.get("provider") != "gguf":
        return {}
    name = str(held.get("model", ""))
    return {
        "weights": name,
        "quantization": name.rpartition(" ")[2],
        "weights_sha256": held.get("weights"),
        "kind": "chat" if held.get("chat_template") else "base",
        "chat_template": held.get("chat_template"),
        "library": f"llama-cpp-python {held.get('llama_cpp_python')}",
        "build": held.get("build"),
        "device": held.get("device", "CPU"),
        "packed": held.get("packed", 1),
    }


def sentence(facts: Mapping[str, Any]) -> str:
    """The facts in the words of a note."""
    chat = facts["kind"] == "chat"
    kind = "a chat template in the file" if chat else "no chat template: a base model, given plain text"
    return f"{facts['weights']}, {kind}, {facts['library']} on {facts['device']}"
