"""Probes of one language kept compressed, so that a set of a million questions fits in a small memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, overload

from clika_client.probes import BLOCK, Item, Probe, probe_line

PACK_FROM = 50_000
"""Probes in a set from which they are kept compressed: below, plain tuples are quicker and small enough."""
_LEVEL = 3


class PackedProbes(Sequence[Probe]):
    """The probes of one language as compressed lines of 256; read in order, each is unpacked once.

    Behaves as the tuple of its probes; equal to it, too.
    """

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("_blocks", "_items", "_language", "_open")

    def __init__(self, items: Sequence[Item], language: str, blocks: Sequence[bytes]) -> None:
        self._items = items
        self._language = language
        self._blocks = blocks
        self._open: tuple[int, tuple[Probe, ...]] = (-1, ())

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Probe: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Probe, ...]: ...
    def __getitem__(self, index: int | slice) -> Probe | tuple[Probe, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(index)
        number, within = divmod(at, BLOCK)
        return self._block(number)[within]

    def __iter__(self) -> Iterator[Probe]:
        for number in range(len(self._blocks)):
            yield from self._block(number)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PackedProbes | tuple):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def lines(self) -> Iterator[str]:
        """The same text as `probes.to_lines` makes of a tuple of these probes."""
        return (zlib.decompress(block).decode("utf-8", "surrogatepass") for block in self._blocks)

    def _block(self, number: int) -> tuple[Probe, ...]:
        if self._open[0] != number:
            items = self._items[number * BLOCK : (number + 1) * BLOCK]
            self._open = (number, tuple(unpacked(items, self._language, rows_of(self._blocks[number]))))
        return self._open[1]


def pack_line(line: str) -> bytes:
    """One block from its text."""
    return zlib.compress(line.encode("utf-8", "surrogatepass"), _LEVEL)


def rows_of(block: bytes) -> list[Any]:
    """The rows of one block."""
    return list(json.loads(zlib.decompress(block).decode("utf-8", "surrogatepass")))


def pack(items: Sequence[Item], language: str, probes: Iterable[Probe]) -> PackedProbes:
    """Pack probes, one per item and in the items' order, as they come."""
    source = iter(probes)
    return PackedProbes(items, language, [pack_line(probe_line(part)) for part in _parts(source)])


def _parts(source: Iterator[Probe]) -> Iterator[list[Probe]]:
    while part := list(islice(source, BLOCK)):
        yield part


def unpacked(items: Sequence[Item], language: str, rows: Iterable[Any]) -> Iterator[Probe]:
    """Probes from the rows of a line."""
    for item, (question, choices, gold, tags, fields) in zip(items, rows, strict=True):
        yield Probe(item.item_id, language, question, tuple(choices), gold, tags, fields)
