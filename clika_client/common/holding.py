"""A folder that one process at a time may work in; the hold ends with the process, however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clika_client.common.errors import UserError

LOCK = ".lock"


class Busy(UserError):
    """Another process is at work there."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Work in `folder`, which is made where it is not there; raises Busy while another process does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as file:
        if not _take(file.fileno()):
            file.seek(0)
            number = file.read().strip()
            who = f"another process ({number})" if number else "another process"
            raise Busy(f"{who} is at work in {folder}; wait for its end, or name another folder")
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _take(number: int) -> bool:
    """Lock an open file if nobody has; the system lets go of it when the file is closed or its process dies."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
