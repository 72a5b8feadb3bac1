"""What was found out once about a file or a machine, kept in the user's cache folder; found again where it is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path


def remembered(name: str, key: str, find: Callable[[], int]) -> int:
    """The number kept under `key` in the memory of this name, found and kept where there is none."""
    memory = folder() / f"{name}.json"
    held = read(memory).get(key)
    if isinstance(held, int):
        return held
    found = find()
    write(memory, {**read(memory), key: found})
    return found


def folder() -> Path:
    """The user's cache folder of this program."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("clika-client"))


def read(memory: Path) -> dict[str, object]:
    """What a memory holds; empty where it cannot be read."""
    try:
        known = json.loads(memory.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def write(memory: Path, known: dict[str, object]) -> None:
    """Replace a memory whole; without a place to remember, things are found out again next time."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh = memory.with_name(f"{memory.name}.{os.getpid()}")
        fresh.write_text(json.dumps(known, indent=0), "utf-8")
        os.replace(fresh, memory)
    except OSError:
        pass
