"""The common shape of a vendor's batch: the ticket that is kept, the state it is in, and the door it goes through."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from clika_providers.errors import ProviderError
from clika_providers.types import Completion, Request

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
    submitted_at: float
    """Unix time, seconds."""
    address: str
    """The address class it was sent to (no credentials)."""

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

    def submit(self, requests: Iterable[Keyed]) -> AsyncIterator[BatchTicket]:
        """Send all requests in as many batches as the vendor's limits need.

        Each ticket is given out as soon as its batch is accepted: keep it before asking for the next one.
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


class Chunk:
    """Lines collected until the next one would break a limit of the vendor's."""

    def __init__(self, most_lines: int, most_bytes: int) -> None:
        self._most_lines, self._most_bytes = most_lines, most_bytes
        self.lines = self.bytes = 0

    def takes(self, size: int) -> bool:
        """Whether a line of `size` bytes still fits; an empty chunk takes any line."""
        return not self.lines or (self.lines < self._most_lines and self.bytes + size <= self._most_bytes)

    def add(self, size: int) -> None:
        """Count a line."""
        self.lines += 1
        self.bytes += size


async def split_lines(pieces: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """The lines of a file that arrives in pieces, split at line feeds alone: text may hold other line separators."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line.decode("utf-8", "replace")
    if rest.strip():
        yield rest.decode("utf-8", "replace")
