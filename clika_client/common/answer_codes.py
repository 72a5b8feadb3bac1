"""The two codes that are not choices, and the array types every metric shares."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

NO_ANSWER = -1
"""A reply that names no choice: not correct, and never the same answer as another."""
MISSING = -2
"""No reply at all (never asked, or the request failed): not wrong, the item leaves every count."""

Answers: TypeAlias = npt.NDArray[np.int8]
Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]


def divide(numerator: npt.ArrayLike, denominator: npt.ArrayLike, *, empty: float = np.nan) -> Floats:
    """Quotient as float64; `empty` where the denominator is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, empty), where=bottom != 0))
