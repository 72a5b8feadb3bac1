"""The cells of one row, gathered into its grid of answers: several orders and repeats count once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from clika_client.answers.cells import PROBABILITIES, CellAnswers, mean_over_orders, rotate
from clika_client.answers.likelihood import NORMALISATIONS
from clika_client.common.answer_codes import ELSEWHERE, MISSING, NO_ANSWER, Answers, Floats
from clika_client.scoring.answer_grid import AnswerGrid, RowKey, plurality
from clika_client.scoring.chosen import OfCell
from clika_client.sets.probes import ProbeSet

C = TypeVar("C", bound=OfCell)
C_contra = TypeVar("C_contra", bound=OfCell, contravariant=True)


class AnswerSource(Protocol[C_contra]):
    """Where the answers of cells come from: a database, or shards of many."""

    def answers(self, cell: C_contra, reading: str, probe_set: ProbeSet) -> CellAnswers:
        """Choices and reasons, one per item of the set."""
        ...

    def asked(self, cell: C_contra) -> npt.NDArray[np.integer]:
        """Positions of the items that were put to the model."""
        ...

    def scores(self, cell: C_contra, probe_set: ProbeSet, reading: str) -> Floats:
        """(items, choices): see `answers.cells.choice_scores`."""
        ...

    def matches(
        self, key: RowKey, cells: Sequence[C_contra], probe_set: ProbeSet, languages: Sequence[str]
    ) -> Floats | None:
        """See AnswerGrid.matches."""
        ...


def block_from(source: AnswerSource[C], key: RowKey, cells: Sequence[C], probe_set: ProbeSet) -> AnswerGrid:
    """One row's answers, gathered from its cells."""
    order = {language: i for i, language in enumerate(probe_set.languages)}
    languages = sorted(dict.fromkeys(cell.key.language for cell in cells), key=lambda t: order[t])
    shape = (len(languages), probe_set.n)
    answers, shown = np.full(shape, MISSING, np.int8), np.full(shape, MISSING, np.int8)
    asked, reasons = np.zeros(shape, np.bool_), np.zeros(shape, np.uint8)
    scored = key.reading == PROBABILITIES or key.reading in NORMALISATIONS
    scores = np.full((*shape, probe_set.k), np.nan) if scored else None
    orders = repeats = 1
    again = np.full((2, *shape), MISSING, np.int8)
    for i, language in enumerate(languages):
        mine = sorted((c for c in cells if c.key.language == language), key=lambda c: (c.key.rotation, c.key.repeat))
        read = [source.answers(cell, key.reading, probe_set) for cell in mine]
        votes = np.stack([r.choices for r in read])
        answers[i] = votes[0] if len(mine) == 1 else plurality(votes, probe_set.k)
        again[: min(len(votes), 2), i] = votes[:2]
        if not probe_set.open:
            shown[i] = rotate(votes[0], mine[0].key.rotation, probe_set.counts)
        reasons[i] = read[0].reasons
        for cell in mine:
            asked[i, source.asked(cell)] = True
        orders = max(orders, len({c.key.rotation for c in mine}))
        repeats = max(repeats, len({c.key.repeat for c in mine}))
        if scores is not None:
            scores[i], answers[i] = _from_scores(source, key, mine, probe_set, answers[i])
    answers = np.where(asked, answers, MISSING).astype(np.int8)
    shown = np.where(asked, shown, MISSING).astype(np.int8)
    return AnswerGrid(
        key,
        tuple(languages),
        answers,
        asked,
        np.where(np.isin(answers, (NO_ANSWER, ELSEWHERE)), reasons, 0).astype(np.uint8),
        None if orders == repeats == 1 and not probe_set.open else shown,
        orders,
        repeats,
        scores,
        None if orders == repeats == 1 else (again[0], again[1]),
        source.matches(key, cells, probe_set, languages),
    )


def _from_scores(
    source: AnswerSource[C], key: RowKey, cells: Sequence[C], probe_set: ProbeSet, answers: Answers
) -> tuple[Floats, Answers]:
    """(scores, answers) of one language whose replies carry a figure per option; several orders count by their mean."""
    each = [source.scores(cell, probe_set, key.reading) for cell in cells]
    if len(each) == 1:
        return each[0], answers
    scores = mean_over_orders(each)
    best = np.where(np.isnan(scores).all(-1), answers, np.nanargmax(np.nan_to_num(scores, nan=-np.inf), -1))
    return scores, best.astype(np.int8)
