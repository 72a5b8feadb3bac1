"""The third level, XRR: can the model use in X what it was taught in English alone?

Source: Gao et al. 2024, section 3.3. Its denominator is not public, so all three readings are given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from clika_client.common.answer_codes import Bools, divide

GATE_LIMIT = 0.90
"""Teaching counts as complete only strictly above this accuracy, on every part."""
CHANCE = 1 / 20
GATE_PARTS = ("translation", "en_type0", "en_type1", "x_type0")


class Conductivity(NamedTuple):
    """The three readings and the one above chance; all are fractions."""

    raw: float
    """Accuracy on type-1 facts asked in X."""
    ratio: float
    """The headline, called XRR: raw / accuracy on the same facts asked in English."""
    conditional: float
    """P(X right given English right)."""
    above_chance: float
    """(raw - c) / (en - c) with c the chance level."""


def failed_gates(accuracies: Mapping[str, float]) -> tuple[str, ...]:
    """Parts of the gate that are not strictly above 90 %; a part that was not measured has failed."""
    return tuple(part for part in GATE_PARTS if not accuracies.get(part, math.nan) > GATE_LIMIT)


def cross_retrieval(en_right: Bools, x_right: Bools, chance: float = CHANCE) -> Conductivity:
    """XRR from type-1 facts right in English and in X, paired arrays of shape (facts,)."""
    n = en_right.size
    raw, en = float(divide(x_right.sum(), n)), float(divide(en_right.sum(), n))
    conditional = divide((en_right & x_right).sum(), en_right.sum())
    return Conductivity(raw, float(divide(raw, en)), float(conditional), float(divide(raw - chance, en - chance)))
