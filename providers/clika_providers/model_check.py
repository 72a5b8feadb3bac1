"""Does a model work from here: which models a server offers, and one probe that tells what a run would meet."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from clika_providers.errors import ProviderError, RunError
from clika_providers.hosted.adapter import Adapter
from clika_providers.hosted.servers import known_servers
from clika_providers.options import ProviderOptions
from clika_providers.provider import Provider
from clika_providers.registry import connect, parse_spec
from clika_providers.types import Completion, Message, Request

_PROBE = Request(
    (Message("user", "Which word names a colour? Answer with the letter only.\nA. seven\nB. red\nC. quickly"),),
    labels=("A", "B", "C"),
    max_tokens=16,
)
_PATIENCE_S = 20.0
"""Seconds that one attempt may take: whoever checks a model is waiting."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model a server says it offers."""

    id: str
    shutdown_date: str | None = None
    """Where the server tells it (OpenAI does), an ISO date."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What one probe showed. None: not known, because an earlier step failed or the server does not tell."""

    spec: str
    reachable: bool | None
    key_accepted: bool | None = None
    model_served: str | None = None
    said: str | None = None
    logprobs: bool | None = None
    likelihood: str | None = None
    """The form in which the server tells the likelihood of options; None where it does not."""
    thinking_off: bool | None = None
    shutdown_date: str | None = None
    latency_s: float | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether a run with this model can begin."""
        return self.error is None


async def list_models(server_name: str, options: ProviderOptions | None = None) -> list[ModelInfo]:
    """The models a server offers, sorted by name; raises ProviderError."""
    servers = known_servers()
    if server_name not in servers:
        raise RunError(f"no provider is called {server_name!r}; providers: {', '.join(sorted(servers))}", code="spec")
    if servers[server_name].kind == "gguf":
        raise RunError("gguf models are files: name one as gguf/PATH", code="spec")
    provider = connect(f"{server_name}/-", options)
    try:
        return sorted(await _offered(provider), key=lambda m: m.id)
    finally:
        await provider.aclose()


async def check(spec: str, options: ProviderOptions | None = None) -> CheckReport:
    """Send one probe (a second one when the first shows that label probabilities are not to be had)."""
    parse_spec(spec)
    options = replace(options or ProviderOptions(), max_retries=1, patience_s=5.0, timeout_s=_PATIENCE_S)
    try:
        provider = connect(spec, options)
    except ProviderError as error:
        return CheckReport(spec, reachable=None, error=str(error))  # nothing was sent
    try:
        return await _probe(provider, spec)
    finally:
        await provider.aclose()


async def _probe(provider: Provider, spec: str) -> CheckReport:
    started = time.monotonic()
    can = provider.capabilities if isinstance(provider, Adapter) else None
    wants_logprobs = can is None or (can.logprobs and not can.thinks(False))
    try:
        completion, logprobs = await _ask(provider, wants_logprobs)
    except ProviderError as error:
        return CheckReport(
            spec,
            reachable=error.status is not None,
            key_accepted=None if error.status is None else error.code not in ("key", "access"),
            notes=_notes(provider),
            error=str(error),
        )
    return CheckReport(
        spec,
        reachable=True,
        key_accepted=True,
        model_served=completion.model_served,
        said=completion.text.strip() or None,
        logprobs=logprobs,
        likelihood=await _likelihood(provider),
        thinking_off=_thinking_off(provider, completion),
        shutdown_date=await _shutdown_date(provider, spec),
        latency_s=time.monotonic() - started,
        notes=_notes(provider),
    )


async def _ask(provider: Provider, wants_logprobs: bool) -> tuple[Completion, bool]:
    """The reply, and whether it came with probabilities; the labels need not be among the likeliest tokens."""
    if wants_logprobs:
        try:
            completion = await provider.complete(replace(_PROBE, mode="logprobs"))
            return completion, completion.choice_logprobs is not None
        except RunError as error:
            if error.code != "logprobs":
                raise
        # A provider that gave up on logprobs refuses everything; a fresh one asks for text.
        again = connect(provider.spec, provider.options if isinstance(provider, Adapter) else None)
        try:
            return await again.complete(_PROBE), False
        finally:
            await again.aclose()
    return await provider.complete(_PROBE), False


async def _likelihood(provider: Provider) -> str | None:
    """How the likelihood of options can be had; asks only servers that may tell it."""
    try:
        return await provider.likelihood_form()
    except ProviderError:
        return None


def _thinking_off(provider: Provider, completion: Completion) -> bool | None:
    """False when the model thought although asked not to, or cannot be asked; None when the table does not know it."""
    can = provider.capabilities if isinstance(provider, Adapter) else None
    if can is not None and can.thinking == "always":
        return False
    return not (completion.thinking or completion.usage.reasoning_tokens)


async def _shutdown_date(provider: Provider, spec: str) -> str | None:
    model = parse_spec(spec)[1]
    try:
        return next((m.shutdown_date for m in await _offered(provider) if m.id == model), None)
    except ProviderError:
        return None  # many servers have no list of models; the probe has told what matters


async def _offered(provider: Provider) -> list[ModelInfo]:
    if not isinstance(provider, Adapter):
        return []
    found: list[ModelInfo] = []
    after = ""
    while True:
        page: Any = await provider.get(f"{provider.models_path}{after}")
        rows = page if isinstance(page, list) else page.get("data", [])
        found += [_info(row) for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
        if not (isinstance(page, dict) and page.get("has_more") and page.get("last_id")) or len(found) > 10_000:
            return found
        after = f"?after_id={page['last_id']}"


def _info(row: dict[str, Any]) -> ModelInfo:
    date = row.get("shutdown_date")
    return ModelInfo(row["id"].removeprefix("models/"), date if isinstance(date, str) else None)


def _notes(provider: Provider) -> tuple[str, ...]:
    return tuple(provider.notes)
