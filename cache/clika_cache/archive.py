"""Replies as a file to keep or send: JSON lines, checked block by block, read and written one block at a time.

The first line names the format; after every thousand replies a line gives the CRC-32 of the block's bytes, and the
last line how many replies there are in all. So a reader knows how far a file is whole: everything before the damage is
taken in, and the damage is told with its line. Lines of the first version had neither head nor sums and are read too.
"""

from __future__ import annotations

import gc
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from clika_cache import archive_row
from clika_cache.archive_block import Block, of_lines, read
from clika_cache.completions import PROMPT, model_id
from clika_cache.database import Database
from clika_cache.errors import CacheError
from clika_cache.sorted_rows import SortedRows

BLOCK = 1000
MOST_LINE = 32_000_000
"""Bytes of one line; a longer one is no reply."""
_READ_BYTES = 8_000_000
"""Bytes of lines that wait to be read together."""
_MARKS = (b'{"clika', b'{"crc32', b'{"repli')
_HEAD = {"clika": "replies", "version": 2}


@dataclass(slots=True)
class Imported:
    """What became of one file."""

    new: int = 0
    read: int = 0
    """Replies in the file that were whole."""
    damage: str | None = None
    """Where and why reading ended early."""


@dataclass(slots=True)
class Exported:
    """What was written."""

    replies: int = 0
    left_out: int = 0
    """Replies whose prompt or model is damaged in the database."""


def export(database: Database, done: Exported) -> Iterator[bytes]:
    """The file's lines in blocks of bytes; `done` counts what was written."""
    yield _line(_HEAD)
    with database.mapped_errors(), closing(database.connection.cursor()) as cursor:
        block: list[str] = []
        written = archive_row.LineWriter(database.connection)
        for values in cursor.execute(archive_row.QUERY):
            row = written.line(values)
            if row is None:
                done.left_out += 1
                continue
            block.append(row)
            if len(block) == BLOCK:
                yield _sealed(block)
                done.replies += len(block)
                block = []
        if block:
            yield _sealed(block)
            done.replies += len(block)
    yield _line({"replies": done.replies})


def import_lines(database: Database, name: str, lines: Iterable[bytes]) -> Imported:
    """Take exported replies, as far as the file is whole; of a damaged block nothing is taken.

    Raises CacheError, naming file and line, for a file that is no export from its first line on.
    """
    done = Imported()
    with _no_collection(), SortedRows(database) as waiting:
        taker = _Taker(database, done, waiting, name)
        number = 0
        try:
            for number, line in enumerate(lines, 1):
                taker.take(number, line)
            taker.finish(number)
        except _Damage as damage:
            taker.keep()
            if not done.read:
                raise CacheError(str(damage)) from None
            done.damage = str(damage)
        with database.bulk(whole=True):
            done.new = waiting.store()
    return done


@contextmanager
def _no_collection() -> Iterator[None]:
    """A million rows are held and let go of in order; looking for circles among them takes a quarter of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


class _Damage(CacheError):
    """The file cannot be trusted from here on."""


class _Taker:
    """The state of reading one file: the open block, the models seen, whether sums are to be expected."""

    def __init__(self, database: Database, done: Imported, waiting: SortedRows, name: str) -> None:
        self._database, self._done, self._waiting, self._name = database, done, waiting, name
        self._reader = archive_row.ArchiveReader()
        self._models: dict[str, int] = {}
        self._lines: list[bytes] = []
        self._numbers: list[int] = []
        """The lines of the open block that are not read yet, and where they stand."""
        self._bytes = 0
        self._blocks: list[Block] = []
        """What is read of the open block."""
        self._count = self._sum = 0
        self._sealed = self._ended = False

    def take(self, number: int, line: bytes) -> None:
        """One line of the file."""
        if self._ended and line.strip():
            raise _Damage(f"{self._name}:{number}: there is more after the end of the export")
        if len(line) > MOST_LINE:
            self._read()
            self._drop_open_block()
            raise _Damage(
                f"{self._name}:{number}: this line is longer than {MOST_LINE:,} bytes; it is no exported reply"
            )
        if line[:2] == b'{"' and line[:7] in _MARKS:
            self._read()
            self._mark(f"{self._name}:{number}", line)
            return
        if not line.strip():
            return
        self._lines.append(line)
        self._numbers.append(number)
        self._count += 1
        self._bytes += len(line)
        self._sum = zlib.crc32(line, self._sum)
        if self._bytes > _READ_BYTES:
            self._read()
        if not self._sealed and self._count == BLOCK:
            self.keep()

    def finish(self, number: int) -> None:
        """The file is at its end."""
        self._read()
        if self._sealed and not self._ended:
            self._drop_open_block()
            raise _Damage(f"{self._name}:{number}: the file ends before the export does; it was cut short")
        self.keep()

    def keep(self) -> None:
        """The open block is whole: it will be stored."""
        self._read()
        for block in self._blocks:
            for identity, spec in block.models.items():
                if identity not in self._models:
                    self._models[identity] = model_id(self._database, spec, identity)
            prompts = dict(zip(block.columns[PROMPT], block.prompts, strict=True))
            self._waiting.add(prompts, block.rows(self._models))
        self._done.read += self._count
        self._blocks, self._count, self._sum = [], 0, 0

    def _read(self) -> None:
        """Read the lines that wait: together where they are as we write them, else one by one up to a wrong one."""
        lines, numbers = self._lines, self._numbers
        if not lines:
            return
        self._lines, self._numbers, self._bytes = [], [], 0
        block = read(lines, self._reader)
        if block is None:
            parsed: list[archive_row.Parsed] = []
            try:
                for number, line in zip(numbers, lines, strict=True):
                    parsed.append(self._reader.parse(f"{self._name}:{number}", line))
            except CacheError as error:
                self._count += len(parsed) - len(lines)
                if parsed:
                    self._blocks.append(of_lines(parsed))
                self._drop_open_block()
                raise _Damage(str(error)) from None
            block = of_lines(parsed)
        self._blocks.append(block)

    def _mark(self, where: str, line: bytes) -> None:
        try:
            mark = json.loads(line)
        except (ValueError, RecursionError):
            self._drop_open_block()
            raise _Damage(f"{where}: this line is damaged") from None
        if "clika" in mark:
            if mark != _HEAD:
                raise _Damage(f"{where}: this export is of another version ({mark.get('version')!r}); upgrade clika")
            self._sealed = True
        elif "crc32" in mark:
            if mark != {"crc32": self._sum, "lines": self._count}:
                lines = self._count
                self._drop_open_block()
                raise _Damage(f"{where}: the checksum of the {lines} lines before it is wrong; they were changed")
            self.keep()
        else:
            self._ended = True
            if mark != {"replies": self._done.read}:
                raise _Damage(f"{where}: {mark.get('replies')!r} replies were exported, {self._done.read} are here")

    def _drop_open_block(self) -> None:
        if self._sealed:
            self._blocks, self._count, self._sum = [], 0, 0


def _sealed(block: list[str]) -> bytes:
    body = ("\n".join(block) + "\n").encode()
    return body + _line({"crc32": zlib.crc32(body), "lines": len(block)})


def _line(mark: dict[str, Any]) -> bytes:
    return json.dumps(mark).encode() + b"\n"
