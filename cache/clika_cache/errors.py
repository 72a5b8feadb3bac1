"""What can go wrong with the database file, told in words a user can act on."""

from __future__ import annotations

from clika_providers import ClikaError


class CacheError(ClikaError):
    """The database cannot be opened, read or written; the message names the file and the cure."""
