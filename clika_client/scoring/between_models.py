"""How much of a model's consistency is only which questions are easy? English of one model against other models in X.

Two models know nothing of each other's memory; what their right answers share, beyond accuracy and letter habits, is
the difficulty of the questions. So the corrected overlap of a model's anchor with language x of other models that are
about as accurate there is what consistency would be without any transfer between the model's own languages.
Compare Mishra et al., arXiv 2509.04032, who set agreement within a model against agreement between models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clika_client.common.answer_codes import Answers, Floats
from clika_client.scoring.measure import Measured
from clika_client.scoring.metrics.consistency import Strata, Table, chance_corrected
from clika_client.scoring.metrics.jackknife import Units
from clika_client.scoring.metrics.performance import correct, received
from clika_client.scoring.metrics.row_figures import BesideOthers
from clika_client.scoring.score_sets import Options, ScoredSet

ALIKE = 0.05
"""Two models are about as accurate in a language when their accuracies lie this close."""
_GROUPS = 20
"""Groups of items that are left out in turn: enough for an error, and 50 times cheaper than every item."""
_AT_ONCE = 250_000
"""Counts held at a time: of some models' anchors against every model's language. All of a thousand would take 3 GB."""
_ANSWERS_AT_ONCE = 2**21
"""Answers held at a time, of as many items of all models: what is held grows with neither."""
_ROWS_AT_ONCE = 64
"""Rows of answers looked at before their pages are given back; a look at one row brings its neighbours."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """Of models' anchors (rows) against every model's language (columns): (some models, models, strata, 1 + groups)."""

    n: Floats
    anchor: Floats
    other: Floats
    both: Floats


def beside_others(
    part: ScoredSet, measured: Sequence[Measured], options: Options, release: Callable[[], None]
) -> list[BesideOthers | None]:
    """Per row, its own corrected consistency and that with other models, over the languages that allow both.

    `release` is called when answers are done with (see `load.LoadedAnswers`).
    """
    rows = [m.figures for m in measured]
    found: list[list[tuple[Floats, Floats, int]]] = [[] for _ in rows]
    able = [i for i, row in enumerate(rows) if row.anchor is not None and not row.flags[row.anchor]]
    for language in dict.fromkeys(language for row in rows for language in row.languages):
        if language == options.anchor:
            continue
        chosen = [i for i in able if language in rows[i].languages]
        if len(chosen) < 2:
            continue
        index = [rows[i].languages.index(language) for i in chosen]
        accuracy = np.array([rows[i].figures["accuracy"].value[x] for i, x in zip(chosen, index, strict=True)])
        sound = np.array([not rows[i].flags[x] for i, x in zip(chosen, index, strict=True)])
        names = [part.blocks[i].key.model for i in chosen]
        other = np.array([[a != b for b in names] for a in names])
        alike = (np.abs(accuracy[:, None] - accuracy) <= ALIKE) & sound[:, None] & sound & other
        for place, corrected in _corrected(part, chosen, index, options, release):
            mates = np.flatnonzero(alike[place] & ~np.isnan(corrected[:, 0]))
            own = corrected[place].copy()  # not a view, which would keep the counts of all models
            if mates.size and not np.isnan(own[0]):
                found[chosen[place]].append((own, corrected[mates].mean(0), int(mates.size)))
        release()
    return [_mean(languages) for languages in found]


def _mean(languages: Sequence[tuple[Floats, Floats, int]]) -> BesideOthers | None:
    if not languages:
        return None
    own = np.mean([language[0] for language in languages], axis=0)
    others = np.mean([language[1] for language in languages], axis=0)
    return BesideOthers(own, others, len(languages), sum(language[2] for language in languages))


def _corrected(
    part: ScoredSet, chosen: Sequence[int], index: Sequence[int], options: Options, release: Callable[[], None]
) -> Iterator[tuple[int, Floats]]:
    """(place, corrected overlap of that model's anchor with each model's language: (models, 1 + groups)), in turn."""
    blocks = [part.blocks[i] for i in chosen]
    anchors = [b.answers[b.languages.index(options.anchor)] for b in blocks]
    others = [b.answers[x] for b, x in zip(blocks, index, strict=True)]
    step = max(1, _AT_ONCE // (len(chosen) * len(part.questions.strata) * ((_GROUPS if options.bootstrap else 0) + 1)))
    for start in range(0, len(chosen), step):
        c = _count(part, anchors[start : start + step], others, options, release)
        n, a, x, both = (counts.sum(2) for counts in (c.n, c.anchor, c.other, c.both))
        table = Table(both, a - both, x - both, n - a - x + both)
        yield from enumerate(chance_corrected(table, Strata(c.n, c.anchor, c.other), options.variant), start)


def _count(
    part: ScoredSet,
    anchors: Sequence[Answers],
    others: Sequence[Answers],
    options: Options,
    release: Callable[[], None],
) -> _Counts:
    groups, strata = _groups(part.units, len(part.positions)), part.questions.strata
    many = int(groups.max(initial=0)) + 1
    # (kinds, strata, 1 + groups, some models, models): the whole first, then without each group
    told = np.zeros((4, len(strata), 1 + many, len(anchors), len(others)))
    step = max(1, _ANSWERS_AT_ONCE // (len(anchors) + len(others)))
    for start in range(0, groups.size, step):
        some = slice(start, start + step)
        sides = [_held(rows, some, release) for rows in (anchors, others)]
        gold, group = part.gold[some], groups[some]
        for s, members in enumerate(strata):
            for g in range(many):
                items = np.flatnonzero(members[some] & (group == g))
                replied_a, right_a, replied_x, right_x = (
                    side.astype(np.float32)
                    for answers in (rows[:, items] for rows in sides)
                    for side in (received(answers), correct(answers, gold[items]))
                )
                pairs = ((replied_a, replied_x), (right_a, replied_x), (replied_a, right_x), (right_a, right_x))
                for kind, (first, second) in enumerate(pairs):
                    told[kind, s, 1 + g] += first @ second.T
    told[:, :, 0] = told[:, :, 1:].sum(2)
    if options.bootstrap:
        np.subtract(told[:, :, :1], told[:, :, 1:], out=told[:, :, 1:])
    else:
        told = told[:, :, :1]
    # (kinds, strata, 1 + groups, some models, models) → (some models, models, strata, 1 + groups)
    return _Counts(*np.moveaxis(told, (3, 4), (1, 2)))


def _held(rows: Sequence[Answers], some: slice, release: Callable[[], None]) -> Answers:
    """A copy of some items of each row: (rows, items)."""
    held = np.empty((len(rows), rows[0][some].size), rows[0].dtype)
    for number, row in enumerate(rows, 1):
        held[number - 1] = row[some]
        if number % _ROWS_AT_ONCE == 0:
            release()
    return held


def _groups(units: Units | None, items: int) -> np.ndarray:
    """Whole clusters, dealt into groups in turn."""
    return (np.arange(items) if units is None else units) % min(_GROUPS, max(items, 1))
