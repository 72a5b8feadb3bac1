"""Bootstrap draws of accuracy and en-CO for rows of a table: one set of draws per probe set, shared by all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Answers, Floats, divide
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.metrics.consistency import VARIANTS, Table
from clika_client.scoring.metrics.intervals import Resampler
from clika_client.scoring.metrics.performance import correct, received

_Sums: TypeAlias = npt.NDArray[np.float32]
_COLUMNS_AT_ONCE = 640
"""Keeps memory near 100 MB at 10,000 draws however many rows there are."""


@dataclass(frozen=True, slots=True)
class RowDraws:
    """Draws of one row; both (languages, draws). en-CO is NaN without an anchor, and for the anchor itself."""

    accuracy: Floats
    en_co: Floats


def row_draws(
    blocks: Sequence[AnswerGrid], gold: Answers, anchor: str, variant: str, resampler: Resampler
) -> Iterator[RowDraws]:
    """Draws of each block in turn; all blocks cover the same items as `gold`."""
    columns = [_columns(block, gold, anchor) for block in blocks]
    start = 0
    while start < len(blocks):
        stop, size = start, 0
        while stop < len(blocks) and (stop == start or size + len(columns[stop]) <= _COLUMNS_AT_ONCE):
            size += len(columns[stop])
            stop += 1
        sums = resampler.sums(np.concatenate(columns[start:stop]))
        row = 0
        for index in range(start, stop):
            part = sums[row : row + len(columns[index])]
            row += len(columns[index])
            yield _from_sums(part, blocks[index], anchor, variant)
        start = stop


def _columns(block: AnswerGrid, gold: Answers, anchor: str) -> Answers:
    """Item-wise counts whose resampled sums give every statistic: five per language, or two with no reply missing.

    Complete blocks need no columns of their own for "replied" and for the pair's margins.
    """
    right, replied = correct(block.answers, gold), received(block.answers)
    anchor_row = block.row(anchor)
    parts = [right]
    if not replied.all():
        parts.append(replied)
    elif anchor_row is None:
        parts.append(replied[:1])
    if anchor_row is not None:
        valid = replied & replied[anchor_row]
        parts.append(right & right[anchor_row])
        parts.append(
            replied[:1] if replied.all() else np.concatenate([right[anchor_row] & valid, right & valid, valid])
        )
    return np.concatenate(parts).astype(np.int8)


def _from_sums(sums: _Sums, block: AnswerGrid, anchor: str, variant: str) -> RowDraws:
    count, anchor_row = len(block.languages), block.row(anchor)
    complete = bool(received(block.answers).all())
    right = sums[:count]
    if anchor_row is None:
        replied = sums[count:]
        return RowDraws(divide(right, replied), np.full(right.shape, np.nan))
    if complete:
        both, n = sums[count : 2 * count], sums[2 * count :]
        table = _table(both, np.broadcast_to(right[anchor_row], right.shape), right, np.broadcast_to(n, right.shape))
        accuracy = divide(right, n)
    else:
        replied, both, of_anchor, of_other, n = (sums[i * count : (i + 1) * count] for i in range(1, 6))
        table = _table(both, of_anchor, of_other, n)
        accuracy = divide(right, replied)
    en_co = VARIANTS[variant].measure(table)
    en_co[anchor_row] = np.nan
    return RowDraws(accuracy, en_co)


def _table(both: _Sums, anchor_row: _Sums, other: _Sums, n: _Sums) -> Table:
    counts = (both, anchor_row - both, other - both, n - anchor_row - other + both)
    return Table(*(np.asarray(count, np.float64) for count in counts))
