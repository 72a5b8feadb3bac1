"""The version of the reading `open`, with a digest of its tables: what is kept by another one is read anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

_RULES = "2"
"""Raised with every change of the rules in code; a table that changes needs no word here."""


@cache
def open_version() -> str:
    """Of the rules and the tables of today."""
    return version_of(resources.files(__package__).iterdir())


def version_of(files: Iterable[Traversable]) -> str:
    """The version with these tables; whatever else lies beside them does not count."""
    made = hashlib.blake2b(digest_size=4)
    for file in sorted((file for file in files if file.name.endswith(".toml")), key=lambda file: file.name):
        made.update(file.name.encode() + b"\0" + file.read_text("utf-8").encode() + b"\0")
    return f"{_RULES}+{made.hexdigest()}"
