"""What a run will ask: cells of requests, which of them are already answered, and what the rest costs.

Planning renders every prompt once to learn its key and keeps only the positions that are missing, so a
million probes need a few bytes each; asking renders the missing ones again, one at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clika_cache import KEY_BYTES, CachedProvider, canonical
from clika_client.asking.settings import Asking, make_request
from clika_client.common.errors import UserError
from clika_client.prompts.style import Style
from clika_client.sets.filters import check_tags, kept_items, sample
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import CellKey, Store

_BLOCK = 1000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a set is asked: the languages, and item positions in the full set."""

    probe_set: ProbeSet
    languages: tuple[str, ...]
    positions: Sequence[int]


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One cell of a plan; it is in memory only until `store_plan`."""

    selection: Selection
    language: str
    rotation: int
    repeat: int
    positions: Sequence[int]
    """Item positions that the cell stands for: those of the selection that this language and this order have."""
    labels: tuple[str, ...]
    """Of the options as shown, in the order of the choices."""
    keys: bytes
    """The content key of every position, one after the other."""
    missing: npt.NDArray[np.int32]
    """Item positions to ask: those without a stored answer, each question once; shape (missing,)."""
    prompt_bytes: int
    """UTF-8 bytes of the missing prompts, from which tokens are estimated."""

    @property
    def bytes_each(self) -> float:
        """UTF-8 bytes of a missing prompt on average; at least 1."""
        return max(1.0, self.prompt_bytes / max(1, len(self.missing)))

    def keys_by_position(self) -> dict[int, bytes]:
        """Item position → content key."""
        return {
            position: self.keys[start : start + KEY_BYTES]
            for position, start in zip(self.positions, range(0, len(self.keys), KEY_BYTES), strict=True)
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one model is asked in one run."""

    provider: CachedProvider
    style: Style
    asking: Asking
    cells: tuple[PlannedCell, ...]

    @property
    def total(self) -> int:
        """Requests the run stands for, cached ones included."""
        return sum(len(c.positions) for c in self.cells)

    @property
    def missing(self) -> int:
        """Requests that will be sent."""
        return sum(len(c.missing) for c in self.cells)

    @property
    def input_tokens(self) -> int:
        """Rough prompt tokens of the missing requests: about one per 3.5 bytes of UTF-8."""
        return int(sum(c.prompt_bytes for c in self.cells) / 3.5) + 8 * self.missing


@dataclass(frozen=True, slots=True)
class Items:
    """Which items are asked; the same in every language."""

    only: tuple[str, ...] = ()
    """`TAG` or `TAG=VALUE`: only items that carry all of these tags; values of one tag are alternatives."""
    drop: tuple[str, ...] = ()
    """`TAG` or `TAG=VALUE`: no item that carries one of these, in any language."""
    limit: int | None = None
    """So many of them, drawn by `seed`."""
    by: str | None = None
    """Tag whose values have their shares of `limit`."""
    seed: int = 0


def select(probe_set: ProbeSet, languages: Sequence[str] | None, items: Items) -> Selection:
    """The chosen part of a set, in the full set's positions; raises UserError for unknown languages and tags."""
    tags = probe_set.select(languages).languages
    for named, option in ((items.only, "--only"), (items.drop, "--drop"), ((items.by,), "--limit-by")):
        check_tags([probe_set], [tag for tag in named if tag], option)
    rows: Sequence[int] = range(probe_set.n)
    if items.only or items.drop:
        rows = kept_items(probe_set, items.drop, items.only).tolist()
        if not rows:
            raise UserError(
                f"--only {','.join(items.only)}: set {probe_set.name!r} has no such item; ask for less at once"
            )
    positions = sample(probe_set, rows, items.limit, items.seed, items.by)
    return Selection(probe_set, tags, positions)


def make_plan(provider: CachedProvider, selections: Sequence[Selection], style: Style, asking: Asking) -> Plan:
    """Lay out one model's cells: every prompt is rendered once, and looked up. Nothing is written."""
    if asking.ask == "auto":
        asking = replace(asking, ask=provider.usual_ask)
    cells = []
    for selection in selections:
        for language in selection.languages:
            for rotation in range(selection.probe_set.k if asking.permute else 1):
                for repeat in range(asking.repeats):
                    cells.append(_plan_cell(provider, selection, language, style, asking, rotation, repeat))
    return Plan(provider, style, asking, _each_once(cells))


