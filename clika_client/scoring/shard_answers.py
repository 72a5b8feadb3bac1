"""The answers of all shards in flat arrays that lie in a temporary file, and a row's block made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_client.answers.cells import PROBABILITIES, CellAnswers
from clika_client.common.answer_codes import MISSING, Floats
from clika_client.scoring.answer_grid import AnswerGrid, RowKey
from clika_client.scoring.gathered import block_from
from clika_client.scoring.put_aside import Pages
from clika_client.scoring.shard_footer import unpacked
from clika_client.sets.probes import ProbeSet
from clika_client.store.schema import CellKey


@dataclass(frozen=True, slots=True)
class ReadCell:
    """One cell in one reading, wherever its replies lie."""

    key: CellKey
    reading: str


class GatheredAnswers:
    """The answers of all cells in flat arrays, and where each cell begins; a reply met first is the one that counts.

    The cells of a row lie together, so that the row's block can take their place.
    """

    def __init__(self, rows: Iterable[Sequence[ReadCell]], sets: Mapping[int, ProbeSet], pages: Pages) -> None:
        self._starts: dict[ReadCell, slice] = {}
        total = several = 0
        for row in rows:
            items, languages = sets[row[0].key.set_id].n, len({cell.key.language for cell in row})
            several += 3 * languages * items if len(row) > languages else 0
            for cell in row:
                self._starts[cell] = slice(total, total := total + items)
        self._choices = pages.array((total,), np.int8, MISSING)
        self._reasons, self._asked = pages.array((total,), np.uint8), pages.array((total,), np.bool_)
        options = max((sets[c.key.set_id].k for c in self._starts if c.reading == PROBABILITIES), default=0)
        self._scores = pages.array((total, options), np.float64, np.nan) if options else None
        self._room = pages.array((several,), np.int8)
        """For what rows that were asked several times have beside their answers; handed out from its beginning."""
        self._pages = pages

    @property
    def scores_wanted(self) -> bool:
        """Whether a cell is read by its probabilities."""
        return self._scores is not None

    def start(self, cell: ReadCell) -> int:
        """Where a cell begins; -1 for one that is not wanted."""
        found = self._starts.get(cell)
        return -1 if found is None else found.start

    def ask(self, cell: ReadCell, asked: bytes) -> None:
        """Note what one shard says was asked."""
        here = self._starts[cell]
        self._asked[here] |= unpacked(asked, here.stop - here.start)

    def put(self, at: npt.NDArray[np.int64], choices: npt.NDArray[Any], reasons: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Keep answers at flat places; returns which of them were new."""
        new = self._choices[at] == MISSING
        self._choices[at[new]], self._reasons[at[new]] = choices[new], reasons[new]
        return np.asarray(new)

    def put_scores(self, at: npt.NDArray[np.int64], scores: Floats) -> None:
        """Keep figures per option of as many options as `scores` is wide."""
        assert self._scores is not None
        self._scores[at, : scores.shape[1]] = scores

    def block(self, key: RowKey, cells: Sequence[ReadCell], probe_set: ProbeSet) -> AnswerGrid:
        """One row's answers. They are written over what was gathered of its cells, which are done with."""
        block = block_from(self, key, cells, probe_set)
        start = min(self._starts[cell].start for cell in cells)
        here, shape = slice(start, start + block.answers.size), block.answers.shape
        answers, reasons, asked = (a[here].reshape(shape) for a in (self._choices, self._reasons, self._asked))
        answers[:], reasons[:], asked[:] = block.answers, block.reasons, block.asked
        scores = None
        if block.scores is not None and self._scores is not None:
            scores = self._scores[here].reshape(*shape, -1)[..., : block.scores.shape[-1]]
            scores[:] = block.scores
        shown, again = block.shown, block.again
        if again is not None:
            again = (self._moved(again[0]), self._moved(again[1]))
            shown = None if shown is None else self._moved(shown)
        elif shown is not None:  # options were not shown, so that nothing stood anywhere
            shown = np.broadcast_to(np.int8(MISSING), shape)
        self._pages.release()
        return replace(block, answers=answers, reasons=reasons, asked=asked, scores=scores, shown=shown, again=again)

    def _moved(self, array: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        found, self._room = self._room[: array.size].reshape(array.shape), self._room[array.size :]
        found[:] = array
        return found

    # ---- as load.AnswerSource

    def answers(self, cell: ReadCell, reading: str, probe_set: ProbeSet) -> CellAnswers:
        """See load.AnswerSource."""
        here = self._starts[ReadCell(cell.key, reading)]
        return CellAnswers(self._choices[here], self._reasons[here])

    def asked(self, cell: ReadCell) -> npt.NDArray[np.int64]:
        """See load.AnswerSource."""
        here = self._starts[cell]
        return np.flatnonzero(self._asked[here] | (self._choices[here] != MISSING))

    def scores(self, cell: ReadCell, probe_set: ProbeSet, reading: str) -> Floats:
        """See load.AnswerSource."""
        assert self._scores is not None
        return self._scores[self._starts[cell], : probe_set.k]

    def matches(
        self, key: RowKey, cells: Sequence[ReadCell], probe_set: ProbeSet, languages: Sequence[str]
    ) -> Floats | None:
        """See load.AnswerSource: sets that are measured so are refused."""
        return None
