"""Replies brought into the order of their keys before they are stored, on disk where they are many.

Keys are random, so a million replies in the order of a file touch every page of the index again and again: what is
written grows to many times what is kept. Here they wait in parts by their first byte, each a temporary file of its own
beside the database; then part after part goes in, and each page of the index is written about once.
"""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import IO, Any

from clika_cache.completions import Row, insert_prompts, insert_rows
from clika_cache.database import MEMORY, Database
from clika_cache.errors import CacheError

_PARTS = 64
_HELD = 100
"""Rows of a part that are packed together."""
_IN_MEMORY = 1 << 18
"""Bytes of a part that stay in memory."""
_AT_ONCE = 20_000
"""Rows of a transaction: others get at the file in between."""
_KNOWN = 200_000
"""Prompts that are remembered, as the same are asked of one model after another."""


class _Parts:
    """Rows by the first byte of their key, each part in a file; read back part by part."""

    def __init__(self, folder: str | None, stack: ExitStack) -> None:
        def spooled() -> IO[bytes]:
            return stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=folder))

        self._files = [spooled() for _ in range(_PARTS)]
        self._held: list[list[Any]] = [[] for _ in range(_PARTS)]

    def add(self, rows: Iterable[Row]) -> None:
        parts = self._held
        for row in rows:
            part = row[0][0] * _PARTS >> 8
            held = parts[part]
            held.append(row)
            if len(held) == _HELD:
                self._put(part)

    def blocks(self) -> Iterator[list[Any]]:
        """Everything, in blocks that are sorted, and follow each other part by part."""
        for part, file in enumerate(self._files):
            self._put(part)
            file.seek(0)
            block: list[Any] = []
            while head := file.read(4):
                block += marshal.loads(file.read(int.from_bytes(head)))
                if len(block) >= _AT_ONCE:
                    yield sorted(block, key=_key)
                    block = []
            if block:
                yield sorted(block, key=_key)

    def _put(self, part: int) -> None:
        if self._held[part]:
            packed = marshal.dumps(self._held[part])
            self._files[part].write(len(packed).to_bytes(4) + packed)
            self._held[part].clear()


class SortedRows:
    """`with SortedRows(database) as waiting:` takes rows of replies; `store` puts them into the file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stack = ExitStack()

    def __enter__(self) -> SortedRows:
        path = self._database.path
        folder = None if str(path) == MEMORY else str(path.absolute().parent)
        self._rows, self._prompts = _Parts(folder, self._stack), _Parts(folder, self._stack)
        self._known: set[bytes] = set()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, prompts: Mapping[bytes, str], rows: Iterable[Row]) -> None:
        """Take rows of replies, and their prompts by hash; raises CacheError when the disk is full."""
        new = [(digest, text) for digest, text in prompts.items() if digest not in self._known]
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known.update(prompts)
        try:
            self._prompts.add(new)
            self._rows.add(rows)
        except OSError as error:
            raise CacheError(
                f"there is no room beside {self._database.path} to sort what is imported ({error.strerror}); free "
                "some space and run again",
                "full",
            ) from error

    def store(self) -> int:
        """Put everything into the file, whatever of it is not there yet; returns the number of new replies."""
        self._insert(self._prompts, insert_prompts)
        return self._insert(self._rows, insert_rows)

    def _insert(self, parts: _Parts, insert: Callable[[Any, Sequence[Any]], int]) -> int:
        new = 0
        for block in parts.blocks():
            with self._database.writing() as connection:
                new += insert(connection, block)
        return new


def _key(row: Row) -> Any:
    return row[0]
