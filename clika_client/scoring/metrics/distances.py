"""How far apart are two distributions? Half the sum of absolute differences, never 0 even where nothing differs.

A model without any habit does not give every letter exactly as often as the gold stands there. So the interval is
found the other way round, as that of the gap between languages (`spread.py`): for true differences in the pattern
observed, but smaller or larger, one asks how often a distance as small, or as large, as the one found would come out.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from clika_client.common.answer_codes import Floats

_DRAWS, _SIZES = 400, 48
"""Draws of the error, and true distances tried."""
_REACH = 4.5
"""Standard errors above the distance found that are tried."""


def distance_ends(parts: Floats, level: float, wider: float) -> tuple[Floats, Floats]:
    """Ends of the interval of 0.5 Σ |part|; `parts` (..., choices, 1 + G) are differences, without each unit in turn.

    Errors are normal with the jackknife's covariance, `wider` times as large where clusters tell it badly; 0 is within
    where luck can explain it all.
    """
    lead = parts.shape[:-2]
    ends = np.array([_ends(each, level, wider) for each in parts.reshape(-1, *parts.shape[-2:])])
    return ends[:, 0].reshape(lead), ends[:, 1].reshape(lead)


def _ends(parts: Floats, level: float, wider: float) -> tuple[float, float]:
    values, others = parts[:, 0], parts[:, 1:]
    found, units = float(np.abs(values).sum() / 2), others.shape[-1]
    if np.isnan(parts).any() or units < 2:
        return (math.nan, math.nan) if np.isnan(found) else (0.0, 1.0)
    deviations = others - values[:, None]
    spread, vectors = np.linalg.eigh(deviations @ deviations.T * (units - 1) / units)
    if not np.isfinite(wider):
        return 0.0, 1.0
    # A habit without exception: its error is that of half an item, not 0.
    size = np.sqrt(np.clip(spread, (0.5 / units) ** 2, None)) * wider
    noise = _standard(len(values)) * size @ vectors.T
    noise -= noise.mean(1, keepdims=True)
    top = min(1.0, found + _REACH * float(size.max()) * np.sqrt(len(values)) / 2)
    sizes, tail = np.linspace(0.0, top, _SIZES), (1 - level) / 2
    pattern = values / found if found > 0 else np.zeros(len(values))
    smaller = _smaller(sizes, pattern, noise, found)
    habit = _smaller(sizes, _one_choice(values), noise, found)
    high = max(_crossing(sizes, each, tail) for each in (smaller, habit))
    return min(found, _crossing(sizes, smaller, 1 - tail)), max(found, high)


def _one_choice(values: Floats) -> Floats:
    """The pattern of a habit of the choice that stands out: all others give way to it, or it to them, alike.

    Errors add least to the distance where no choice is as it should be. What was found by luck in two choices of four
    may be such a habit, which the pattern found would hold to be too small.
    """
    choice = int(np.argmax(np.abs(values)))
    pattern = np.full(len(values), -1 / max(len(values) - 1, 1))
    pattern[choice] = 1.0
    return pattern if values[choice] >= 0 else -pattern


def _smaller(sizes: Floats, pattern: Floats, noise: Floats, found: float) -> Floats:
    """How often a true distance of each size in this pattern comes out as small as what was found."""
    # One choice after the other: numpy is ten times as fast along a long last axis as along the few choices.
    drawn = np.zeros((len(sizes), len(noise)))
    for size_of, errors in zip(pattern, noise.T.copy(), strict=True):
        drawn += np.abs(sizes[:, None] * size_of + errors)
    return np.asarray((drawn / 2 <= found + 1e-12).mean(1), np.float64)


def _crossing(sizes: Floats, smaller: Floats, share: float) -> float:
    """The size from which on the share of smaller distances is `share`; the shares fall as the size grows."""
    return float(np.interp(share, smaller[::-1], sizes[::-1]))


@lru_cache(maxsize=16)
def _standard(count: int) -> Floats:
    half = np.random.default_rng(count).standard_normal((_DRAWS // 2, count))
    return np.concatenate([half, -half])
