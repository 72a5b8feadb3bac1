"""Probe sets as compressed blocks: how a set is stored and hashed, and how a million questions fit in memory."""

from __future__ import annotations

import hashlib
import json
import tempfile
import weakref
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, overload

from clika_client.sets.probes import Item, Probe, ProbeSet

BLOCK = 256
"""Items or probes to a block."""
PACK_FROM = 50_000
"""Probes in a set from which they are kept compressed: below, plain tuples are quicker and small enough."""
_LEVEL = 3
_MOST_LINE = 64_000_000
"""Bytes of 256 probes; a small block that unpacks to more was made to fill the memory."""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


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

    @property
    def blocks(self) -> Sequence[bytes]:
        """The probes as they are stored."""
        return self._blocks

    def _block(self, number: int) -> tuple[Probe, ...]:
        if self._open[0] != number:
            items = self._items[number * BLOCK : (number + 1) * BLOCK]
            self._open = (number, tuple(unpacked(items, self._language, rows_of(self._blocks[number]))))
        return self._open[1]


class SpooledBlocks(Sequence[bytes]):
    """Blocks kept in a temporary file that goes with them: a large set need not be in memory to be made."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as this object
        weakref.finalize(self, self._file.close)
        self._ends = [0]
        for block in blocks:
            self._file.write(block)
            self._ends.append(self._ends[-1] + len(block))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        self._file.seek(self._ends[at])
        return self._file.read(self._ends[at + 1] - self._ends[at])


def pack_line(line: str) -> bytes:
    """One block from its text."""
    return zlib.compress(line.encode("utf-8", "surrogatepass"), _LEVEL)


def line_of(block: bytes) -> str:
    """The text of one block."""
    unpacker = zlib.decompressobj()
    line = unpacker.decompress(block, _MOST_LINE)
    if not unpacker.eof:
        raise ValueError(f"a block of a probe set is damaged, or unpacks to more than {_MOST_LINE:,} bytes")
    return line.decode("utf-8", "surrogatepass")


def rows_of(block: bytes) -> list[Any]:
    """The rows of one block."""
    return list(json.loads(line_of(block)))


def pack(items: Sequence[Item], language: str, probes: Iterable[Probe], *, spool: bool = False) -> PackedProbes:
    """Pack probes, one per item and in the items' order, as they come; with `spool` into a temporary file."""
    blocks = (pack_line(probe_line(part)) for part in _parts(iter(probes)))
    return PackedProbes(items, language, SpooledBlocks(blocks) if spool else list(blocks))


def _parts(source: Iterator[Probe]) -> Iterator[list[Probe]]:
    while part := list(islice(source, BLOCK)):
        yield part


def unpacked(items: Sequence[Item], language: str, rows: Iterable[Any]) -> Iterator[Probe]:
    """Probes from the rows of a line."""
    for item, (question, choices, gold, tags, fields) in zip(items, rows, strict=True):
        yield Probe(item.item_id, language, question, tuple(choices), gold, tags, fields)


def probe_line(probes: Sequence[Probe]) -> str:
    """Up to 256 probes of one language as one line of canonical JSON."""
    return _encode([[p.question, list(p.choices), p.gold, dict(p.tags), dict(p.fields)] for p in probes])


def to_lines(probe_set: ProbeSet) -> Iterator[str]:
    """The set as lines of canonical JSON: a head, then items and each language's probes, 256 to a line.

    Never one text of the whole set, which may hold a million questions.
    """
    yield from _leading_lines(probe_set)
    for probes in probe_set.probes.values():
        if isinstance(probes, PackedProbes):
            yield from map(line_of, probes.blocks)
        else:
            yield from map(probe_line, _parts(iter(probes)))
    if probe_set.examples is not None:
        yield from to_lines(probe_set.examples)


def to_blocks(probe_set: ProbeSet) -> Iterator[bytes]:
    """The same lines, compressed; the inverse of `from_blocks`."""
    yield from map(pack_line, _leading_lines(probe_set))
    for probes in probe_set.probes.values():
        if isinstance(probes, PackedProbes):
            yield from probes.blocks
        else:
            yield from (pack_line(probe_line(part)) for part in _parts(iter(probes)))
    if probe_set.examples is not None:
        yield from to_blocks(probe_set.examples)


def _leading_lines(probe_set: ProbeSet) -> Iterator[str]:
    head: dict[str, object] = {
        "name": probe_set.name,
        "version": probe_set.version,
        "reference": probe_set.reference,
        "licence": probe_set.licence,
        "source": probe_set.source,
        "meta": dict(probe_set.meta),
        "languages": list(probe_set.probes),
        "n": probe_set.n,
    }
    if probe_set.examples is not None:
        head["examples"] = True  # another set follows
    yield _encode(head)
    for start in range(0, probe_set.n, BLOCK):
        yield _encode([[i.item_id, dict(i.tags), i.cluster] for i in probe_set.items[start : start + BLOCK]])


def from_blocks(blocks: Iterable[bytes]) -> ProbeSet:
    """The set that `to_blocks` wrote; a large one stays compressed. Raises ValueError for anything else."""
    source = iter(blocks)
    head = json.loads(line_of(next(source, b"")))
    count = -(-head["n"] // BLOCK)
    items = tuple(Item(i, tags, cluster) for block in islice(source, count) for i, tags, cluster in rows_of(block))
    probes: dict[str, Sequence[Probe]] = {}
    for tag in head["languages"]:
        own = list(islice(source, count))
        if len(own) < count:
            raise ValueError(f"blocks of language {tag!r} are missing")
        packed = PackedProbes(items, tag, own)
        probes[tag] = packed if len(items) * len(head["languages"]) >= PACK_FROM else tuple(packed)
    return ProbeSet(
        head["name"],
        items,
        probes,
        head["version"],
        head["reference"],
        head["licence"],
        head["source"],
        head["meta"],
        from_blocks(source) if head.get("examples") else None,
    )


def set_digest(probe_set: ProbeSet) -> str:
    """32 hex digits over all content; two sets with one digest ask the same questions."""
    made = hashlib.blake2b(digest_size=16)
    for line in to_lines(probe_set):
        made.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return made.hexdigest()
