"""What the replies of each model took: how many, when, tokens and money, summed in one pass over the stored replies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_cache.completions import columns_of, quicker_read_whole
from clika_client.common.answer_codes import Floats
from clika_client.store.store import Cell, Store

Words = npt.NDArray[np.uint64]
_COLUMNS = ("created_at", "coalesce(input_tokens, 0) + coalesce(output_tokens, 0)", "cost")
_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Used:
    """Of one model."""

    replies: int
    first: float
    """Unix time; infinite without a reply."""
    last: float
    tokens: int
    cost: float | None
    """US dollars; None where no price is known."""


def used(store: Store, models: Sequence[Sequence[Cell]]) -> list[Used]:
    """Of each model, given by its cells: a reply that several of its cells share counts once."""
    owner, words = _owned(models)
    replies, priced = np.zeros(len(models), np.int64), np.zeros(len(models), np.int64)
    tokens, cost = np.zeros(len(models)), np.zeros(len(models))
    first, last = np.full(len(models), np.inf), np.full(len(models), -np.inf)
    # As objects the keys of a million replies would take 100 MB.
    keys = None if quicker_read_whole(store.database, len(words)) else set(words.view("V16").ravel().tolist())
    for stored, created, tokens_of, cost_of in _batches(store, keys):
        row, place = _matched(stored, words)
        of = owner[place]
        known = ~np.isnan(cost_of[row])
        replies += np.bincount(of, minlength=len(models))
        priced += np.bincount(of[known], minlength=len(models))
        tokens += np.bincount(of, tokens_of[row], len(models))
        cost += np.bincount(of[known], cost_of[row][known], len(models))
        np.minimum.at(first, of, created[row])
        np.maximum.at(last, of, created[row])
    return [
        Used(int(replies[i]), float(first[i]), float(last[i]), int(tokens[i]), float(cost[i]) if priced[i] else None)
        for i in range(len(models))
    ]


def _owned(models: Sequence[Sequence[Cell]]) -> tuple[npt.NDArray[np.int64], Words]:
    """(number of the model, its keys as two words each), by key, each key of a model once."""
    grids = [[np.frombuffer(cell.keys, np.uint64).reshape(-1, 2) for cell in cells] for cells in models]
    words = np.concatenate([grid for of_model in grids for grid in of_model])
    owner = np.repeat(np.arange(len(models)), [sum(map(len, of_model)) for of_model in grids])
    asked = words.any(1)
    words, owner = words[asked], owner[asked]
    order = np.lexsort((owner, words[:, 1], words[:, 0]))
    words, owner = words[order], owner[order]
    new = np.ones(len(words), np.bool_)
    new[1:] = (words[1:] != words[:-1]).any(1) | (owner[1:] != owner[:-1])
    return owner[new], np.ascontiguousarray(words[new])


def _matched(stored: Words, words: Words) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(place in `stored`, place in the sorted `words`) of every two keys that are the same."""
    order = np.argsort(stored[:, 0])  # neighbours in the file are strangers: in order, the search stays in the cache
    first = np.ascontiguousarray(words[:, 0])
    begin, end = (np.searchsorted(first, stored[order, 0], side) for side in ("left", "right"))
    many = end - begin
    row = np.repeat(order, many)
    place = np.arange(many.sum()) + np.repeat(begin - (np.cumsum(many) - many), many)
    same = words[place, 1] == stored[row, 1]
    return row[same], place[same]


def _batches(store: Store, keys: set[bytes] | None) -> Iterator[tuple[Words, Floats, Floats, Floats]]:
    """(keys, times, tokens, costs) of stored replies."""
    rows: Iterator[tuple[Any, ...]] = columns_of(store.database, _COLUMNS, keys)
    while batch := list(islice(rows, _AT_ONCE)):
        stored, *figures = zip(*batch, strict=True)
        created, tokens, cost = (np.array(figure, np.float64) for figure in figures)
        yield np.frombuffer(b"".join(stored), np.uint64).reshape(-1, 2), created, tokens, cost
