"""From a model spec to a provider: `provider/model`, split at the first slash."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from clika_providers.errors import RunError
from clika_providers.hosted.servers import Server, known_servers
from clika_providers.options import ProviderOptions
from clika_providers.types import Provider


def parse_spec(spec: str) -> tuple[str, str]:
    """(provider, model) of a spec such as `openrouter/vendor/model`; raises RunError with the cure."""
    name, slash, model = spec.strip().partition("/")
    servers = known_servers()
    names = ", ".join(sorted(servers))
    if name in servers and model.strip():
        return name, model
    if name in servers:
        raise RunError(f"{spec!r} names no model: write {name}/MODEL", code="spec")
    if spec.endswith(".gguf"):
        raise RunError(f"{spec!r} looks like a file: write gguf/{spec}", code="spec")
    if "://" in spec:
        raise RunError(f"{spec!r} is an address: write openai/MODEL and give it with --base-url", code="spec")
    if not slash:
        raise RunError(f"{spec!r} is not a model: write PROVIDER/MODEL; providers: {names}", code="spec")
    near = difflib.get_close_matches(name, servers, 1)
    hint = f"; did you mean {near[0]}/{model}?" if near else ""
    raise RunError(f"no provider is called {name!r}{hint} Providers: {names}".replace("  ", " "), code="spec")


def connect(spec: str, options: ProviderOptions | None = None) -> Provider:
    """The provider for a spec. Nothing is sent yet; raises RunError for a wrong spec, a missing key or file."""
    name, model = parse_spec(spec)
    options = options or ProviderOptions()
    server = known_servers()[name]
    if server.kind == "gguf":
        from clika_providers import gguf

        return gguf.connect(model, options)
    if server.kind == "anthropic":
        from clika_providers.hosted.anthropic import Anthropic

        return Anthropic(server, model, options)
    from clika_providers.hosted.openai_chat import OpenAIChat

    return OpenAIChat(server, model, options)


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One line of the table of providers."""

    name: str
    title: str
    base_url: str
    key_env: str
    logprobs: str
    thinking_off: str
    note: str


def provider_table() -> list[ProviderRow]:
    """Every provider that can be named, in the order of the table."""
    return [_row(server) for server in known_servers().values()]


def _row(server: Server) -> ProviderRow:
    keys = " or ".join(server.key_env) + ("" if server.key == "required" or not server.key_env else " (optional)")
    return ProviderRow(
        server.name, server.title, server.base_url or "", keys, server.logprobs, server.thinking_off, server.note
    )


def provider_markdown() -> str:
    """The table of providers as Markdown, for docs/providers.md."""
    head = (
        "| name | server | address | key | label probabilities | thinking off | note |\n|---|---|---|---|---|---|---|"
    )
    rows = [
        f"| `{r.name}` | {r.title} | {r.base_url and f'`{r.base_url}`'} | {r.key_env} | {r.logprobs} | {r.thinking_off}"
        f" | {r.note} |"
        for r in provider_table()
    ]
    return "\n".join([head, *rows])
