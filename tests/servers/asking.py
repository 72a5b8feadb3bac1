"""Asking a provider many questions at once, as a run does: bounded workers over an iterator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeVar

from clika_providers import Completion, Message, Provider, ProviderError, ProviderOptions, Request, RunError, connect
from clika_providers.userfiles import builtin

T = TypeVar("T")
ONE_OF_EACH = {
    row["kind"]: f"{name}/claude-haiku-4-5"
    for name, row in reversed(builtin("servers.toml").items())
    if row["kind"] not in ("gguf", "mock")
}
"""Wire format → a model behind the first server of the table that speaks it."""
QUICK = {"backoff_s": 0.02, "timeout_s": 5.0, "patience_s": 3.0}
"""Durations short enough for tests."""


def question(text: str = "Which?", **changes: Any) -> Request:
    return Request((Message("user", text),), **changes)


def using(spec: str, work: Callable[[Any], Awaitable[T]], **options: Any) -> T:
    """Run `work` with a connected provider, and close it.

    What carries requests is imported first: on a machine that does other work that takes longer than a request may.
    """
    for library in ("aiohttp", "httpx", "openai"):
        import_module(library)

    async def run() -> T:
        provider = connect(spec, ProviderOptions(**{**QUICK, **options}))
        try:
            return await work(provider)
        finally:
            await provider.aclose()

    return asyncio.run(run())


def ask_one(spec: str, request: Request | None = None, **options: Any) -> Completion:
    return using(spec, lambda provider: provider.complete(request or question()), **options)


@dataclass
class Outcome:
    answers: dict[int, Completion] = field(default_factory=dict)
    errors: dict[int, ProviderError] = field(default_factory=dict)


async def ask_many(
    provider: Provider, count: int, workers: int, *, requests: Iterable[Request] | None = None
) -> Outcome:
    """Ask `count` different questions; a RunError stops the worker that meets it."""
    outcome = Outcome()
    numbered = iter(enumerate(requests or (question(f"question {i}") for i in range(count))))

    async def worker() -> None:
        for number, request in numbered:
            try:
                outcome.answers[number] = await provider.complete(request)
            except ProviderError as error:
                outcome.errors[number] = error
                if isinstance(error, RunError):
                    return

    await asyncio.gather(*(worker() for _ in range(workers)))
    return outcome
