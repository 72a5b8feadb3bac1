"""Names what kind of answerer a model is after teaching, in plain words: constant, copier, memoriser, conductor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clika_client.conductivity.certainty import TeachingDifference
from clika_client.conductivity.trials import Trial

Kind = Literal["constant", "copier", "under-taught", "memoriser", "not told from copying", "conductor"]
ALPHA = 0.05
MOST = 0.5
"""Share of the answers from which on one name, or the matcher's, is the rule."""
FEWEST = 10
"""Facts on which spelling misleads; fewer do not show whether a model follows it."""


@dataclass(frozen=True, slots=True)
class Answerer:
    """What kind of answerer, and by what it is known."""

    kind: Kind
    why: str


def name(trials: Sequence[Trial], failed: bool, p_chance: float, ceiling: TeachingDifference | None) -> Answerer:
    """The kind of a model, from its replies to the test.

    `failed`: the gate was not passed. `p_chance` is that of the test against chance, `ceiling` how far it is above
    copying (None: not known).
    """
    most, share = favourite(trials)
    if share > MOST and len(trials[0].continents) > 1 / MOST:
        return Answerer("constant", f"{' or '.join(most)} is {share:.0%} of its answers")
    followed, misled = following(trials)
    if misled >= FEWEST and followed > MOST * misled:
        return Answerer(
            "copier", f"where spelling misleads it answers what spelling says: {followed} of {misled} questions"
        )
    if failed:
        return Answerer("under-taught", "the gate failed: what it was taught it does not know well enough")
    if p_chance >= ALPHA:
        return Answerer("memoriser", "what it was told it knows, of the rest no more than chance gives")
    if ceiling is not None and not (ceiling.value > 0 and ceiling.p < ALPHA):
        return Answerer("not told from copying", "above chance, but not above what spelling alone gives away")
    return Answerer("conductor", "above chance and above what spelling alone gives away")


def favourite(trials: Sequence[Trial]) -> tuple[list[str], float]:
    """The continent that is named most often after each teaching, and its mean share of all replies."""
    names, shares = [], []
    for trial in trials:
        answers, counts = np.unique(trial.given[trial.given >= 0], return_counts=True)
        if len(counts):
            names.append(trial.continents[int(answers[counts.argmax()])])
        shares.append(counts.max() / trial.given.size if len(counts) else 0.0)
    return list(dict.fromkeys(names)), float(np.mean(shares))


def following(trials: Sequence[Trial]) -> tuple[int, int]:
    """Answers that are the matcher's where that one is wrong, and how many such questions there are."""
    misled = [(trial.copied >= 0) & ~trial.copies_right for trial in trials]
    followed = sum(int((trial.given == trial.copied)[where].sum()) for trial, where in zip(trials, misled, strict=True))
    return followed, int(sum(where.sum() for where in misled))
