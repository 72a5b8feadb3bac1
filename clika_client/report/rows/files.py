"""Rows as Parquet, CSV or JSON lines: streamed, and with the types that `columns` gives."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from clika_client.common.errors import UserError
from clika_client.common.safe_text import json_shown
from clika_client.report.rows.columns import Column
from clika_client.report.rows.rows import Row
from clika_client.report.scores_csv import safe_cell
from clika_client.scoring.shard_footer import NAME
from clika_providers.install import install_hint

SUFFIXES = (".parquet", ".csv", ".jsonl")
_AT_ONCE = 20_000


def write_rows(path: Path, suffix: str, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    """Write a file in the format of a suffix; returns the number of rows.

    Raises UserError where Parquet is wanted and pyarrow is not installed, OSError.
    """
    if suffix == ".parquet":
        return write_parquet(path, columns, rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        return write_text_rows(file, suffix, columns, rows)


def write_text_rows(file: IO[str], suffix: str, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    """Write CSV (lists, maps as JSON; a text that a spreadsheet would run gets a quote before it) or JSON lines."""
    count = 0
    if suffix == ".csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([c.name for c in columns])
        for row in rows:
            writer.writerow([_csv(row[c.name]) for c in columns])
            count += 1
        return count
    for row in rows:
        values = {c.name: _json(row[c.name]) for c in columns}
        file.write(json_shown(json.dumps(values, ensure_ascii=False, allow_nan=False)) + "\n")
        count += 1
    return count


def _csv(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list | tuple | Mapping):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return safe_cell(_encodable(_json(value)))


def _json(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else _encodable(value)


def _encodable(value: Any) -> Any:
    """Text from replies may hold half of a surrogate pair, which no file takes."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


def write_parquet(
    path: Path, columns: Sequence[Column], rows: Iterable[Row], footer: Callable[[], str] | None = None
) -> int:
    """Write a Parquet file, `footer` into its metadata once the rows are there; returns the number of rows."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(f"Parquet needs pyarrow: {install_hint('parquet')}") from None
    schema = pa.schema([pa.field(c.name, _arrow(c)) for c in columns])
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            arrays = [
                pa.array([_arrow_value(c, row[c.name]) for row in batch], f.type)
                for c, f in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.table(arrays, schema=schema))
            count += len(batch)
        if footer is not None:
            writer.add_key_value_metadata({NAME: footer()})
    return count


def _arrow(column: Column) -> Any:
    import pyarrow as pa

    return {
        "text": pa.string(),
        "int": pa.int64(),
        "real": pa.float64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "texts": pa.list_(pa.string()),
        "reals": pa.list_(pa.float64()),
        "map": pa.map_(pa.string(), pa.string()),
    }[column.kind]


def _arrow_value(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.kind == "map":
        return [(str(name), str(entry)) for name, entry in value.items()]
    if column.kind == "texts":
        return [_encodable(entry) for entry in value]
    return _encodable(value)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _AT_ONCE)):
        yield batch
