"""The settings of a run that was made from Python, in the words of `clika run`, so that it is repeated by its id."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clika_client.asking.plan import Asking, Items
from clika_providers import Json, ProviderOptions
from clika_providers.keys import redact

_OPTIONS = {
    "base_url": "base_url", "key_command": "key_command", "concurrency": "concurrency", "rpm": "rpm", "tpm": "tpm",
    "timeout_s": "timeout", "max_retries": "max_retries", "patience_s": "patience", "insecure_http": "insecure_http",
    "capabilities": "capabilities", "n_gpu_layers": "gpu_layers", "n_ctx": "n_ctx", "n_threads": "threads",
    "n_sequences": "sequences", "lora": "lora", "models_dir": "models_dir",
}  # fmt: skip
"""Field of ProviderOptions → option of the command."""
_ASKING = {
    "ask": "ask", "max_tokens": "max_tokens", "temperature": "temperature", "seed": "sampling_seed",
    "thinking": "thinking", "grammar": "grammar", "repeats": "repeats",
}  # fmt: skip
_ITEMS = {"only": "only", "drop": "drop", "limit": "limit", "by": "limit_by", "seed": "limit_seed"}


def repeatable(
    sets: Sequence[object],
    models: Sequence[object],
    *,
    asking: Asking,
    items: Items,
    options: ProviderOptions,
    **others: object,
) -> dict[str, Json]:
    """What `clika run` is to be told to ask the same; empty where a set or a model is an object of the script.

    `others` are languages, prompt, shots, max_cost and fallback.
    """
    named = (*sets, *models, *([others["fallback"]] if others.get("fallback") is not None else []))
    if not all(isinstance(one, str | Path) for one in named):
        return {}
    found: dict[str, Any] = {"sets": list(sets), "model": list(models)}
    found |= {name: value for name, value in others.items() if value not in (None, 0)}
    for held, usual, names in (
        (asking, Asking(), _ASKING), (items, Items(), _ITEMS), (options, ProviderOptions(), _OPTIONS),
    ):  # fmt: skip
        for field, name in names.items():
            if getattr(held, field) != getattr(usual, field):
                found[name] = getattr(held, field)
    if options.more_urls:
        found["base_url"] = [options.base_url, *options.more_urls]
    if asking.permute:
        found["permute"] = "cyclic"
    if options.extra_body:
        found["extra"] = [f"{name}={json.dumps(value)}" for name, value in options.extra_body]
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Json:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float) else redact(str(value))
