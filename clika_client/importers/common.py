"""What every importer shares: the report of what was taken and what was not, and how a cell is stored and read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from clika_cache import canonical, prompt_text
from clika_client.answers.cells import before_questions, read_texts, reading_stamp, spread, unrotate
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import CellKey, ImportedReply, Store

Progress = Callable[[int, int, str], None]
"""(files done, files in all, what is being read)."""
READ_AT_IMPORT = ("first-letter", "standard")
"""Readings computed while the text is at hand, so that the first score needs none."""


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


def store_cell(
    store: Store,
    key: CellKey,
    labels: Sequence[str],
    rows: Sequence[ImportedReply],
    probe_set: ProbeSet,
    report: ImportReport,
) -> None:
    """Store one cell's replies and read them; counts into `report`."""
    if not rows:
        return
    replied = [row for row in rows if row.text is not None]
    # What is stored stays, whatever comes later under the same name: a reply to another prompt, or another reply.
    held = store.held_replies(key)
    new = store.add_replies(key, labels, [row for row in rows if row.position not in held])
    report.replies += len(replied)
    report.missing += len(rows) - len(replied)
    report.new += new
    report.cells += 1
    report.models.add(key.model)
    report.sets.add(probe_set.name)
    report.languages.add(key.language)
    report.changed += sum(
        held.get(row.position, (prompt_text(row.messages), row.text)) != (prompt_text(row.messages), row.text)
        for row in replied
    )
    if key.ask == "text" and new == len(rows):
        _read_now(store, key, labels, rows, probe_set)


def _read_now(
    store: Store, key: CellKey, labels: Sequence[str], rows: Sequence[ImportedReply], probe_set: ProbeSet
) -> None:
    cell = store.find_cell(key)
    positions = np.array([row.position for row in rows], np.int64)
    if cell is None or len(cell.asked()) != len(positions):
        return
    probes = [probe_set.probes[key.language][row.position] for row in rows]
    texts, finish = [row.text or "" for row in rows], [row.finish_reason for row in rows]
    ends = [min(rows, key=lambda row: row.position), max(rows, key=lambda row: row.position)]
    example = before_questions([row.messages[-1].content for row in ends if row.messages])
    for reading in READ_AT_IMPORT:
        codes, reasons = read_texts(
            texts, labels, probes, reading, finish=finish, rotation=key.rotation, example=example
        )
        answers = spread(probe_set.n, positions, unrotate(codes, key.rotation, probe_set.counts[positions]), reasons)
        store.save_reading(cell, reading_stamp(reading), answers.choices, answers.reasons)


def sound(text: str) -> str:
    """Text that can be stored: half of a surrogate pair, which JSON escapes can carry, becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
