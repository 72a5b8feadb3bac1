"""What can go wrong with the database file, told in words a user can act on."""

from __future__ import annotations

from typing import Literal

from clika_providers import ClikaError

Kind = Literal["locked", "full", "row", "file"]


class CacheError(ClikaError):
    """The database cannot be opened, read or written; the message names the file and the cure.

    `kind` tells what a writer may do about it: `locked` and `full` may pass, `row` concerns single rows, all else is
    `file`.
    """

    def __init__(self, message: str, kind: Kind = "file") -> None:
        super().__init__(message)
        self.kind = kind
