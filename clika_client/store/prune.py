"""Removes what never answered: cells without any reply, and the sets, runs and models that only they named."""

from __future__ import annotations

from clika_client.store.schema import OF_CELLS
from clika_client.store.store import Store

_LEFT_OVER = (
    "DELETE FROM set_blocks WHERE set_id NOT IN (SELECT set_id FROM cells)",
    "DELETE FROM questions WHERE set_id NOT IN (SELECT set_id FROM cells)",
    "DELETE FROM set_languages WHERE set_id NOT IN (SELECT set_id FROM cells)",
    "DELETE FROM sets WHERE id NOT IN (SELECT set_id FROM cells)",
    "DELETE FROM kept_runs WHERE finished_at IS NOT NULL AND id NOT IN (SELECT run_id FROM run_cells)"
    " AND id NOT IN (SELECT run_id FROM batches)",
    "DELETE FROM models WHERE id NOT IN (SELECT model_id FROM cells) AND id NOT IN (SELECT model_id FROM completions)"
    " AND id NOT IN (SELECT model_id FROM attempts) AND id NOT IN (SELECT model_id FROM batches)",
)


def prune_unanswered(store: Store, model: str | None = None) -> int:
    """Delete the cells that have no reply, of one model or of all, and what only they named; returns how many.

    Cells whose batch is with a vendor stay: their replies may still come.
    """
    cells = [cell for cell in store.cells() if model is None or cell.key.model == model]
    answered = store.answered(cells)
    waiting = "SELECT cell_id FROM run_cells WHERE run_id IN (SELECT run_id FROM batches WHERE state <> 'collected')"
    with store.database.writing() as connection:
        kept = {row[0] for row in connection.execute(waiting)}
        silent = [(cell.cell_id,) for cell in cells if cell.cell_id not in answered and cell.cell_id not in kept]
        for table, column in OF_CELLS:
            connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", silent)
        for statement in _LEFT_OVER:
            connection.execute(statement)
    return len(silent)
