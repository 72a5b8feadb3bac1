"""A benchmark's rows, language by language and as often as wanted: the usual tables here, facts in `facts.py`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from clika_client.common.errors import UserError
from clika_client.common.wording import counted
from clika_client.sets.benchmarks.columns import NoColumn
from clika_client.sets.benchmarks.files import Files
from clika_client.sets.benchmarks.finish import FINISHERS
from clika_client.sets.benchmarks.table import Benchmark
from clika_client.sets.jsonl import decode, read_bytes
from clika_client.sets.spreadsheets import read_rows

Row = dict[str, Any]
NUMBER = "#"
"""The column of a row's number in its language, from 0."""


class BenchmarkReader(Protocol):
    """Reads all languages of a benchmark."""

    def rows(self, language: str) -> Iterator[tuple[str, Row]]:
        """(place for messages, row) in the files' order; the same each time."""
        ...


class TableReader:
    """Files that are tables of questions: JSONL, CSV, TSV or Parquet."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def rows(self, language: str) -> Iterator[tuple[str, Row]]:
        """Rows in the files' order, each with its number."""
        number = 0
        for file in self._files[language]:
            name = file.name
            for place, row in read_table(file):
                row[NUMBER] = number
                number += 1
                yield f"{name}, {place}", row


def read_table(file: Path) -> Iterator[tuple[str, Row]]:
    """(place, row) of one file; unlike a user's own file, a column without a name is kept as the column ``."""
    if file.suffix.lower() not in (".csv", ".tsv"):
        yield from read_rows(file)
        return
    rows = read_cells(file)
    _, header = next(rows, ("", []))
    for place, cells in rows:
        if len(cells) != len(header):
            raise UserError(
                f"{file}, {place}: {counted(len(cells), 'cell')} under "
                f"{counted(len(header), 'column')}; download it again"
            )
        yield place, dict(zip(header, cells, strict=True))


def read_cells(file: Path) -> Iterator[tuple[str, list[str]]]:
    """(place, cells) of a CSV or TSV file with its quoting; blank lines are skipped."""
    text = decode(file, read_bytes(file))
    delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
    # Lines end at \n or \r\n only: the texts may hold other characters that Python takes for line ends.
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=False)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield f"line {reader.line_num}", cells
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: not readable ({error}); download it again") from None


def _lines(text: str) -> Iterator[str]:
    return (line.removesuffix("\r") + "\n" for line in text.split("\n"))


class Finished:
    """Another reader's rows with the columns that the benchmark's finisher adds, after slips were mended."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._finish = FINISHERS[benchmark.finish] if benchmark.finish else None

    def row(self, row: Row, language: str, mended: Mapping[str, str]) -> Row:
        """The row as it is asked."""
        if mended:
            row = {**row, **mended}
        if self._finish is None:
            return row
        try:
            return self._finish(row, language)
        except KeyError as error:
            raise NoColumn(f"no column {error}; the row has: {', '.join(map(str, row))}") from None
