"""The store of a dry run: it reads what is kept, and keeps nothing of what is only planned.

A cell that a dry run had left behind would stand in every later report as questions without a reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clika_client.sets.probes import ProbeSet
from clika_client.store.store import CellKey, Store
from clika_providers import Json


class DryStore(Store):
    """A Store whose sets, cells and runs are not written; row numbers and run ids mean nothing."""

    def add_set(self, probe_set: ProbeSet) -> int:
        """Keeps nothing."""
        return 0

    def add_cell(self, key: CellKey, labels: Sequence[str], keys: Mapping[int, bytes] | None = None) -> int:
        """Keeps nothing."""
        return 0

    def start_run(self, config: Mapping[str, Json]) -> str:
        """Keeps nothing."""
        return ""

    def add_run_cell(self, run_id: str, cell_id: int, positions: Sequence[int]) -> None:
        """Keeps nothing."""
