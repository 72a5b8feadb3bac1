"""Names that stand in a database, for a shell that completes a word: a few quick looks, without the store's machinery.

Everything else opens a file through `Store`, which takes numpy and may bring an older file up to date. A word being
typed must wait for neither, and must never make or change a file.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_PATIENCE_S = 0.2
"""A run that is writing does not keep readers waiting; whatever else holds the file is not waited for."""
_MOST = 500
"""More names than this help nobody who is choosing one."""

_ANSWERED = "model_id IN (SELECT m.id FROM models m WHERE EXISTS (SELECT 1 FROM completions k WHERE k.model_id = m.id))"
_QUERIES = {
    "models": "SELECT DISTINCT coalesce((SELECT name FROM shown_models s WHERE s.model_id = m.id), spec) FROM models m"
    f" WHERE id IN (SELECT model_id FROM cells WHERE {_ANSWERED})",
    "specs": "SELECT DISTINCT spec FROM models",
    "sets": f"SELECT DISTINCT name FROM sets WHERE id IN (SELECT set_id FROM cells WHERE {_ANSWERED})",
    "languages": f"SELECT DISTINCT language FROM cells WHERE {_ANSWERED}",
    "prompts": f"SELECT DISTINCT prompt FROM cells WHERE {_ANSWERED}",
    "sources": f"SELECT DISTINCT source FROM cells WHERE {_ANSWERED}",
    "judges": "SELECT DISTINCT 'judge:' || judge FROM judgements WHERE judge <> 'human'"
    " UNION SELECT DISTINCT judge FROM judgements WHERE judge = 'human'",
    "runs": "SELECT id FROM kept_runs UNION SELECT json_extract(config, '$.tag') FROM kept_runs",
    "batches": "SELECT CAST(id AS TEXT) FROM batches WHERE state IN ('sending', 'running')",
    "items": "SELECT DISTINCT item FROM questions WHERE item >= :start AND item < :start || char(1114111)",
    "tags": "SELECT DISTINCT j.key || CASE WHEN j.value = '' THEN '' ELSE '=' || j.value END"
    " FROM (SELECT DISTINCT tags FROM questions LIMIT 5000) q, json_each(q.tags) j",
}


def listed(path: Path, what: str, start: str = "") -> list[str]:
    """The names of one kind (a key of the table above) that begin so, sorted; empty for a file that cannot be read."""
    if not path.is_file():
        return []
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)) as connection:
            rows = connection.execute(
                f"WITH found(name) AS ({_QUERIES[what]}) SELECT name FROM found WHERE substr(name, 1, :length) = :start"
                f" ORDER BY name LIMIT {_MOST}",
                {"start": start, "length": len(start)},
            ).fetchall()
    except sqlite3.Error:
        return []  # another program's file, or one that an older version wrote: the next command says so
    return [str(name) for (name,) in rows if name]
