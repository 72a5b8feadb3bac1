"""What every importer shares: the report of what was taken and what was not, a model's identity, sound text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from clika_cache import canonical

Progress = Callable[[int, int, str], None]
"""(files done, files in all, what is being read)."""


@dataclass(slots=True)
class ImportReport:
    """What was taken and what was not, with reasons."""

    source: str
    files: int = 0
    """Files with at least one reply taken."""
    replies: int = 0
    """Replies taken, new or already stored."""
    new: int = 0
    missing: int = 0
    """Questions that were asked and whose request failed: missing answers, never wrong ones."""
    changed: int = 0
    """Replies that differ from the one stored for the same question, or were to another prompt; that one was kept."""
    cells: int = 0
    models: set[str] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)
    languages: set[str] = field(default_factory=set)
    skipped_files: Counter[str] = field(default_factory=Counter)
    skipped_rows: Counter[str] = field(default_factory=Counter)
    joined: dict[str, str] = field(default_factory=dict)
    """Set → the id by which the versions of its questions were joined."""
    columns: dict[str, str] = field(default_factory=dict)
    """Of a table: part → the column it was taken from."""
    examples: dict[str, str] = field(default_factory=dict)
    """Reason → the first place where it happened."""

    def skip_file(self, reason: str, where: str) -> None:
        """Count a file that was left out."""
        self.skipped_files[reason] += 1
        self.examples.setdefault(reason, where)

    def skip_row(self, reason: str, where: str) -> None:
        """Count a row that was left out."""
        self.skipped_rows[reason] += 1
        self.examples.setdefault(reason, where)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "source": self.source,
            "files": self.files,
            "replies": self.replies,
            "new": self.new,
            "missing": self.missing,
            "changed": self.changed,
            "cells": self.cells,
            "models": sorted(self.models),
            "sets": sorted(self.sets),
            "languages": sorted(self.languages),
            "skipped_files": dict(self.skipped_files),
            "skipped_rows": dict(self.skipped_rows),
            "examples": dict(self.examples),
            "joined_by": dict(self.joined),
            "columns": dict(self.columns),
        }


def identity_of(source: str, model: str) -> str:
    """Canonical JSON naming an imported model; never equal to that of a model this tool asked itself."""
    return canonical({"provider": f"import:{source}", "model": model})


def sound(text: str) -> str:
    """Text that can be stored: half of a surrogate pair, which JSON escapes can carry, becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
