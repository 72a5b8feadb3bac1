"""What would the same replies score if they had nothing to do with the facts? XRR's test against chance.

The continents of the facts are dealt anew, many times, and the replies are counted again. Which place lies where was
drawn at random when the facts were invented, so this is a randomisation test, exact whatever the replies are like: who
names one continent all the time is right as often in every deal. Where a question offers some continents only, one of
those is dealt. After several teachings, one deal serves all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clika_client.conductivity.trials import Numbers, Trial

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Shuffled:
    """How often the replies are right on dealt continents, as shares."""

    mean: float
    low: float
    """2.5 % of the deals are below this,"""
    high: float
    """and 2.5 % above this."""
    p: float
    """Share of the deals that are as good as the real facts; that many by chance."""
    deals: int


def shuffle(trials: Sequence[Trial], draws: int, seed: int) -> Shuffled:
    """The control and the test against chance, of one or more teachings of the same facts."""
    first = trials[0]
    random = np.random.default_rng([seed, len(first.facts)])
    given = np.stack([trial.given for trial in trials])
    everything = first.choices == len(first.continents)
    hits = np.empty(draws, np.int64)
    for start in range(0, draws, _AT_ONCE):
        part = slice(start, min(start + _AT_ONCE, draws))
        size = part.stop - part.start
        if everything:
            dealt = random.permuted(np.tile(first.answer.astype(np.int16), (size, 1)), axis=1)
            hits[part] = sum((dealt == row).sum(1) for row in given)
        else:
            hits[part] = _offered(given, first.choices, size, random)
    real = int(sum(trial.asked.sum() for trial in trials))
    low, high = np.quantile(hits, [0.025, 0.975])
    p = (1 + int((hits >= real).sum())) / (1 + draws)
    return Shuffled(float(hits.mean()) / given.size, float(low) / given.size, float(high) / given.size, p, draws)


def _offered(given: Numbers, choices: int, size: int, random: np.random.Generator) -> Numbers:
    """Right answers when each fact's continent is one of those offered, any of them: the same after each teaching."""
    hits = np.zeros(size, np.int64)
    for answers in given.T:
        counts = np.unique(answers[answers >= 0], return_counts=True)[1]
        padded = np.zeros(choices, np.int64)
        padded[: len(counts)] = counts[:choices]
        hits += padded[random.integers(0, choices, size)]
    return hits
