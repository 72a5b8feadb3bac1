"""The third level, XRR: can the model use in X what it was taught in English alone?

Source: Gao et al. 2024, section 3.3. Its denominator is not public, so all three readings are given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

GATE_LIMIT = 0.90
"""Teaching counts as complete only strictly above this accuracy, on every part."""
GATE_PARTS = ("translation", "en_type0", "en_type1", "x_type0")


def failed_gates(accuracies: Mapping[str, float]) -> tuple[str, ...]:
    """Parts of the gate that are not strictly above 90 %; a part that was not measured has failed."""
    return tuple(part for part in GATE_PARTS if not accuracies.get(part, math.nan) > GATE_LIMIT)
