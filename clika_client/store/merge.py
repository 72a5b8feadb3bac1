"""Bringing two databases together: sets, cells and runs follow the replies they speak of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from clika_cache import CacheError, foreign
from clika_cache.merge import merge as merge_replies
from clika_client.common.errors import UserError
from clika_client.sets.packed import set_digest
from clika_client.store import judgements
from clika_client.store.schema import MIGRATIONS
from clika_client.store.store import Store

_CHECKS: foreign.Checks = {
    "sets": foreign.all_of("typeof(id) = 'integer'", foreign.text("digest"), "typeof(n) = 'integer' AND n >= 0"),
    "set_blocks": "typeof(set_id) = 'integer' AND typeof(number) = 'integer' AND typeof(block) = 'blob'",
    "cells": foreign.all_of(
        "typeof(id) = 'integer' AND typeof(rotation) = 'integer' AND typeof(repeat) = 'integer'",
        *map(foreign.text, ("source", "language", "prompt", "ask")),
        foreign.json("settings", "object"),
        foreign.json("labels", "array"),
        "typeof(keys) = 'blob' AND length(keys) = 16 * (SELECT n FROM sets WHERE sets.id = set_id)",
    ),
    "kept_runs": foreign.all_of(
        *map(foreign.text, ("id", "status")),
        foreign.moment("created_at"),
        foreign.number("finished_at", optional=True),
        foreign.json("config", "object"),
        foreign.json("notes", "array"),
    ),
    "judgements": foreign.all_of(
        "typeof(key) = 'blob' AND length(key) = 16",
        *map(foreign.text, ("judge", "verdict")),
        "(language IS NULL OR typeof(language) = 'text')",
        foreign.moment("created_at"),
    ),
    "run_cells": foreign.all_of(
        foreign.text("run_id"), "typeof(positions) = 'blob' AND length(positions) % 4 = 0",
        "EXISTS (SELECT 1 FROM cells WHERE cells.id = cell_id)",
    ),
}  # fmt: skip


def merge(store: Store, other: Path) -> tuple[int, int]:
    """Copy what `other` has and this file lacks; returns (new replies, cells seen in the other file).

    Cells that both files have are united, key by key; runs keep their ids.
    Raises UserError when both are one file, CacheError when the other is not a sound database of ours.
    """
    if other.exists() and other.samefile(store.database.path):
        raise UserError(f"{other} cannot be merged into itself; name another database")
    with foreign.checked(other, MIGRATIONS, _CHECKS) as readable, Store(readable, read_only=True) as theirs:
        replies = merge_replies(store.database, readable)
        numbers: dict[int, int] = {}
        sets: dict[int, int] = {}
        cells = theirs.cells()
        made = {info.set_id: info.created_at for info in theirs.set_infos()}
        for cell in cells:
            set_id = cell.key.set_id
            if set_id not in sets:
                sets[set_id] = store.add_set(theirs.probe_set(set_id), made.get(set_id))
                if set_digest(theirs.probe_set(set_id)) != theirs.set_digest(set_id):
                    raise CacheError(f"{other}: probe set {set_id} was changed after it was stored; not merged")
            keys = dict(zip(map(int, cell.asked()), cell.keys_at(cell.asked()), strict=True))
            numbers[cell.cell_id] = store.add_cell(replace(cell.key, set_id=sets[set_id]), cell.labels, keys)
        judgements.copy(store, theirs)
        known = {run.run_id for run in store.runs()}
        for run in theirs.runs():
            if run.run_id in known:
                continue
            store.copy_run(run)
            for cell_id, positions in theirs.run_positions(run.run_id).items():
                store.add_run_cell(run.run_id, numbers[cell_id], positions.tolist())
    return replies, len(cells)


_DECIDES = {"llama_cpp_python": "llama-cpp-python", "build": "kernels", "device": "device", "engine": "engine"}
"""What decides the bits of a local model's answers beside its weights."""


def kinds_met(store: Store) -> list[str]:
    """Sentences on local models whose same weights were computed by builds or on devices that differ in their bits."""
    kinds: dict[str, list[dict[str, object]]] = {}
    for spec, identity in dict.fromkeys((cell.key.model, cell.key.identity) for cell in store.cells()):
        held = json.loads(identity)
        if "weights" in held:
            kinds.setdefault(f"{spec}\0{held['weights']}", []).append(held)
    said = []
    for name, found in kinds.items():
        differ = {
            word: list(dict.fromkeys(str(held.get(part, "CPU")) for held in found)) for part, word in _DECIDES.items()
        }
        listed = [f"{word} {' and '.join(values)}" for word, values in differ.items() if len(values) > 1]
        if listed:
            spec = name.partition("\0")[0]
            said.append(f"{spec} was computed by two kinds of builds ({'; '.join(listed)}); they are rows of their own")
    return said
