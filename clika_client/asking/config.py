"""What an invocation is given: sets, models and how they are asked, as one value that is stored with the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from clika_client.asking.plan import Items
from clika_client.asking.settings import Asking
from clika_client.common.errors import UserError
from clika_client.prompts.style import Style, style_digest
from clika_client.sets.open_form import open_form, refuse_options
from clika_client.sets.packed import set_digest
from clika_client.sets.probes import ProbeSet
from clika_providers import Json, Provider, ProviderOptions
from clika_providers.cluster.settings import ClusterOptions

STORED = "stored:"
"""Begins the name of a set that is taken from the database: the digest of its content, or the beginning of it."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything an invocation needs; stored with the run, without anything secret."""

    sets: tuple[ProbeSet, ...]
    models: tuple[str | Provider, ...]
    """Specs, or providers made elsewhere; the run closes them at its end, as it does its own."""
    style: Style
    asking: Asking = field(default_factory=Asking)
    languages: tuple[str, ...] | None = None
    items: Items = field(default_factory=Items)
    options: ProviderOptions = field(default_factory=ProviderOptions)
    refresh: bool = False
    max_cost: float | None = None
    fallback: str | Provider | None = None
    cluster: ClusterOptions | None = None
    """Where models are asked: on a Ray cluster, or in this process."""
    prices: Path | None = None
    """The user's own price table, which goes before the built-in one."""

    settings: Mapping[str, Json] = field(default_factory=dict)
    """What the command line or a script set, in the command's words, so that the run can be repeated."""

    def record(self) -> dict[str, Json]:
        """What the database keeps of it."""
        return {
            "sets": [s.name for s in self.sets],
            "models": [spec_of(model) for model in self.models],
            "prompt": self.style.name,
            "prompt_digest": style_digest(self.style),
            "ask": self.asking.ask,
            "languages": None if self.languages is None else list(self.languages),
            "limit": self.items.limit,
            "limit_by": self.items.by,
            "seed": self.items.seed,
            "only": list(self.items.only),
            "drop": list(self.items.drop),
            "permute": self.asking.permute,
            "repeats": self.asking.repeats,
            "max_tokens": self.asking.max_tokens,
            "fallback": None if self.fallback is None else spec_of(self.fallback),
            **({"settings": self._repeatable()} if self.settings else {}),
        }

    def _repeatable(self) -> dict[str, Json]:
        """The settings, with each set that was made in Python named by its content as it is asked and stored."""
        named = self.settings.get("sets")
        if not isinstance(named, list):
            return dict(self.settings)
        sets: list[Json] = [
            STORED + set_digest(made) if name == STORED else name for name, made in zip(named, self.sets, strict=False)
        ]
        return {**self.settings, "sets": sets}


def spec_of(model: str | Provider) -> str:
    """The name of a model that is given as a spec or as a provider; raises UserError for anything else."""
    spec = model if isinstance(model, str) else getattr(model, "spec", None)
    if not isinstance(spec, str):
        raise UserError(f"{model!r} is no model: give a spec such as openai/NAME, or a Provider")
    return spec


def as_asked(config: RunConfig) -> RunConfig:
    """The same run with each set in the form that is asked, and `auto` decided for sets that are open.

    Raises UserError for a set that cannot be asked in the way that was chosen.
    """
    asking = config.asking
    if asking.ask == "auto" and config.sets and all(s.open for s in config.sets):
        asking = replace(asking, ask="open")
    if asking.ask != "open":
        for probe_set in config.sets:
            refuse_options(probe_set)
        return replace(config, asking=asking)
    return replace(config, asking=asking, sets=tuple(open_form(s) for s in config.sets))
