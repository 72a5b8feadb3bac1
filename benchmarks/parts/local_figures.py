"""What `local.py` measured of one model on one set of prompts, as a table and as a line of JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one set of prompts; rates in prompts per CPU second."""

    model: str
    prompts: str
    tokens: float
    shared: float
    loop: float
    sorted_loop: float
    ours: float
    same_answers: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is than the loop in the set's own order."""
        return self.ours / self.loop

    @property
    def ratio_sorted(self) -> float:
        """How many times faster ours is than the loop over sorted prompts."""
        return self.ours / self.sorted_loop


def show(rows: Sequence[Row], memory: dict[str, tuple[float, float]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="prompts per CPU second, higher is better")
    for column in ("model", "prompts", "tokens", "shared", "loop", "sorted loop", "ours", "×", "× sorted", "same"):
        table.add_column(column, justify="left" if column in ("model", "prompts") else "right")
    for r in rows:
        speeds = [f"{value:.2f}" for value in (r.loop, r.sorted_loop, r.ours)]
        ratios = [f"{r.ratio:.2f}", f"{r.ratio_sorted:.2f}"]
        table.add_row(
            r.model, r.prompts, f"{r.tokens:.0f}", f"{r.shared:.0%}", *speeds, *ratios, f"{r.same_answers:.0%}"
        )
    console = Console(width=140)
    console.print(table)
    for model, (load, ours) in memory.items():
        console.print(
            f"peak memory, {model}: loading alone {load:.0f} MB, ours answering {ours:.0f} MB ({ours / load:.2f})"
        )


def summary(rows: Sequence[Row], memory: dict[str, tuple[float, float]], quick: bool, threads: int) -> dict[str, Any]:
    def least(share: str, of: Callable[[Row], float]) -> float | None:
        found = [of(row) for row in rows if share in row.prompts]
        return round(min(found), 2) if found else None

    return {
        "quick": quick,
        "threads": threads,
        "ratio_60": least("60%", lambda row: row.ratio),
        "ratio_84": least("84%", lambda row: row.ratio),
        "ratio_60_sorted": least("60%", lambda row: row.ratio_sorted),
        "ratio_84_sorted": least("84%", lambda row: row.ratio_sorted),
        "least_ratio": round(min(min(row.ratio, row.ratio_sorted) for row in rows), 2),
        "memory_ratio": round(max(ours / load for load, ours in memory.values()), 3),
        "rows": [{**asdict(row), "ratio": row.ratio, "ratio_sorted": row.ratio_sorted} for row in rows],
        "memory_mb": memory,
    }
