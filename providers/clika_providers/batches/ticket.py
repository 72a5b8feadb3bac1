"""The common shape of a vendor's batch: the ticket that is kept, the state it is in, and the door it goes through."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from clika_providers.errors import ProviderError, RetryableError
from clika_providers.types import Completion, Request

MOST_LINE = 8_000_000
"""Bytes of one result; see the limit of a single reply."""
MOST_RESULTS = 4_000_000_000
"""Bytes of all results of a batch: ten times what the largest batch can say in short answers."""
State = Literal["running", "done", "expired", "cancelled", "failed"]
Keyed = tuple[str, Request]
"""(custom id, request); the id is the hexadecimal cache key, by which results are joined again."""
RequestOf = Callable[[str], "Request | None"]
"""The request behind a custom id, None for an id that is not known (its result is passed over)."""


@dataclass(frozen=True, slots=True)
class BatchTicket:
    """One batch a vendor has accepted: all that is needed to find it again from another process."""

    spec: str
    batch_id: str
    requests: int
    address: str
    """The address class it was sent to (no credentials)."""
    name: str = ""
    """Our own name for it, given before it was sent; vendors that take metadata are told it."""

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> BatchTicket:
        """The ticket that `to_json` wrote."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """Where a batch stands."""

    state: State
    vendor_state: str
    done: int
    failed: int
    total: int
    message: str | None = None
    """Why it failed, in the vendor's words."""

    @property
    def is_over(self) -> bool:
        """Nothing more will come; what there is can be collected, after expiry and cancellation too."""
        return self.state != "running"


class BatchDoor(Protocol):
    """A model whose requests can be sent as batches at a lower price."""

    def chunks(self, requests: Iterable[Keyed]) -> Iterator[list[Keyed]]:
        """The requests in as many batches as the vendor's limits need."""
        ...

    async def send(self, requests: Sequence[Keyed], name: str) -> BatchTicket:
        """Send one batch; keep what it holds, and its name, before.

        Raises ProviderError; with `sent` set it is not known whether the vendor took the batch: see `find`.
        """
        ...

    async def find(
        self, name: str, requests: Sequence[str], since: float, known: Collection[str]
    ) -> BatchTicket | None:
        """The batch of that name, if the vendor has it: one of these custom ids, sent after `since` (Unix time).

        `known` are ids of batches that are others. Raises ProviderError when the vendor cannot be asked.
        """
        ...

    async def status(self, ticket: BatchTicket) -> BatchStatus:
        """Ask where a batch stands."""
        ...

    def collect(
        self, ticket: BatchTicket, request_of: RequestOf
    ) -> AsyncIterator[tuple[str, Completion | ProviderError]]:
        """The results there are, in any order; requests without a result are simply not among them."""
        ...

    async def cancel(self, ticket: BatchTicket) -> BatchStatus:
        """Stop a batch; what was finished can still be collected, and is billed."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...


@contextmanager
def maybe_taken() -> Iterator[None]:
    """Around the call that makes a batch: whether it was taken is not known unless the vendor said no."""
    try:
        yield
    except ProviderError as error:
        refused = error.status is not None and 400 <= error.status < 500 and error.status not in (408, 409)
        error.sent = not refused and error.code != "not_connected"
        raise


def in_chunks(
    requests: Iterable[Keyed], size: Callable[[str, Request], int], most_lines: int, most_bytes: int
) -> Iterator[list[Keyed]]:
    """Requests collected until the next one would break a limit; one alone is taken whatever its size."""
    chunk: list[Keyed] = []
    held = 0
    for key, request in requests:
        length = size(key, request)
        if chunk and (len(chunk) >= most_lines or held + length > most_bytes):
            yield chunk
            chunk, held = [], 0
        chunk.append((key, request))
        held += length
    if chunk:
        yield chunk


async def split_lines(pieces: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """The lines of a file that arrives in pieces, split at line feeds alone: text may hold other line separators."""
    rest, size = b"", 0
    async for piece in pieces:
        size += len(piece)
        if size > MOST_RESULTS:
            raise RetryableError(f"the batch's results are longer than {MOST_RESULTS:,} bytes", code="shape")
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > MOST_LINE:
            raise RetryableError(f"a line of the batch's results is longer than {MOST_LINE:,} bytes", code="shape")
        for line in whole:
            if line.strip():
                yield line.decode("utf-8", "replace")
    if rest.strip():
        yield rest.decode("utf-8", "replace")
