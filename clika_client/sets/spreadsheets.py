"""Rows of the user's own files, JSONL, CSV or Parquet, as dictionaries with the place each came from."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.sets.jsonl import decode, read_bytes, read_jsonl

Place = str
"""Where a row stands, for messages: `line 7` or `row 7`."""


def read_rows(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """(place, row) for every row; raises UserError naming the file, the line and the cure."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path}: unknown kind of file; a probe set is a file ending in {', '.join(_READERS)}")
    return reader(path)


def _jsonl(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    return ((f"line {number}", row) for number, row in read_jsonl(path))


def _csv(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    text = decode(path, read_bytes(path))
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    start = 1
    try:
        for cells in reader:
            place, start = f"line {start}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(path, cells)
                continue
            if len(cells) != len(columns):
                raise UserError(
                    f"{path}, {place}: {len(cells)} cells under {len(columns)} columns; "
                    "put text that holds the separator between double quotes"
                )
            yield place, dict(zip(columns, cells, strict=True))
    except csv.Error as error:
        raise UserError(f"{path}, line {start}: not valid CSV ({error}); check its quotes") from None


def _columns(path: Path, cells: list[str]) -> list[str]:
    columns = [cell.strip() for cell in cells]
    twice = {column for column in columns if columns.count(column) > 1}
    if twice:
        raise UserError(f"{path}, line 1: column {sorted(twice)[0]!r} stands twice in the header; rename one")
    return columns


def _parquet(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{path}: reading Parquet needs pyarrow; install it with: pip install 'clika-client[parquet]'"
        ) from None
    read_bytes(path)
    try:
        file = pyarrow.parquet.ParquetFile(path)
        number = 0
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]}); write it again") from None


_READERS: dict[str, Callable[[Path], Iterator[tuple[Place, dict[str, Any]]]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
}
SUFFIXES = tuple(_READERS)
