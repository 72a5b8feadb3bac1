"""What a Parquet shard of replies says of itself beside its rows: the sets, who was asked what, and how it was read.

Rows alone do not say what was asked and never answered, nor which questions belong to a set; with the footer a shard is
scored like the database that it came from.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Bools
from clika_client.sets.packed import from_blocks, to_blocks
from clika_client.sets.probes import ProbeSet
from clika_client.store.schema import CellKey

NAME = b"clika"
"""Under which the text stands in the file's metadata."""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class ShardCell:
    """The replies of one cell, read in one way."""

    key: CellKey
    """`set_id` counts the footer's sets."""
    reading: str
    model: str
    """As its rows call it."""
    set: str
    set_version: int
    asked: bytes
    """Which items were put to the model, as `packed` gives them: thousands of cells are held until the last is read."""


@dataclass(frozen=True, slots=True)
class Footer:
    """All that a shard says of itself."""

    sets: Sequence[ProbeSet]
    since: Sequence[float]
    """Unix time at which each set was first asked or imported."""
    cells: Sequence[ShardCell]
    stamps: Mapping[str, str]
    """Reading → its name and version."""
    notes: Sequence[str]


def packed(asked: npt.NDArray[np.integer], n: int) -> bytes:
    """Positions among `n` items, small: as compressed bits."""
    bits = np.zeros(n, np.bool_)
    bits[asked] = True
    return zlib.compress(np.packbits(bits).tobytes())


def unpacked(asked: bytes, n: int) -> Bools:
    """Per item whether it is among the positions that were `packed`; a text that unfolds to more is cut off."""
    bits = zlib.decompressobj().decompress(asked, n // 8 + 1)
    return np.unpackbits(np.frombuffer(bits, np.uint8), count=n).astype(np.bool_)


def to_text(footer: Footer) -> str:
    """As it stands in the file."""
    return json.dumps(
        {
            "version": _VERSION,
            "sets": [[base64.b64encode(block).decode() for block in to_blocks(s)] for s in footer.sets],
            "since": list(footer.since),
            "cells": [_cell(cell) for cell in footer.cells],
            "stamps": dict(footer.stamps),
            "notes": list(footer.notes),
        }
    )


def from_text(text: bytes, known: dict[str, ProbeSet] | None = None) -> Footer:
    """The inverse of `to_text`; raises ValueError, KeyError or TypeError for anything else.

    `known` are sets by the digest of their blocks: a set that many shards share is held once.
    """
    known = {} if known is None else known
    held = json.loads(text)
    if held["version"] != _VERSION:
        raise ValueError(f"it is of version {held['version']!r}; upgrade clika")
    sets = [_read_set(blocks, known) for blocks in held["sets"]]
    cells = [_read_cell(cell, sets) for cell in held["cells"]]
    return Footer(sets, [float(at) for at in held["since"]], cells, dict(held["stamps"]), list(held["notes"]))


def _read_set(blocks: list[str], known: dict[str, ProbeSet]) -> ProbeSet:
    digest = hashlib.blake2b(" ".join(blocks).encode(), digest_size=16).hexdigest()
    if digest not in known:
        known[digest] = from_blocks(base64.b64decode(block) for block in blocks)
    return known[digest]


def _cell(cell: ShardCell) -> dict[str, Any]:
    return {
        "key": {field.name: getattr(cell.key, field.name) for field in fields(cell.key)},
        "reading": cell.reading,
        "model": cell.model,
        "set": cell.set,
        "set_version": cell.set_version,
        "asked": base64.b64encode(cell.asked).decode(),
    }


def _read_cell(held: dict[str, Any], sets: Sequence[ProbeSet]) -> ShardCell:
    key = CellKey(**held["key"])
    asked = base64.b64decode(held["asked"])
    unpacked(asked, sets[key.set_id].n)  # a footer that was damaged is told of before anything is read
    return ShardCell(key, held["reading"], held["model"], held["set"], int(held["set_version"]), asked)
