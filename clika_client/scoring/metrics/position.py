"""Position bias: a model that always says the same letter looks consistent while knowing nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clika_client.common.answer_codes import MISSING, Answers, Floats, divide

FLAG_LIMITS: Mapping[str, float] = {"biased": 0.80, "degenerate": 0.95}
"""Share of the top choice, among answered items, from which a flag is raised."""

SILENT = "silent"
"""Flag: fewer than half of the replies name a choice."""
FEWEST = 20
"""No flag is raised on fewer answers: five equal ones in a row are no habit."""


def choice_counts(answers: Answers, k: int) -> Floats:
    """How often each choice was given; shape (..., k)."""
    return np.stack([(answers == choice).sum(-1) for choice in range(k)], axis=-1).astype(np.float64)


def top_share(counts: Floats) -> Floats:
    """Share of the most frequent choice; counts (..., choices, replicates). NaN when nothing was answered."""
    return divide(counts.max(-2), counts.sum(-2))


def distance(counts: Floats, truth: Floats) -> Floats:
    """Total variation, half the L1 distance of two distributions given as counts (..., choices, replicates)."""
    return np.asarray(0.5 * np.abs(differences(counts, truth)).sum(-2))


def differences(counts: Floats, truth: Floats) -> Floats:
    """Share of each choice less its share in `truth`; both are counts (..., choices, replicates)."""
    return divide(counts, counts.sum(-2, keepdims=True)) - divide(truth, truth.sum(-2, keepdims=True))


def top_choice_share(answers: Answers, k: int) -> Floats:
    """Share of the most frequent choice among answered items; NaN when nothing was answered."""
    return top_share(choice_counts(answers, k)[..., None])[..., 0]


def total_variation(answers: Answers, gold: Answers, k: int) -> Floats:
    """Distance between the choices given (of answered items) and the gold choices, 0 to 1.

    The gold distribution is over the items that have a reply.
    """
    truth = choice_counts(np.where(answers != MISSING, gold, MISSING).astype(np.int8), k)
    return distance(choice_counts(answers, k)[..., None], truth[..., None])[..., 0]


def flags(share: float, answered: int | None = None, replied: int | None = None) -> tuple[str, ...]:
    """The flags that a top-choice share and the counts of replies raise, mildest first; none on few replies."""
    found: tuple[str, ...] = ()
    if answered is None or answered >= FEWEST:
        found = tuple(name for name, limit in FLAG_LIMITS.items() if share >= limit)
    if answered is not None and replied is not None and replied >= FEWEST and 2 * answered < replied:
        found = (*found, SILENT)
    return found


def one_sided(gold: Answers) -> tuple[int, float] | None:
    """(position, share) when the gold stands at one position for most items, so that saying one letter is right."""
    if gold.size < FEWEST:
        return None
    counts = np.bincount(gold[gold >= 0])
    share = float(counts.max() / gold.size)
    return (int(counts.argmax()), share) if share >= FLAG_LIMITS["biased"] else None
