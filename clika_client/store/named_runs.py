"""Runs by their id or tag: found, named, and deleted with what only they asked; sets by their content."""

from __future__ import annotations

from clika_cache import canonical
from clika_client.common.errors import UserError
from clika_client.sets.probes import ProbeSet
from clika_client.store.schema import OF_CELLS
from clika_client.store.store import RunRow, Store


def find_run(store: Store, name: str) -> RunRow:
    """The run of an id, of the beginning of one, or of a tag; `last` is the newest. Raises UserError."""
    runs = store.runs()
    if not runs:
        raise UserError("there are no runs in this database; `clika run` makes one")
    if name == "last":
        return runs[-1]
    found = [run for run in runs if run.run_id == name] or [run for run in runs if run.config.get("tag") == name]
    found = found or [run for run in runs if run.run_id.startswith(name)]
    if len(found) != 1:
        listed = ", ".join(run.run_id for run in (found or runs)[-5:])
        what = f"{name!r} begins several runs" if found else f"there is no run {name!r}"
        raise UserError(f"{what}; `clika runs list` has all, among them {listed}")
    return found[0]


def stored_set(store: Store, digest: str) -> ProbeSet:
    """The stored probe set whose content has this digest, or one that begins so. Raises UserError."""
    sql = "SELECT id FROM sets WHERE substr(digest, 1, ?) = ?"
    found = store.database.connection.execute(sql, (len(digest), digest)).fetchall() if digest else []
    if len(found) != 1:
        what = "begins the digests of several sets" if found else "is the digest of no set"
        raise UserError(f"{digest!r} {what} in {store.database.path}; `clika runs show` names the sets of a run")
    return store.probe_set(int(found[0][0]))


def tag_run(store: Store, run: RunRow, tag: str | None) -> None:
    """Name a run, or take its name away. Raises UserError for a name that another run has."""
    if tag and any(other.config.get("tag") == tag for other in store.runs() if other.run_id != run.run_id):
        raise UserError(f"another run is tagged {tag!r}; take it away there first, or choose another name")
    config = {**run.config, "tag": tag} if tag else {name: v for name, v in run.config.items() if name != "tag"}
    with store.database.writing() as connection:
        connection.execute("UPDATE kept_runs SET config = ? WHERE id = ?", (canonical(config), run.run_id))


def delete_run(store: Store, run: RunRow, replies: bool) -> int:
    """Delete a run; with `replies` also those that no other run or import holds. Returns how many replies went.

    Raises UserError while a batch of it is with a vendor.
    """
    sql = "SELECT count(*) FROM batches WHERE run_id = ? AND state IN ('sending', 'running')"
    if store.database.connection.execute(sql, (run.run_id,)).fetchone()[0]:
        raise UserError(f"a batch of run {run.run_id} is with its vendor; collect it first (`clika batch collect`)")
    own = {cell.cell_id for cell in store.cells(run.run_id)}
    others = {
        cell_id for other in store.runs() if other.run_id != run.run_id for cell_id in store.run_positions(other.run_id)
    }
    alone = [cell for cell in store.cells(run.run_id) if cell.cell_id not in others] if replies else []
    kept = {
        cell.key_at(int(p))
        for cell in store.cells()
        if cell.cell_id not in {c.cell_id for c in alone}
        for p in cell.asked()
    }
    keys = {cell.key_at(int(p)) for cell in alone for p in cell.asked()} - kept
    with store.database.writing() as connection:
        gone = connection.executemany("DELETE FROM completions WHERE key = ?", [(key,) for key in keys]).rowcount
        connection.executemany("DELETE FROM replaced WHERE key = ?", [(key,) for key in keys])
        for table, column in OF_CELLS:
            connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(cell.cell_id,) for cell in alone])
        connection.execute("DELETE FROM run_cells WHERE run_id = ?", (run.run_id,))
        connection.execute("DELETE FROM batches WHERE run_id = ?", (run.run_id,))
        connection.execute("DELETE FROM kept_runs WHERE id = ?", (run.run_id,))
        connection.execute("UPDATE generation SET value = value + 1")
    return max(gone, 0) if own else 0
