"""Questions and replies that the page carries: as many as fit, those first on which rows and languages differ most."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_client.answers.cells import as_shown
from clika_client.common.answer_codes import MISSING
from clika_client.common.languages import direction
from clika_client.common.safe_text import shown
from clika_client.report.page.facts import block_of
from clika_client.report.table_layout import ScoreTable, TableRow
from clika_client.scoring.answer_grid import AnswerGrid, RowKey, gold_of
from clika_client.scoring.chosen import Chosen, row_key
from clika_client.scoring.load import LoadedAnswers
from clika_client.sets.probes import CONTEXT, ProbeSet
from clika_client.store.store import Cell, Store

BUDGET = 6_000_000
"""Characters of questions and replies in one page, before packing; packed it is about a fifth."""
_REPLY = 400
_OVERHEAD = 12
"""Characters that a short reply costs."""
_READ = ("text", "open")
"""How a model is asked for a text."""


@dataclass(frozen=True, slots=True)
class Explorer:
    """What the page's script reads, and what must be said about it."""

    packed: str
    """JSON, gzipped, in base64."""
    shown: Mapping[str, tuple[int, int]]
    """Set → (questions carried, questions asked)."""

    @property
    def capped(self) -> bool:
        """Some questions were left out."""
        return any(carried < asked for carried, asked in self.shown.values())


def explorer(
    store: Store,
    chosen: Chosen,
    loaded: LoadedAnswers,
    tables: Sequence[ScoreTable],
    budget: int = BUDGET,
    pairs: Mapping[str, Any] | None = None,
) -> Explorer:
    """Gather the questions of every table that is not a part of another; `pairs` goes into the page with them."""
    whole = [table for table in tables if table.split is None]
    sets, counts, cells = [], {}, _cells(chosen)
    for table in whole:
        made, carried, asked = _set(store, cells, loaded, table, budget // max(len(whole), 1))
        if made is not None:
            sets.append(made)
            counts[table.set] = (carried, asked)
    text = json.dumps({"sets": sets, "pairs": pairs or {}}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = text.encode("utf-8", "replace")
    return Explorer(base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii"), counts)


def _set(
    store: Store,
    asked_as: Mapping[RowKey, Mapping[str, Cell]],
    loaded: LoadedAnswers,
    table: ScoreTable,
    budget: int,
) -> tuple[dict[str, Any] | None, int, int]:
    rows = [(row, block) for row in table.rows if (block := block_of(row, loaded)) is not None]
    if not rows:
        return None, 0, 0
    probe_set = loaded.sets[rows[0][1].key.set_id]
    gold = gold_of(probe_set)
    asked = np.flatnonzero(np.any([(block.answers != MISSING).any(0) for _, block in rows], axis=0))
    order = asked[np.argsort(-_spread(rows, gold)[asked], kind="stable")]
    cells = {row.label: asked_as.get(replace(block.key, reading=""), {}) for row, block in rows}
    taken = order[: _fitting(store, order, probe_set, table, cells, budget)]
    taken = np.sort(taken)
    texts = _texts(store, [cell for of_row in cells.values() for cell in of_row.values()], taken)
    made = {
        "name": shown(table.set),
        "key": str(rows[0][1].key.set_id),
        "languages": [{"tag": tag, "dir": direction(tag)} for tag in table.languages],
        "anchor": rows[0][0].summary.anchor,
        "open": probe_set.open,
        "rows": [shown(row.label) for row, _ in rows],
        "items": [_item(probe_set, int(p), int(gold[p])) for p in taken],
        "asked": {
            tag: [_question(probe_set, tag, int(p)) for p in taken]
            for tag in table.languages
            if tag in probe_set.probes
        },
        "codes": [
            {tag: [int(code) for code in block.answers[i, taken]] for i, tag in enumerate(block.languages)}
            for _, block in rows
        ],
        "replies": [
            {tag: _replies(cell, texts, taken) for tag, cell in cells[row.label].items()} for row, _ in rows
        ],
    }  # fmt: skip
    return made, len(taken), len(asked)


def _spread(rows: Sequence[tuple[TableRow, AnswerGrid]], gold: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """How much verdicts on an item differ: the variance of right and wrong over rows and languages."""
    right = np.concatenate([np.where(block.answers == MISSING, np.nan, block.answers == gold) for _, block in rows])
    known = np.maximum((~np.isnan(right)).sum(0), 1)
    share = np.nansum(right, axis=0) / known
    return np.asarray(share * (1 - share))


def _fitting(
    store: Store,
    order: npt.NDArray[np.int64],
    probe_set: ProbeSet,
    table: ScoreTable,
    cells: Mapping[str, Mapping[str, Cell]],
    budget: int,
) -> int:
    """How many items fit, by the size of the first few: they stand for the rest."""
    sample = order[:: max(1, len(order) // 12)][:12]
    each = 0.0
    for position in sample:
        for tag in table.languages:
            if tag in probe_set.probes:
                each += len(json.dumps(_question(probe_set, tag, int(position)), ensure_ascii=False))
    each /= max(len(sample), 1)
    all_cells = [cell for per in cells.values() for cell in per.values()]
    some = all_cells[:: max(1, len(all_cells) // 40)]
    found = _texts(store, some, sample)
    texts = [len(text) for cell in some for text in _replies(cell, found, sample) if text]
    each += len(all_cells) * ((sum(texts) / len(texts) if texts else 0) + _OVERHEAD)
    return max(1, int(budget / max(each, 1)))


def _item(probe_set: ProbeSet, position: int, gold: int) -> dict[str, Any]:
    item = probe_set.items[position]
    return {"id": shown(item.item_id), "tags": [shown(f"{k}={v}") for k, v in item.tags.items()], "gold": gold}


def _question(probe_set: ProbeSet, tag: str, position: int) -> list[Any] | None:
    probe = probe_set.probes[tag][position]
    if probe.absent:
        return None
    context = probe.fields.get(CONTEXT, "")
    return [
        shown(context, lines=True),
        shown(probe.question, lines=True),
        [shown(choice) for choice in as_shown(probe, 0)],
    ]


def _cells(chosen: Chosen) -> dict[RowKey, dict[str, Cell]]:
    """Row → language → the cell that was asked first: the order as it stands, not repeated."""
    found: dict[RowKey, dict[str, Cell]] = {}
    for cell in chosen.cells:
        found.setdefault(row_key(cell, chosen.names, ""), {}).setdefault(cell.key.language, cell)
    return found


def _texts(store: Store, cells: Sequence[Cell], positions: npt.NDArray[np.int64]) -> dict[bytes, str]:
    """Content key → text as the page shows it; nothing of cells whose labels' probabilities were read instead."""
    keys = [key for cell in cells if cell.key.ask in _READ for key in cell.keys_at(positions)]
    as_page: dict[str, str] = {}  # most replies are a letter
    found = store.texts(keys)
    for key, text in found.items():
        if text not in as_page:
            as_page[text] = _cut(shown(text, lines=True))
        found[key] = as_page[text]
    return found


def _replies(cell: Cell, texts: Mapping[bytes, str], positions: npt.NDArray[np.int64]) -> list[str | None]:
    """The text at each position; None where there is none, or where labels' probabilities were read instead."""
    if cell.key.ask not in _READ:
        return [None] * len(positions)
    return list(map(texts.get, cell.keys_at(positions)))


def _cut(text: str) -> str:
    return text if len(text) <= _REPLY else text[:_REPLY] + "…"
