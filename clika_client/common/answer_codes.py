"""The codes that are not choices, and the array types every metric shares."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

NO_ANSWER = -1
"""A reply that names no choice: not correct, and never the same answer as another."""
MISSING = -2
"""No reply at all (never asked, or the request failed): not wrong, the item leaves every count."""
OTHER = -3
"""An open answer that is wrong and none of the known ones: an answer, but never the same as another."""
ELSEWHERE = -4
"""An open answer that is right in another language than was asked: its own score, neither right nor wrong."""

Answers: TypeAlias = npt.NDArray[np.int8]
Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]


def answered(answers: npt.NDArray[np.integer]) -> Bools:
    """Which replies hold an answer, be it a choice or not; shape of `answers`."""
    return np.asarray((answers >= 0) | (answers <= OTHER))


def divide(numerator: npt.ArrayLike, denominator: npt.ArrayLike, *, empty: float = np.nan) -> Floats:
    """Quotient as float64; `empty` where the denominator is 0."""
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    shape = top.shape if top.shape == bottom.shape else np.broadcast(top, bottom).shape
    return np.asarray(np.divide(top, bottom, out=np.full(shape, empty), where=bottom != 0))
