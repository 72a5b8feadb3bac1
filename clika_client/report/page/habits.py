"""Position bias and missing answers of one row over its languages."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from clika_client.report.table_layout import TableRow

_REASONS = 3


@dataclass(frozen=True, slots=True)
class Habits:
    """Means over the languages, the worst of them, and why replies name no option."""

    bias: float
    bias_worst: float
    bias_where: str
    silent: float
    silent_worst: float
    silent_where: str
    reasons: str
    flags: str


def habits(row: TableRow) -> Habits:
    """One line of the table."""
    bias = {tag: cell.position_bias for tag, cell in row.cells.items() if cell.position_bias == cell.position_bias}
    silent = {tag: cell.no_answer_rate for tag, cell in row.cells.items() if cell.no_answer_rate == cell.no_answer_rate}
    reasons: Counter[str] = Counter()
    for cell in row.cells.values():
        reasons.update(cell.no_answer)
    flagged = [f"{tag} {', '.join(cell.flags)}" for tag, cell in row.cells.items() if cell.flags]
    listed = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common(_REASONS))
    return Habits(*_mean_and_worst(bias), *_mean_and_worst(silent), listed or "–", "; ".join(flagged))


def _mean_and_worst(values: dict[str, float]) -> tuple[float, float, str]:
    if not values:
        return math.nan, math.nan, ""
    worst = max(values, key=lambda tag: values[tag])
    return sum(values.values()) / len(values), values[worst], worst if values[worst] > 0 else ""
