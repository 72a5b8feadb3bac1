"""The probe sets of a run by their names: those of the catalogue, files, and what the database itself holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clika_client.asking.config import STORED
from clika_client.common.errors import UserError
from clika_client.sets.catalogue import resolve
from clika_client.sets.probes import ProbeSet
from clika_client.store.named_runs import stored_set
from clika_client.store.store import Store


def find_set(
    name: str, db: Path, *, mapping: Sequence[str] = (), reference: float | None = None, k: int | None = None
) -> ProbeSet:
    """The set of a name; `stored:DIGEST` is one that was asked before, as it was. Raises UserError, CacheError."""
    if not name.startswith(STORED):
        return resolve(name, mapping=mapping, reference=reference, k=k)
    if not db.is_file():
        raise UserError(f"{name}: there is no database {db} that could hold it; name it with --db")
    with Store(db, read_only=True) as store:
        return stored_set(store, name.removeprefix(STORED))
