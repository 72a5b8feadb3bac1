"""From a database to the answer blocks that scoring takes: chosen cells, their replies read, gathered into rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_client.answers.cells import CellAnswers, choice_scores, read_cell, reading_for
from clika_client.answers.open.cell import OPEN, Acceptance
from clika_client.answers.open.declining import abstains
from clika_client.answers.open.judged import judge_of
from clika_client.answers.open.mkqa import exact_match, token_f1
from clika_client.common.answer_codes import Floats
from clika_client.common.errors import UserError
from clika_client.scoring.answer_grid import AnswerGrid, RowKey
from clika_client.scoring.chosen import Chosen, Wanted, choose, facts_by_name, row_key
from clika_client.scoring.gathered import block_from
from clika_client.scoring.put_aside import nothing
from clika_client.scoring.set_versions import SetVersion
from clika_client.sets.probes import MEASURES, ProbeSet
from clika_client.store import judgements
from clika_client.store.store import Cell, Store


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """The answers in a database; see AnswerSource."""

    store: Store
    positions: Mapping[int, npt.NDArray[np.int32]]
    """Number of a cell → what one run asked of it; a cell that is not here counts whole."""

    def answers(self, cell: Cell, reading: str, probe_set: ProbeSet) -> CellAnswers:
        """From the store when already read, else read now and kept."""
        return read_cell(self.store, cell, reading, probe_set)

    def asked(self, cell: Cell) -> npt.NDArray[np.integer]:
        """By the run, or ever."""
        return self.positions[cell.cell_id] if cell.cell_id in self.positions else cell.asked()

    def scores(self, cell: Cell, probe_set: ProbeSet, reading: str) -> Floats:
        """See `answers.cells.choice_scores`."""
        return choice_scores(self.store, cell, probe_set, reading)

    def matches(
        self, key: RowKey, cells: Sequence[Cell], probe_set: ProbeSet, languages: Sequence[str]
    ) -> Floats | None:
        """MKQA's measures."""
        return _matches(self.store, key, cells, probe_set, languages)


@dataclass(frozen=True, slots=True)
class LoadedAnswers:
    """Rows and their probe sets."""

    blocks: tuple[AnswerGrid, ...]
    sets: Mapping[int, ProbeSet]
    """Under names that name one set each."""
    versions: Mapping[int, SetVersion] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Which versions are shown, and what was asked for and has no reply at all."""
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name of a local model, as shown → what answered (see `model_facts`)."""
    release: Callable[[], None] = nothing
    """Gives back the memory of blocks that lie in a file; called when a row is done with."""


def load(store: Store, wanted: Wanted | None = None, chosen: Chosen | None = None) -> LoadedAnswers:
    """Gather the stored answers into rows; raises UserError when a name matches nothing.

    `chosen` is what `choose` found for `wanted`, of a caller that needs it too.
    """
    wanted = wanted or Wanted()
    chosen = chosen or choose(store, wanted)
    cells, names, sets = chosen.cells, chosen.names, chosen.sets
    positions = store.run_positions(wanted.run_id) if wanted.run_id else {}
    grouped: dict[RowKey, list[Cell]] = {}
    for cell in cells:
        for reading in dict.fromkeys(reading_for(cell.key.ask, name) for name in wanted.readings):
            judge = judge_of(reading)
            if judge is None or judgements.of_cell(store, judge, cell):
                grouped.setdefault(row_key(cell, names, reading), []).append(cell)
    if not grouped:
        known = ", ".join(judgements.judges(store)) or "nobody yet"
        raise UserError(f"no reply was judged by {', '.join(wanted.readings)}; judgements here are by: {known}")
    source = StoredAnswers(store, positions)
    blocks = [block_from(source, key, rows, sets[key.set_id]) for key, rows in grouped.items()]
    return LoadedAnswers(tuple(blocks), sets, chosen.versions, chosen.notes, facts_by_name(cells, names))


def _matches(
    store: Store, key: RowKey, cells: Sequence[Cell], probe_set: ProbeSet, languages: Sequence[str]
) -> Floats | None:
    """MKQA's measures of each language's replies, first askings only; None for a set that is not measured so."""
    if probe_set.meta.get(MEASURES) != "mkqa" or key.ask != OPEN:
        return None
    found = np.full((len(languages), 2), np.nan)
    for cell in cells:
        if cell.key.repeat == 0 and len(texts := (replies := store.replies(cell)).texts):
            accepts, tag = Acceptance(probe_set, cell.key.language), cell.key.language
            rows = []
            for text, position in zip(texts, replies.positions, strict=True):
                accepted = accepts.at(int(position))
                # What says that it does not know is the empty prediction of its script.
                said = "" if accepted.kind == "none" and abstains(text, tag) else text
                golds = accepted.names or ("",)
                rows.append((exact_match(said, golds, tag), token_f1(said, golds, tag)))
            found[languages.index(tag)] = np.mean(rows, axis=0)
    return found
