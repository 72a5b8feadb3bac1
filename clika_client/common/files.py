"""Files that appear whole or not at all: written beside their place, then put there in one step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, with the suffix of `path`, which takes its place when all went well.

    What stood there before stays until then, and nothing half-written is left behind. Processes that write the same
    file do not meet: the last one's stays. Raises OSError.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
