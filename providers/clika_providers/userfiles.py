"""Built-in TOML tables and the files with which a user extends them."""

from __future__ import annotations

import os
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from clika_providers.errors import RunError


def config_folder() -> Path:
    """Where the user's tables lie: `CLIKA_HOME`, else the platform's configuration folder for clika-client."""
    named = os.environ.get("CLIKA_HOME")
    if named:
        return Path(named)
    import platformdirs

    return platformdirs.user_config_path("clika-client")


def builtin(name: str) -> dict[str, Any]:
    """A table that ships with the package, e.g. `servers.toml`."""
    return tomllib.loads((files("clika_providers") / name).read_text("utf-8"))


def user_table(name: str, path: Path | None = None) -> dict[str, Any]:
    """The user's table: `path` when given, else `name` in the configuration folder; empty when there is none.

    Raises RunError naming the file when it cannot be read or is not TOML.
    """
    source = path or config_folder() / name
    if path is None and not source.is_file():
        return {}
    try:
        return tomllib.loads(source.read_text("utf-8"))
    except OSError as error:
        raise RunError(f"cannot read {source}: {error.strerror}", code="setup") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{source} is not valid TOML: {error}", code="setup") from None
