"""From a model spec to a provider: `provider/model`, split at the first slash.

Built-in kinds and those of other distributions come in by one door: a factory that takes the model's name and the
options. Others announce theirs in the entry-point group `clika.providers`, under the name that stands before the slash.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from clika_providers.errors import ProviderError, RunError
from clika_providers.hosted.servers import Server, known_servers
from clika_providers.options import ProviderOptions
from clika_providers.provider import Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "clika.providers"
"""Entry-point group; each entry is a Factory."""
Factory: TypeAlias = Callable[[str, ProviderOptions], Provider]
_HERE = ("gguf", "mock")
"""Kinds that have no address; a run may ask them beside a model that has several."""
_OWN = ("spec", "identity", "concurrency", "complete")
"""Members that no provider inherits."""


def parse_spec(spec: str) -> tuple[str, str]:
    """(provider, model) of a spec such as `openrouter/vendor/model`; raises RunError with the cure."""
    name, slash, model = spec.strip().partition("/")
    known = name in known_servers() or name in plugins()
    if known and model.strip():
        return name, model
    names = ", ".join(sorted(provider_names()))
    if known:
        raise RunError(f"{spec!r} names no model: write {name}/MODEL", code="spec")
    if spec.endswith(".gguf"):
        raise RunError(f"{spec!r} looks like a file: write gguf/{spec}", code="spec")
    if "://" in spec:
        raise RunError(f"{spec!r} is an address: write openai/MODEL and give it with --base-url", code="spec")
    if not slash:
        raise RunError(f"{spec!r} is not a model: write PROVIDER/MODEL; providers: {names}", code="spec")
    near = difflib.get_close_matches(name, provider_names(), 1)
    hint = f"; did you mean {near[0]}/{model}?" if near else ";"
    raise RunError(f"no provider is called {name!r}{hint} providers: {names}", code="spec")


def connect(spec: str, options: ProviderOptions | None = None) -> Provider:
    """The provider for a spec. Nothing is sent yet; raises RunError for a wrong spec, a missing key or file."""
    name, model = parse_spec(spec)
    options = options or ProviderOptions()
    server = known_servers().get(name)
    if options.more_urls and server is not None and server.kind not in _HERE:
        from clika_providers.hosted.several import connect_several

        return connect_several(spec, options, lambda one: connect(spec, one))
    if server is None:
        return _from_plugin(plugins()[name], model, options)
    return _BUILT_IN[server.kind](server, model, options)


def may_run_here(spec: str) -> bool:
    """Whether a spec's model may compute in this process; False where the table says that it is asked at a server.

    What another distribution brings says it once it is connected (`Provider.runs_here`).
    """
    server = known_servers().get(spec.partition("/")[0])
    return server is None or server.kind == "gguf"


def plugins() -> dict[str, EntryPoint]:
    """Providers that other installed distributions bring, by name; a built-in name cannot be taken."""
    from importlib.metadata import entry_points  # which reads the packaging of everything installed

    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in known_servers()}


def provider_names() -> list[str]:
    """Everything that can stand before the slash of a spec, in the order of the table."""
    return [*known_servers(), *plugins()]


def as_provider(made: object, who: str) -> Provider:
    """The same object, once it is known to be a Provider; raises RunError naming the members it lacks."""
    if isinstance(made, Provider):
        return made
    lacks = [name for name in _OWN if not hasattr(made, name)]
    what = "lacks " + ", ".join(lacks) if lacks else "does not inherit clika_providers.BaseProvider, which has the rest"
    raise RunError(f"{who} is no Provider: {type(made).__name__} {what} (see docs/providers.md)", code="setup")


def _from_plugin(entry: EntryPoint, model: str, options: ProviderOptions) -> Provider:
    """What another distribution makes of a model; whatever goes wrong in it is told as its failure."""
    origin = entry.dist.name if entry.dist else "another distribution"
    try:
        made: object = entry.load()(model, options)
    except ProviderError:
        raise
    except Exception as error:
        raise RunError(
            f"the provider {entry.name!r} of {origin} failed: {type(error).__name__}: {error}", code="setup"
        ) from error
    return as_provider(made, f"the provider {entry.name!r} of {origin}")


def _gguf(server: Server, model: str, options: ProviderOptions) -> Provider:
    from clika_providers import gguf

    return gguf.connect(model, options)


def _mock(server: Server, model: str, options: ProviderOptions) -> Provider:
    from clika_providers import mock

    return mock.connect(model, options)


def _anthropic(server: Server, model: str, options: ProviderOptions) -> Provider:
    from clika_providers.hosted.anthropic import Anthropic

    return Anthropic(server, model, options)


def _openai(server: Server, model: str, options: ProviderOptions) -> Provider:
    from clika_providers.hosted.openai_chat import OpenAIChat

    return OpenAIChat(server, model, options)


# Imported when first used: each brings a library that takes a second or is not there.
_BUILT_IN: dict[str, Callable[[Server, str, ProviderOptions], Provider]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "gguf": _gguf,
    "mock": _mock,
}


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One line of the table of providers."""

    name: str
    title: str
    base_url: str
    key_env: str
    logprobs: str
    likelihood: str
    thinking_off: str
    note: str


def provider_table() -> list[ProviderRow]:
    """Every provider that can be named, in the order of the table."""
    others = [
        ProviderRow(entry.name, "", "", "", "", "", "", f"from {entry.dist.name if entry.dist else 'elsewhere'}")
        for entry in plugins().values()
    ]
    return [*map(_row, known_servers().values()), *others]


def _row(server: Server) -> ProviderRow:
    keys = " or ".join(server.key_env) + ("" if server.key == "required" or not server.key_env else " (optional)")
    return ProviderRow(
        server.name,
        server.title,
        server.base_url or "",
        keys,
        server.logprobs,
        server.likelihood,
        server.thinking_off,
        server.note,
    )
