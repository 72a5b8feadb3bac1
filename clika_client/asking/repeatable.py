"""The settings of a run that was made from Python, in the words of `clika run`, so that it is repeated by its id."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clika_client.asking.config import STORED, spec_of
from clika_client.asking.plan import Items
from clika_client.asking.settings import Asking
from clika_client.common.running import finish
from clika_providers import Json, Provider, ProviderError, ProviderOptions
from clika_providers.cluster.settings import ClusterOptions
from clika_providers.keys import redact
from clika_providers.registry import connect

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


_GROUPS = (("items", Items, _ITEMS), ("asking", Asking, _ASKING), ("provider", ProviderOptions, _OPTIONS))
"""Argument of `clika_client.run`, its class, and what the command calls its fields."""
OBJECTS = "objects"
"""Among kept settings: name of a model that no spec stands for → the class of its object."""


def repeatable(
    sets: Sequence[object],
    models: Sequence[str | Provider],
    *,
    asking: Asking,
    items: Items,
    options: ProviderOptions,
    cluster: ClusterOptions | None = None,
    **others: object,
) -> dict[str, Json]:
    """What `clika run` is to be told to ask the same.

    A set made in Python stands there as STORED, until the run knows in which form it asks it; a model made in Python
    under its spec, and among OBJECTS where that spec would make another one. `others` are languages, prompt, shots,
    max_cost and fallback.
    """
    found: dict[str, Any] = {"sets": [one if isinstance(one, str | Path) else STORED for one in sets]}
    found["model"] = [spec_of(model) for model in models]
    fallback = others.pop("fallback", None)
    if fallback is not None:
        models, found["fallback"] = (*models, fallback), spec_of(fallback)  # type: ignore[arg-type]
    found |= {name: value for name, value in others.items() if value not in (None, 0)}
    for held, (_, make, names) in zip((items, asking, options), _GROUPS, strict=True):
        for field, name in names.items():
            if getattr(held, field) != getattr(make(), field):
                found[name] = getattr(held, field)
    if options.more_urls:
        found["base_url"] = [options.base_url, *options.more_urls]
    if asking.permute:
        found["permute"] = "cyclic"
    if options.extra_body:
        found["extra"] = [f"{name}={json.dumps(value)}" for name, value in options.extra_body]
    if cluster is not None:
        ray = {"ray": cluster.address, "ray_actors": cluster.actors, "ray_gpus": cluster.gpus}
        found |= {name: value for name, value in ray.items() if value is not None}
    kept = {name: _plain(value) for name, value in found.items()}
    made = {
        spec_of(model): type(model).__name__
        for model in models
        if not isinstance(model, str) and not _is_named(model, options)
    }
    return {**kept, OBJECTS: made} if made else kept  # type: ignore[dict-item]


def _is_named(model: Provider, options: ProviderOptions) -> bool:
    """Whether the spec of an object leads to a provider that asks the same model."""
    try:
        named = connect(model.spec, options)
    except ProviderError:
        return False
    same = dict(named.identity) == dict(model.identity)
    finish(named.aclose)
    return same


def call_of(settings: Mapping[str, Any], db: str) -> str:
    """The Python that asks again what a run with OBJECTS asked, each of them made anew in its place."""
    made = settings[OBJECTS]
    models = [f"{made[spec]}(...)" if spec in made else repr(spec) for spec in settings["model"]]
    said = [repr(settings["sets"]), f"[{', '.join(models)}]", f"db={db!r}", "refresh=True"]
    if "languages" in settings:
        said.append(f"languages={settings['languages'].split(',')!r}")
    said += [f"{name}={settings[name]!r}" for name in ("prompt", "shots", "max_cost") if name in settings]
    if "fallback" in settings:
        spec = settings["fallback"]
        said.append(f"fallback={f'{made[spec]}(...)' if spec in made else repr(spec)}")
    for argument, make, names in _GROUPS:
        fields = {field: settings[name] for field, name in names.items() if name in settings}
        fields |= {"permute": True} if make is Asking and "permute" in settings else {}
        listed = (f"{field}={tuple(value) if isinstance(value, list) else value!r}" for field, value in fields.items())
        said += [f"{argument}=clika_client.{make.__name__}({', '.join(listed)})"] if fields else []
    return f"clika_client.run({', '.join(said)})"


def _plain(value: Any) -> Json:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float) else redact(str(value))