def _each_once(cells: Sequence[PlannedCell]) -> tuple[PlannedCell, ...]:
    """Cells that ask no question twice: of items with the very same one the first is asked, and all have its reply."""
    starts = np.concatenate([_starts(cell) for cell in cells]) if cells else np.empty(0, np.uint64)
    starts.sort()
    repeated = starts[1:][starts[1:] == starts[:-1]]
    if not repeated.size:  # nearly always
        return tuple(cells)
    asked: set[bytes] = set()
    thinned = []
    for cell in cells:
        first = np.ones(len(cell.missing), dtype=bool)
        keys = cell.keys_by_position()
        for at in np.flatnonzero(np.isin(_starts(cell), repeated)):
            key = keys[int(cell.missing[at])]
            first[at] = key not in asked
            asked.add(key)
        left = cell.missing[first]
        thinned.append(replace(cell, missing=left, prompt_bytes=round(cell.bytes_each * len(left))))
    return tuple(thinned)


def _starts(cell: PlannedCell) -> npt.NDArray[np.uint64]:
    """The first half of the key of everything missing: what differs there differs."""
    starts = np.frombuffer(cell.keys, dtype=np.uint64)[::2]
    whole = len(cell.missing) == len(cell.positions)
    return starts if whole else starts[np.isin(cell.positions, cell.missing)]


def _plan_cell(
    provider: CachedProvider,
    selection: Selection,
    language: str,
    style: Style,
    asking: Asking,
    rotation: int,
    repeat: int,
) -> PlannedCell:
    keys = bytearray()
    missing = array("i")
    size = 0
    probe_set = selection.probe_set
    shown = asking.mode != "open"
    labels = style.make_layout(language, probe_set.k, probe_set.meta).labels if shown else ()
    positions = _positions(selection, language, rotation)
    for start in range(0, len(positions), _BLOCK):
        block: list[tuple[int, bytes, int]] = []
        for position in positions[start : start + _BLOCK]:
            request = make_request(probe_set, language, position, style, asking, rotation, repeat)
            length = sum(len(m.content.encode("utf-8", "replace")) for m in request.messages)
            block.append((position, provider.key(request), length))
        have = provider.present([key for _, key, _ in block])
        for position, key, length in block:
            keys += key
            if key not in have:
                missing.append(position)
                size += length
    return PlannedCell(
        selection,
        language,
        rotation,
        repeat,
        positions,
        labels,
        bytes(keys),
        np.asarray(missing, dtype=np.int32),
        size,
    )


def _positions(selection: Selection, language: str, rotation: int) -> Sequence[int]:
    """What a cell asks: a question of two choices has no third order, and a set may lack it in a language."""
    probe_set, chosen = selection.probe_set, selection.positions
    if rotation:
        counts = probe_set.counts
        chosen = tuple(i for i in chosen if rotation < counts[i])
    if probe_set.parallel:
        return chosen
    held = set(probe_set.held(language))
    return tuple(i for i in chosen if i in held)


def store_plan(store: Store, plan: Plan, run_id: str) -> None:
    """Keep the plan's sets, cells and keys as part of a run, so that even a killed run can be scored."""
    set_ids: dict[int, int] = {}
    for cell in plan.cells:
        probe_set = cell.selection.probe_set
        set_id = set_ids.get(id(probe_set))
        if set_id is None:
            set_id = set_ids[id(probe_set)] = store.add_set(probe_set)
        key = CellKey(
            model=plan.provider.spec,
            identity=canonical(dict(plan.provider.identity)),
            set_id=set_id,
            language=cell.language,
            prompt=plan.style.name,
            ask=plan.asking.mode,
            rotation=cell.rotation,
            repeat=cell.repeat,
            settings=plan.asking.settings(plan.style),
        )
        cell_id = store.add_cell(key, cell.labels, cell.keys_by_position())
        store.add_run_cell(run_id, cell_id, cell.positions)
