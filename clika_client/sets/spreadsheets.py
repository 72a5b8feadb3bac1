"""Rows of the user's own files, JSONL, JSON, CSV or Parquet, as dictionaries with the place each came from."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.wording import counted
from clika_client.sets.jsonl import decode, first_character, read_bytes, read_jsonl
from clika_providers.install import install_hint

Place = str
"""Where a row stands, for messages: `line 7` or `row 7`."""


def read_rows(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """(place, row) for every row; raises UserError naming the file, the line and the cure."""
    reader = _READERS.get(path.suffix.lower())
    if path.is_dir():
        raise UserError(
            f"{path} is a folder; name its files, one for each language: clika sets add NAME {path}/*.jsonl. A public "
            "benchmark's: clika sets add BENCHMARK FOLDER (see `clika sets list`)"
        )
    if reader is None:
        raise UserError(f"{path}: unknown kind of file; a probe set is a file ending in {', '.join(_READERS)}")
    return reader(path)


def _jsonl(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    if first_character(path) == b"[":
        return _array(path)
    return ((f"line {number}", row) for number, row in read_jsonl(path))


def _array(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """A JSON file that holds one list of objects, as pandas' `to_json(orient="records")` writes it."""
    text = decode(path, read_bytes(path))
    cure = (
        "write a list of objects (pandas: orient='records'), or one object per line, without brackets around them all"
    )
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise UserError(f"{path}, line {line}: not valid JSON ({error}); {cure}") from None
    if not isinstance(rows, list):
        raise UserError(f"{path}: a list of objects is needed, got one object; {cure}")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UserError(f"{path}, object {number}: a JSON object is needed; {cure}")
        yield f"object {number}", row


def _csv(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    text = decode(path, read_bytes(path))
    told = _SEPARATOR.match(text)
    body = text[told.end() :] if told else text
    header = body.partition("\n")[0]
    delimiter = told[1] if told else max(",;\t", key=header.count)
    before = text.count("\n", 0, len(text) - len(body))
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    start = before + 1
    try:
        for cells in reader:
            place, start = f"line {start}", before + reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(path, cells, before + 1)
                continue
            while len(cells) > len(columns) and not cells[-1].strip():
                cells.pop()
            if len(cells) != len(columns):
                raise UserError(
                    f"{path}, {place}: {counted(len(cells), 'cell')} under {counted(len(columns), 'column')}; "
                    "put text that holds the separator between double quotes"
                )
            row = zip(columns, cells, strict=True)
            yield place, {name: cell for name, cell in row if cell.strip() or not _UNNAMED.fullmatch(name)}
    except csv.Error as error:
        raise UserError(f"{path}, line {start}: not valid CSV ({error}); check its quotes") from None


_SEPARATOR = re.compile(r"\"?sep=(.)\"?\r?\n", re.IGNORECASE)
"""The line that Excel reads and writes above a table to name its separator."""
_UNNAMED = re.compile(r"column [0-9]+")


def _columns(path: Path, cells: list[str], line: int) -> list[str]:
    """The names of the columns; one without a name is called after its place, `column 1`."""
    columns = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, 1)]
    twice = {column for column in columns if columns.count(column) > 1}
    if twice:
        raise UserError(f"{path}, line {line}: column {sorted(twice)[0]!r} stands twice in the header; rename one")
    return columns


def _parquet(path: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(f"{path}: reading Parquet needs pyarrow; install it with: {install_hint('parquet')}") from None
    read_bytes(path)
    try:
        file = pyarrow.parquet.ParquetFile(path)
        number = 0
        names = file.schema_arrow.names
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, use_threads=False):
            # Column by column is several times as fast as row by row.
            for cells in zip(*map(_cells, batch.columns), strict=True):
                number += 1
                yield f"row {number}", dict(zip(names, cells, strict=True))
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]}); write it again") from None


def _cells(column: Any) -> list[Any]:
    """A column's values; texts by way of numpy, which makes them several times as fast."""
    if str(column.type) in ("string", "large_string"):
        return list(column.to_numpy(zero_copy_only=False))
    return list(column.to_pylist())


_ROWS_AT_ONCE = 1_024
"""And in one thread: several, with larger pieces, hold some fifty megabytes more."""
_READERS: dict[str, Callable[[Path], Iterator[tuple[Place, dict[str, Any]]]]] = {
    ".jsonl": _jsonl,
    ".json": _array,
    ".ndjson": _jsonl,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
}
SUFFIXES = tuple(_READERS)
