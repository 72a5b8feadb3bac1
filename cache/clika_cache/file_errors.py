"""What went wrong with a database file, in words that name the file and the cure."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from clika_cache.errors import Kind

_ROW_ERRORS = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)


def explained(error: BaseException, path: Path, waited_s: float) -> str:
    """What SQLite says of a file, with the cure; `waited_s` is how long a lock was waited for."""
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return (
            f"{path} is not a readable SQLite database ({text}); restore a copy, or recover it with "
            f"`sqlite3 FILE .recover`, or name another file with --db"
        )
    if "readonly" in text or "read-only" in text:
        return f"{path} cannot be written ({text}); make it writable, or name another file with --db"
    if "unable to open" in text:
        return f"cannot open {path}; check that its folder exists and that you may write there, or use --db"
    if "locked" in text:
        return f"{path} stayed locked for {waited_s:.0f} s by another program; close it and run again"
    if "full" in text:
        return f"the disk that holds {path} is full ({text}); free some space and run again"
    return f"{path}: {text}"


def kind_of(error: BaseException) -> Kind:
    """Whether an error is of one row, of a lock, of a full disk or of the whole file."""
    text = str(error)
    if isinstance(error, _ROW_ERRORS) or not isinstance(error, sqlite3.Error):
        return "row"
    if "locked" in text or "busy" in text:
        return "locked"
    return "full" if "full" in text else "file"
