"""Imports the published responses of the CLiKA authors' release from the user's checkout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.importers.cells import CellsToStore, gathered
from clika_client.importers.common import ImportReport, Progress, identity_of, sound
from clika_client.sets.probes import ProbeSet
from clika_client.sets.release import read_release
from clika_client.sets.release_layout import ResponseFile, response_files
from clika_client.store.store import CellKey, ImportedReply, Store
from clika_providers import Message

SOURCE = "clika-release"
LETTERS = "ABCDE"


def import_release(store: Store, path: Path, progress: Progress | None = None) -> ImportReport:
    """Store every published response found under a checkout; idempotent, and never fails on a file.

    Raises UserError when `path` is no checkout of the release.
    """
    found = response_files(path)
    report = ImportReport(SOURCE)
    report.skipped_files.update(found.skipped)
    sets: dict[str, tuple[int, ProbeSet] | None] = {}
    with gathered(store, report) as cells:
        for number, file in enumerate(found.files):
            if progress is not None:
                progress(number, len(found.files), f"{file.set} {file.language} {file.model}")
            if file.set not in sets:
                sets[file.set] = _questions(store, path, file.set, report)
            known = sets[file.set]
            if known is None:
                report.skip_file("questions of the set cannot be read", str(file.file))
            else:
                _import_file(cells, file, *known, report)
    if progress is not None:
        progress(len(found.files), len(found.files), "")
    return report


def _questions(store: Store, path: Path, name: str, report: ImportReport) -> tuple[int, ProbeSet] | None:
    try:
        probe_set = read_release(path, name)
    except UserError as error:
        report.examples.setdefault("questions of the set cannot be read", str(error))
        return None
    return store.add_set(probe_set), probe_set


def _import_file(
    cells: CellsToStore, file: ResponseFile, set_id: int, probe_set: ProbeSet, report: ImportReport
) -> None:
    rows = read_responses(file, probe_set, report)
    if not rows:
        return
    key = CellKey(
        model=file.model,
        identity=identity_of(SOURCE, file.model),
        set_id=set_id,
        language=file.language,
        prompt=file.style,
        ask="text",
        source=SOURCE,
    )
    report.files += 1
    cells.add(key, tuple(LETTERS[: probe_set.k]), rows, probe_set)


def read_responses(file: ResponseFile, probe_set: ProbeSet, report: ImportReport) -> list[ImportedReply]:
    """The replies of one file in its own order; what cannot be used is counted in `report`, never an error."""
    if file.language not in probe_set.probes:
        report.skip_file("no questions in this language", str(file.file))
        return []
    try:
        lines = file.file.read_bytes().split(b"\n")
    except OSError as error:
        report.skip_file(f"cannot be read ({error.strerror})", str(file.file))
        return []
    position_of = {item.item_id: i for i, item in enumerate(probe_set.items)}
    gold = [probe.gold for probe in probe_set.probes[file.language]]
    rows: dict[int, ImportedReply] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row, reason = _parse(line, position_of, gold)
        if row is None:
            report.skip_row(reason, f"{file.file}, line {number}")
        elif row.position in rows:
            report.skip_row("second reply to a question", f"{file.file}, line {number}")
        else:
            rows[row.position] = row
    if not rows:
        report.skip_file("no usable row", str(file.file))
    return list(rows.values())


def _parse(line: bytes, position_of: Mapping[str, int], gold: list[int]) -> tuple[ImportedReply | None, str]:
    """(reply, "") or (None, why not). The row names its question by `uuid`; its label must be the known answer."""
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None, "not JSON"
    if not isinstance(row, dict):
        return None, "not an object"
    item_id, text, prompt, label = str(row.get("uuid")), row.get("res"), row.get("input"), row.get("label")
    position = position_of.get(item_id)
    if position is None:
        return None, "question not in the set"
    if not isinstance(text, str) or not isinstance(prompt, str):
        return None, "no reply text or no prompt"
    if label != LETTERS[gold[position]]:
        return None, "label differs from the question's answer"
    return ImportedReply(position, item_id, (Message("user", sound(prompt)),), sound(text)), ""
