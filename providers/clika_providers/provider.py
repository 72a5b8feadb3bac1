"""What a model has to have to be asked, and the members that most models leave as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from clika_providers.errors import RunError
from clika_providers.types import AskMode, Completion, Json, Request


@runtime_checkable
class Provider(Protocol):
    """One model behind one door. A new vendor is a `BaseProvider` with the first four members."""

    @property
    def spec(self) -> str:
        """`provider/model`, the row's name in every report."""
        ...

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything about the model that can change an answer; part of the cache key.

        Always holds `provider` and `model`; also base URL class, weights digest, library version,
        chat template, adapters. Never a key, a timeout or a thread count.
        """
        ...

    @property
    def concurrency(self) -> int:
        """How many requests in flight are useful at most."""
        ...

    async def complete(self, request: Request) -> Completion:
        """Answer one request, retrying what is worth retrying; raises ProviderError."""
        ...

    @property
    def runs_here(self) -> bool:
        """Whether it computes in this process: models take turns then, and probabilities are computed, not drawn."""
        ...

    @property
    def has_server(self) -> bool:
        """Whether it is asked at an address, so that `--base-url` says where."""
        ...

    @property
    def usual_ask(self) -> AskMode:
        """What `--ask auto` stands for."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for the user about how this model was asked."""
        ...

    @property
    def tells_likelihood(self) -> bool:
        """Whether it may tell how likely a text is that it did not write; `likelihood_form` finds out."""
        ...

    async def likelihood_form(self) -> str:
        """In which form the likelihood of options is told; raises RunError where it is not."""
        ...

    def most_output(self, request: Request) -> int:
        """Tokens that a reply can be billed for at most: a higher cap may be sent than was asked for."""
        ...

    async def prepare(self) -> None:
        """Find out what has to be known before the first question; raises RunError where it is not so."""
        ...

    async def release(self) -> None:
        """Give back what another model needs, such as memory; the next request takes it again."""
        ...

    def drain(self) -> None:
        """Start no more calls, where those that wait can be told from those under way."""
        ...

    async def aclose(self) -> None:
        """Release connections, threads and memory."""
        ...


@runtime_checkable
class ShowsTokens(Protocol):
    """A model that can show what it is given; one behind a server cannot."""

    def exact(self, requests: Sequence[Request]) -> Sequence[Sequence[tuple[int, bytes]]]:
        """Per request, the tokens that would be evaluated before the answer, with their bytes."""
        ...


class BaseProvider:
    """The members of a Provider that most models leave as they are.

    What inherits it adds `spec`, `identity`, `concurrency` and `complete`, and overrides what is otherwise with it.
    """

    @property
    def runs_here(self) -> bool:
        """False: it is asked elsewhere."""
        return False

    @property
    def has_server(self) -> bool:
        """What does not compute here is asked somewhere."""
        return not self.runs_here

    @property
    def usual_ask(self) -> AskMode:
        """Its text is read."""
        return "text"

    @property
    def notes(self) -> Sequence[str]:
        """Nothing to say."""
        return ()

    @property
    def tells_likelihood(self) -> bool:
        """False: it writes, and scores nothing that others wrote."""
        return False

    async def likelihood_form(self) -> str:
        """Raises RunError."""
        raise RunError("this model tells no likelihood of texts it did not write", code="likelihood")

    def most_output(self, request: Request) -> int:
        """As many tokens as were asked for."""
        return request.max_tokens

    async def prepare(self) -> None:
        """Nothing has to be known."""

    async def release(self) -> None:
        """Nothing is held that another model needs."""

    def drain(self) -> None:
        """Its calls are all under way."""

    async def aclose(self) -> None:
        """Nothing is held."""
