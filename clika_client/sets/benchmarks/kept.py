"""Benchmarks as they were added: each set in one file of the user's data folder, with what was left out of it.

The published files are read once; after that they may move or change without changing what is asked.
"""

from __future__ import annotations

import contextlib
import json
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from clika_client.common.errors import UserError
from clika_client.common.files import replacing
from clika_client.common.paths import home
from clika_client.sets.benchmarks.load import LoadedBenchmark, load
from clika_client.sets.benchmarks.table import Benchmark, benchmark
from clika_client.sets.packed import from_blocks, to_blocks
from clika_client.sets.probes import ProbeSet

_MAGIC = b"clika set 1\n"
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Added:
    """What is known of an added benchmark without reading it."""

    name: str
    path: str
    """Where its files lay."""
    revision: str | None
    """The commit of the hub's repository they were fetched from; None for files of the user's own."""
    added: str
    """Day, as 2026-11-27."""
    languages: tuple[str, ...]
    items: int
    choices: tuple[int, int]
    chance: float
    examples: int
    dropped: Mapping[str, Mapping[str, int]]
    """language → reason → rows left out."""
    notes: tuple[str, ...] = ()


def folder() -> Path:
    """Where added benchmarks are kept; it may not exist yet."""
    return home() / "benchmarks"


def added() -> dict[str, Added]:
    """All benchmarks that were added, by name."""
    found = {}
    for file in sorted(folder().glob("*.json")) if folder().is_dir() else ():
        try:
            raw = json.loads(file.read_text("utf-8"))
            for part in ("languages", "choices", "notes"):
                raw[part] = tuple(raw[part])
            found[file.stem] = Added(**raw)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            raise UserError(f"{file}: not what `clika sets add` wrote; remove it and add {file.stem} again") from None
    return found


def read(name: str) -> ProbeSet:
    """The set of an added benchmark; raises UserError saying how to get one that is not here."""
    file = folder() / f"{name}.set"
    if not file.is_file():
        known = benchmark(name)
        raise UserError(f"{known.title} ({name}) is not on this machine yet; get it with: {known.how_to_get()}")
    try:
        return from_blocks(_blocks(file))
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise UserError(f"{file}: damaged ({error}); add {name} again: {benchmark(name).how_to_get()}") from None


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        if source.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("not a set")
        while head := source.read(_LENGTH.size):
            (length,) = _LENGTH.unpack(head)
            block = source.read(length)
            if len(block) < length:
                raise ValueError("it ends too early")
            yield block


def add(
    name: str, path: Path, languages: Sequence[str] | None = None, revision: str | None = None
) -> tuple[Added, LoadedBenchmark]:
    """Read, check and keep a benchmark from its files; raises UserError as `load` does."""
    known: Benchmark = benchmark(name)
    loaded = load(known, path, read, languages)
    made = loaded.probe_set
    counts: dict[str, dict[str, int]] = {}
    for (language, reason), keys in loaded.dropped.rows.items():
        counts.setdefault(language, {})[reason] = len(keys)
    facts = Added(
        name=name,
        path=str(path.expanduser().resolve()),
        revision=revision,
        added=time.strftime("%Y-%m-%d"),
        languages=made.languages,
        items=made.n,
        choices=made.k_range,
        chance=made.chance,
        examples=0 if made.examples is None else made.examples.n,
        dropped=counts,
        notes=loaded.notes,
    )
    with _replaced(folder() / f"{name}.set") as out:
        out.write(_MAGIC)
        for block in to_blocks(made):
            out.write(_LENGTH.pack(len(block)) + block)
    with _replaced(folder() / f"{name}.json") as out:
        out.write(json.dumps(asdict(facts), ensure_ascii=False, indent=1).encode())
    return facts, loaded


def remove(name: str) -> bool:
    """Forget an added benchmark; its published files stay. False where it was not there."""
    files = [folder() / f"{name}.json", folder() / f"{name}.set"]
    there = any(file.exists() for file in files)
    for file in files:
        file.unlink(missing_ok=True)
    return there


@contextlib.contextmanager
def _replaced(target: Path) -> Iterator[BinaryIO]:
    """A file that takes its place when all of it is written, or never."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as part, part.open("wb") as out:
            yield out
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written: {error.strerror}; set CLIKA_HOME to a folder you can write to"
        ) from None
