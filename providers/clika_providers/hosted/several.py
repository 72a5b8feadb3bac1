"""One model behind several addresses: each question goes where fewest are waiting, and the row keeps one name.

Before the first question it is checked that they serve the same weights: by what each tells of its model, and by a
short probe of fixed prompts. The name is that of the first address, so a run that began there goes on with more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from clika_providers.errors import ProviderError, RunError
from clika_providers.hosted.adapter import HostedProvider
from clika_providers.hosted.openai_chat import OpenAIChat
from clika_providers.hosted.same_weights import Shown, difference, look
from clika_providers.options import ProviderOptions
from clika_providers.provider import BaseProvider, Provider
from clika_providers.traffic.retry import before_retry
from clika_providers.types import Completion, Json, Request

_GONE = ("circuit", "unreachable", "not_connected")
"""Codes of a failure that is about one address."""


@dataclass(slots=True, eq=False)
class _Door:
    provider: HostedProvider
    adapter: OpenAIChat
    """What makes its exchanges."""
    waiting: int = 0
    given: int = 0
    gone: ProviderError | None = None

    @property
    def address(self) -> str:
        """Host and path, without anything secret."""
        return self.adapter.where.address


def connect_several(spec: str, options: ProviderOptions, connect: Callable[[ProviderOptions], Provider]) -> Provider:
    """The model at all its addresses; raises RunError where one is not usable."""
    urls = (options.base_url, *options.more_urls)
    n = len(urls)
    one = replace(options, more_urls=(), rpm=options.rpm and options.rpm / n, tpm=options.tpm and options.tpm / n)
    providers = [connect(replace(one, base_url=url)) for url in urls]
    doors = []
    for provider in providers:
        if not isinstance(provider, HostedProvider) or not isinstance(provider.adapter, OpenAIChat):
            raise RunError(f"{spec}: several --base-url are for servers that speak chat completions", code="setup")
        doors.append(_Door(provider, provider.adapter))
    return Balanced(doors)


class Balanced(BaseProvider):
    """A Provider that spreads its questions over servers of the same weights."""

    def __init__(self, doors: Sequence[_Door]) -> None:
        self._doors = list(doors)
        self._first = doors[0].provider
        self._checked, self._turn = False, asyncio.Lock()
        self._found: list[str] = []

    @property
    def spec(self) -> str:
        """`server/model`."""
        return self._first.spec

    @property
    def identity(self) -> Mapping[str, Json]:
        """That of the first address, whichever answers."""
        return self._first.identity

    @property
    def concurrency(self) -> int:
        """Requests in flight that are useful at most, at all addresses together."""
        return sum(door.provider.concurrency for door in self._doors)

    @property
    def notes(self) -> list[str]:
        """What the user should know about how this model was asked."""
        return list(dict.fromkeys([*self._found, *(note for door in self._doors for note in door.provider.notes)]))

    def drain(self) -> None:
        """Start no more calls."""
        for door in self._doors:
            door.provider.drain()

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(door.provider.aclose() for door in self._doors))

    async def release(self) -> None:
        """As the wrapped ones do it."""
        for door in self._doors:
            await door.provider.release()
        if sum(door.given > 0 for door in self._doors) > 1:
            shares = ", ".join(f"{door.address} {door.given}" for door in self._doors)
            self._found.append(f"questions by address: {shares}")

    async def prepare(self) -> None:
        """Check that all addresses serve the same model; raises RunError where they do not, or none answers."""
        async with self._turn:
            if not self._checked:
                await self._check()

    async def _check(self) -> None:
        looks = await asyncio.gather(*(look(door.adapter) for door in self._doors), return_exceptions=True)
        shown: list[tuple[_Door, Shown]] = []
        for door, seen in zip(self._doors, looks, strict=True):
            if isinstance(seen, ProviderError):
                self._leave(door, seen)
            elif isinstance(seen, BaseException):
                raise seen
            else:
                shown.append((door, seen))
        if not shown:
            raise next(door.gone for door in self._doors if door.gone is not None)
        first, said = shown[0]
        most = 0.0
        for door, seen in shown[1:]:
            found = difference(said, seen)
            if found.sentence:
                raise RunError(
                    f"{self.spec}: {first.address} and {door.address} do not serve the same weights: {found.sentence}. "
                    "Ask each by itself, or name the servers of one model",
                    code="setup",
                )
            most = max(most, found.log_probability)
        self._checked = True
        if len(shown) > 1:
            self._found.append(
                f"asked at {len(shown)} addresses, which answered a probe of fixed prompts alike "
                + (f"(log-probabilities within {most:.2f})" if said.gave_probabilities else "(texts compared)")
            )

    def most_output(self, request: Request) -> int:
        """As at the first address."""
        return self._first.most_output(request)

    @property
    def tells_likelihood(self) -> bool:
        """As at the first address."""
        return self._first.tells_likelihood

    async def likelihood_form(self) -> str:
        """The one form in which all addresses tell likelihoods; raises RunError where they do not."""
        forms = {await door.provider.likelihood_form() for door in self._doors if door.gone is None}
        if len(forms) != 1:
            raise RunError(
                f"{self.spec}: its addresses tell likelihoods in different forms: {', '.join(sorted(forms))}",
                code="likelihood",
            )
        return forms.pop()

    async def complete(self, request: Request) -> Completion:
        """Answer one request, at another address where one has been given up; raises ProviderError."""
        await self.prepare()
        while True:
            here = [door for door in self._doors if door.gone is None]
            if not here:
                raise next(door.gone for door in reversed(self._doors) if door.gone is not None)
            door = min(here, key=lambda one: (one.waiting, one.given))
            door.waiting += 1
            door.given += 1
            try:
                return await door.provider.complete(request)
            except RunError as error:
                if error.code not in _GONE:
                    raise
                self._leave(door, error)
                agree = before_retry.get()
                if agree is not None:
                    await agree(error)
            finally:
                door.waiting -= 1

    def _leave(self, door: _Door, error: ProviderError) -> None:
        if door.gone is None:
            door.gone = error
            self._found.append(f"{door.address} is left out: {error}")
