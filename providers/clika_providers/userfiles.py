"""Built-in TOML tables, the files with which a user extends them, and the check that a row's values are what they must.

A user's file is read again when it changes, so that a notebook need not be started anew.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from clika_providers.errors import RunError


def config_folder() -> Path:
    """Where the user's tables lie: `CLIKA_HOME`, else the platform's configuration folder for clika-client."""
    named = os.environ.get("CLIKA_HOME")
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_config_path("clika-client")


@cache
def builtin(name: str) -> dict[str, Any]:
    """A table that ships with the package, e.g. `servers.toml`; not to be changed."""
    return tomllib.loads((files("clika_providers") / name).read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class UserFile:
    """One state of a user's table: equal while the file stays as it is, so that what is made of it can be kept."""

    path: Path
    state: tuple[int, int] | None
    """(time of change in ns, size); None where there is no file."""
    named: bool
    """Whether the user named it: then it must exist."""

    @classmethod
    def now(cls, name: str, path: Path | None = None) -> UserFile:
        """The file as it is now: `path` when given, else `name` in the configuration folder."""
        source = path or config_folder() / name
        try:
            found = source.stat()
        except OSError:
            return cls(source, None, path is not None)
        return cls(source, (found.st_mtime_ns, found.st_size), path is not None)

    def table(self) -> dict[str, Any]:
        """The table, empty when there is none; raises RunError naming the file when it cannot be read."""
        if self.state is None and not self.named:
            return {}
        try:
            return tomllib.loads(self.path.read_text("utf-8"))
        except OSError as error:
            raise RunError(f"cannot read {self.path}: {error.strerror}", code="setup") from None
        except (ValueError, RecursionError) as error:  # not only TOMLDecodeError: an absurd number, too deep a list
            raise RunError(f"{self.path} is not valid TOML: {error}", code="setup") from None


def checked(kind: type, row: object, where: str, *, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A row's values, fit for the dataclass `kind`; lists of texts become tuples. `given` fields are not the user's.

    Raises RunError that names the place, the field, what it must be and what it is.
    """
    if not isinstance(row, dict):
        raise RunError(f"{where} must be a table, not {row!r}", code="setup")
    hints = _hints(kind)
    allowed = [f.name for f in fields(kind) if f.name not in (given or {})]
    unknown = sorted(map(str, row.keys() - set(allowed)))
    if unknown:
        raise RunError(f"{where} has unknown fields: {', '.join(unknown)}; known: {', '.join(allowed)}", code="setup")
    for name, value in row.items():
        if not _fits(value, hints[name]):
            raise RunError(f"{where}: {name} must be {_words(hints[name])}, not {value!r}", code="setup")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


_hints = cache(get_type_hints)
"""A table of a hundred rows asks for the same types a hundred times."""


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return isinstance(value, str | bool) and value in inner
    if origin is tuple:
        return isinstance(value, list) and all(_fits(entry, inner[0]) for entry in value)
    if origin is not None or hint is Mapping:
        return isinstance(value, dict)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _words(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_words(one) for one in inner if one is not NoneType)
    if origin is Literal:
        return "one of " + ", ".join(repr(one) for one in inner)
    if origin is tuple:
        return 'a list of texts, ["…"]'
    names = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", date: "a date"}
    return names.get(hint, "a table")
