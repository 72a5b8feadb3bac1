"""One relation, or all, written to a file whose suffix says the format; whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from clika_client.common.errors import UserError
from clika_client.common.files import replacing
from clika_client.report.rows.columns import RELATIONS
from clika_client.report.rows.files import SUFFIXES, write_parquet, write_rows, write_text_rows
from clika_client.report.rows.rows import Row, item_rows, reply_rows, run_rows, score_rows
from clika_client.report.rows.shard import footer_of
from clika_client.report.rows.sqlite import write_sqlite
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.score import score_store
from clika_client.scoring.score_sets import Options
from clika_client.scoring.shard_footer import to_text
from clika_client.store.store import Store

SQLITE = (".sqlite", ".db")


def export(
    store: Store,
    path: Path,
    what: str = "replies",
    wanted: Wanted | None = None,
    options: Options | None = None,
    *,
    suffix: str | None = None,
) -> int:
    """Write `what` (replies, items, scores or runs) to a .parquet, .csv or .jsonl file, or all four to a .sqlite file.

    `suffix` says the format where the file's own is not to.
    Returns the number of rows (of replies in an SQLite file). Raises UserError for another suffix or relation, a place
    that cannot be written, or nothing to write.
    """
    suffix = suffix or path.suffix
    if suffix not in (*SUFFIXES, *SQLITE):
        raise UserError(f"cannot export to {path.name!r}: end it in {', '.join((*SUFFIXES, SQLITE[0]))}")
    if path.exists() and path.samefile(store.database.path):
        raise UserError(f"{path} is the database itself; export to another file")
    try:
        with replacing(path) as part:
            if suffix in SQLITE:
                return write_sqlite(store, wanted or Wanted(), score_store(store, wanted=wanted, options=options), part)
            rows = relation(store, what, wanted, options)
            if suffix == ".parquet" and what == "replies":  # they can be scored by themselves
                return write_parquet(part, RELATIONS[what], rows, footer=lambda: to_text(footer_of(store, wanted)))
            return write_rows(part, suffix, RELATIONS[checked(what)], rows)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another file") from error
    except sqlite3.Error as error:
        raise UserError(f"cannot write {path}: {error}") from error


def export_text(
    store: Store, file: IO[str], suffix: str, what: str, wanted: Wanted | None = None, options: Options | None = None
) -> int:
    """As `export`, to a stream: CSV or JSON lines."""
    return write_text_rows(file, suffix, RELATIONS[checked(what)], relation(store, what, wanted, options))


def relation(store: Store, what: str, wanted: Wanted | None = None, options: Options | None = None) -> Iterator[Row]:
    """The rows of one relation."""
    if checked(what) == "scores":
        return score_rows(score_store(store, wanted=wanted, options=options))
    if what == "runs":
        return run_rows(store)
    return item_rows(store, wanted) if what == "items" else reply_rows(store, wanted)


def checked(what: str) -> str:
    """The name of a relation; raises UserError for another."""
    if what not in RELATIONS:
        raise UserError(f"--what {what!r} is not one of {', '.join(RELATIONS)}")
    return what
