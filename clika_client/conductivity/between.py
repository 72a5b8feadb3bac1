"""Many experiments beside one another: a row for each model, way of teaching and direction, and what differs.

A row's figures are over the teachings (seeds) whose gate was passed; how many that were stands beside them. Rows are
compared where they differ in one thing (language, direction, model, way of teaching), fact by fact, with Holm's
correction in each of these families. Figures on different invented worlds, or on the authors' facts, never are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from clika_client.common.errors import UserError
from clika_client.conductivity.about import STATE, About
from clika_client.conductivity.answerer import name
from clika_client.conductivity.certainty import (
    TeachingDifference,
    difference,
    paired_shares,
    stacked,
    xrr,
)
from clika_client.conductivity.chance import shuffle
from clika_client.conductivity.experiment_folder import material_of, score_folder
from clika_client.conductivity.scored_pairs import PairScore, Score
from clika_client.conductivity.taught_models import Between, TaughtModel, TeachingComparison
from clika_client.scoring.metrics.intervals import DRAWS
from clika_client.scoring.metrics.significance import holm

FAMILIES = ("language", "direction", "model", "way")
PASSED_OVER = "rounds"
"""Folder of an experiment that holds what was asked before its gate was passed."""


def between(paths: Sequence[Path], *, draws: int = DRAWS, seed: int = 0) -> Between:
    """Score every experiment in and below the folders; raises UserError when there is none that was asked."""
    finished, unfinished = find(paths)
    if not finished:
        listed = ", ".join(map(str, paths))
        raise UserError(f"no experiment in {listed} was asked after teaching; `clika teach run` does all that")
    scored: list[tuple[About, Score]] = []
    for folder in finished:
        scores = score_folder(material_of(folder), folder, draws=100)
        scored += [(score.about, score) for score in scores if score.about]
    return table(scored, unfinished, draws=draws, seed=seed)


def find(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Folders of experiments in and below the paths: those that were asked after teaching, and those that were not."""
    finished: list[Path] = []
    unfinished: list[Path] = []
    for path in paths:
        if not path.is_dir():
            raise UserError(f"{path} is no folder; give those of experiments, or one that holds them")
        names = (STATE, "after.text.json", "after.choice.json")
        for folder in sorted({path, *(file.parent for each in names for file in path.rglob(each))}):
            if PASSED_OVER in folder.relative_to(path).parts or folder in (*finished, *unfinished):
                continue
            if any(folder.glob("after.text.json")) or any(folder.glob("after.choice.json")):
                finished.append(folder)
            elif (folder / STATE).is_file():
                unfinished.append(folder)
    return finished, unfinished


def table(
    scored: Sequence[tuple[About, Score]], unfinished: Sequence[Path] = (), *, draws: int = DRAWS, seed: int = 0
) -> Between:
    """Rows and comparisons of scored experiments."""
    names, ways = _names([one for one, _ in scored]), _ways([one for one, _ in scored])
    groups: dict[tuple[Any, ...], list[tuple[About, PairScore]]] = {}
    for one, score in scored:
        for pair in score.pairs:
            key = (names[one.weights], ways[_frozen(one.settings)], pair.pair, pair.form, _world(score, pair))
            groups.setdefault(key, []).append((one, pair))
    rows = [_row(key, teachings, draws, seed) for key, teachings in groups.items()]
    adjusted = holm([row.p_chance for row in rows])
    rows = [
        replace(row, p_chance=p, answerer=name(row.trials, row.xrr is None, p, row.above_ceiling))
        for row, p in zip(rows, adjusted, strict=True)
    ]
    return Between(tuple(rows), tuple(_compare(rows)), tuple(unfinished), draws)


def _row(key: tuple[Any, ...], teachings: Sequence[tuple[About, PairScore]], draws: int, seed: int) -> TaughtModel:
    passed = [score for _, score in teachings if score.xrr]
    scores = passed or [score for _, score in teachings]
    trials = [score.trial for score in scores]
    asked, _ = stacked(trials)

    def against(others: list[Any]) -> TeachingDifference | None:
        if any(other is None for other in others):
            return None
        return paired_shares(trials, asked, np.stack(others).astype(np.float64))

    shuffled = shuffle(trials, draws, seed)
    copies = [trial.copies_right if bool((trial.copied >= 0).all()) else None for trial in trials]
    above = against(copies)
    model, way, pair, form, world = key
    return TaughtModel(
        model,
        way,
        pair,
        form,
        world,
        tuple(teachings),
        xrr(trials) if passed else None,
        shuffled.p,
        scores[0].ceiling,
        above,
        against([trial.before for trial in trials]),
        name(trials, not passed, shuffled.p, above),
    )


def _world(score: Score, pair: PairScore) -> str:
    """What was invented: its source, seed and kind of names, and which facts are asked."""
    facts = pair.trial.facts
    return f"{score.world}, {len(facts)} facts, {len(pair.trial.continents)} continents"


def _names(experiments: Sequence[About]) -> dict[str, str]:
    """Weights → the model's name, with a part of the digest where two models have the same one."""
    by_weights = {one.weights: one.model for one in experiments}
    shared = [name for name in by_weights.values() if list(by_weights.values()).count(name) > 1]
    return {weights: f"{name} {weights[:6]}" if name in shared else name for weights, name in by_weights.items()}


def _ways(experiments: Sequence[About]) -> dict[str, str]:
    """Settings → those of them that differ between the experiments, in words."""
    settings = {_frozen(one.settings): one.settings for one in experiments}
    keys = sorted({key for one in settings.values() for key in one})
    varied = [key for key in keys if len({json.dumps(one.get(key)) for one in settings.values()}) > 1]
    return {
        frozen: ", ".join(f"{key.replace('_', ' ')} {one[key]}" for key in varied if key in one)
        for frozen, one in settings.items()
    }


def _frozen(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _compare(rows: Sequence[TaughtModel]) -> Iterator[TeachingComparison]:
    """All pairs of rows that differ in one thing, each family corrected by itself."""
    for family in FAMILIES:
        found = [
            (i, j, difference(rows[i].trials, rows[j].trials, same_teaching=_together(rows[i], rows[j])))
            for i, j in combinations(range(len(rows)), 2)
            if rows[i].xrr and rows[j].xrr and _only(family, rows[i], rows[j])
        ]
        known = [one for one in found if one[2].p == one[2].p]
        adjusted = holm([one.p for _, _, one in known])
        for (i, j, one), p in zip(known, adjusted, strict=True):
            yield TeachingComparison(family, i, j, one, p)


def _only(family: str, one: TaughtModel, other: TaughtModel) -> bool:
    """Whether two rows of one world differ in this and in nothing else."""
    reverse = [row.pair.taught == row.pair.language for row in (one, other)]
    differs = {
        "language": one.pair.language != other.pair.language,
        "direction": reverse[0] != reverse[1],
        "model": one.model != other.model,
        "way": one.way != other.way,
    }
    same = one.world == other.world and one.form == other.form
    return same and [each for each, yes in differs.items() if yes] == [family]


def _together(one: TaughtModel, other: TaughtModel) -> bool:
    """Whether the teachings of both are the same ones, as when one model was taught several languages at once."""
    return [a.folder for a, _ in one.passed] == [a.folder for a, _ in other.passed]
