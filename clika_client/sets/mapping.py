"""Which column of a user's file is which part of a question: `--map question=q,choices=a|b|c,language==en`."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clika_client.common.errors import UserError

GOLDS = ("gold", "gold0", "gold1")
"""The right choice: `gold` in any form, `gold0` and `gold1` as a number that counts from 0 or from 1."""
PARTS = (
    "item_id", "language", "context", "question", "choices", *GOLDS, "answers", "answer_kind", "tags", "fields",
    "cluster", "reserved",
)  # fmt: skip
OPTIONAL = ("context", "tags", "fields", "cluster", "item_tags", "answers", "answer_kind", "reserved", *GOLDS)
# numpy prints an array of texts without commas: ['a' 'b']. As Python that would be one text.
_NUMPY = re.compile(r"""(['"])\s+(['"])""")


class Missing(Exception):
    """A row has no such column; the message names it, what the row has, and the cure."""

    def __init__(self, absent: Sequence[tuple[str, str]], row: Mapping[str, Any]) -> None:
        self.absent = tuple(absent)
        """(column, part) of each that is not there."""
        named = [f"no {column!r}" + ("" if column == part else f" for {part!r}") for column, part in absent]
        parts = dict.fromkeys(part for _, part in absent)
        super().__init__(
            f"{', '.join(named)} in this row, which has: {', '.join(map(str, row))}; name the "
            f"column{'s' if len(parts) > 1 else ''}: "
            f"clika sets add NAME FILE --map {','.join(f'{part}=COLUMN' for part in parts)}"
        )


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """Where one part comes from: columns, or one value for all rows."""

    columns: tuple[str, ...] = ()
    value: str | None = None


Mapped = Mapping[str, ColumnSource]


def parse_mapping(texts: Iterable[str], parts: Sequence[str] = PARTS) -> Mapped:
    """The mapping that `--map` options describe; raises UserError for a part that does not exist."""
    mapped: dict[str, ColumnSource] = {}
    for pair in (pair.strip() for text in texts for pair in text.split(",")):
        part, equals, source = (piece.strip() for piece in pair.partition("="))
        if not part or not equals or not source:
            raise UserError(f"--map {pair!r} is not PART=COLUMN, such as question=q or choices=a|b|c")
        if part not in parts:
            raise UserError(f"--map {pair!r}: no part {part!r}; the parts: {', '.join(parts)}")
        if part in mapped:
            raise UserError(f"--map names {part!r} twice; keep one")
        if source.startswith("="):
            mapped[part] = ColumnSource(value=source[1:])
        else:
            mapped[part] = ColumnSource(columns=tuple(column.strip() for column in source.split("|")))
    golds = [part for part in GOLDS if part in mapped]
    if len(golds) > 1:
        raise UserError(f"--map names the right choice twice, as {' and '.join(golds)}; keep one")
    return mapped


def part_of(row: Mapping[str, Any], part: str, mapped: Mapped) -> Any:
    """The raw value of a part in a row: a dict for several tag columns, a list for several choice columns.

    A column may be a path into objects, such as `question.stem`. Several columns of an id, a question or its context
    are joined. Raises Missing for a column that the row lacks; optional parts are None then, unless they were mapped.
    """
    source = mapped.get(part)
    if source is None:
        if part in row:
            return row[part]
        if part in OPTIONAL:
            return None
        source = ColumnSource(columns=(part,))
    if source.value is not None:
        return source.value
    absent = [column for column in source.columns if not has_column(row, column)]
    if absent:
        raise Missing([(column, part) for column in absent], row)
    if part in ("tags", "fields") and part in mapped:
        return _named_columns(row, source.columns)
    values = [column_of(row, column) for column in source.columns]
    if len(values) == 1:
        return values[0]
    if part == "item_id":
        return joined(values)
    return "\n".join(map(str, values)) if part in ("context", "question") and all(map(_filled, values)) else values


def gold_part(row: Mapping[str, Any], mapped: Mapped) -> tuple[str, Any]:
    """(part, value) of the right choice, under whichever of its names the row or the mapping has it."""
    named = [part for part in GOLDS if part in mapped] or [part for part in reversed(GOLDS) if part in row]
    if not named:
        raise Missing([("gold", "gold")], row)
    return named[0], part_of(row, named[0], mapped)


def all_missing(row: Mapping[str, Any], mapped: Mapped, parts: Sequence[str]) -> Missing | None:
    """Every column of these parts that a row lacks, in one message; None where it has them all."""
    absent: list[tuple[str, str]] = []
    for part in parts:
        try:
            gold_part(row, mapped) if part == "gold" else part_of(row, part, mapped)
        except Missing as missing:
            absent += missing.absent
    return Missing(absent, row) if absent else None


def has_column(row: Mapping[str, Any], column: str) -> bool:
    """Whether a row has a column, or the path into objects that the name describes."""
    try:
        column_of(row, column)
    except KeyError:
        return False
    return True


def column_of(row: Mapping[str, Any], column: str) -> Any:
    """A column's value, `question.stem` being `stem` inside `question`; raises KeyError."""
    if column in row:
        return row[column]
    head, dot, rest = column.partition(".")
    inner = row[head]
    if isinstance(inner, str):
        inner = from_json_text(inner)
    if not dot or not isinstance(inner, dict):
        raise KeyError(column)
    return column_of(inner, rest)


def joined(values: Sequence[Any]) -> str | None:
    """One id from several; the separator is escaped in them, so that two ids never become one. None for a gap."""
    if not all(map(_filled, values)):
        return None
    if len(values) == 1:
        return str(values[0])
    return "|".join(str(value).replace("\\", "\\\\").replace("|", "\\|") for value in values)


def _filled(value: object) -> bool:
    return value is not None and bool(str(value).strip())


def _named_columns(row: Mapping[str, Any], columns: tuple[str, ...]) -> Mapping[str, Any]:
    """A column that holds an object is the tags; any other becomes the tag of its name."""
    tags: dict[str, Any] = {}
    for column in columns:
        value = column_of(row, column)
        found = from_json_text(value) if isinstance(value, str) else value
        tags.update(found if isinstance(found, dict) else {column: value})
    return tags


def from_json_text(text: str) -> Any:
    """The list or object that a cell holds as JSON or, as pandas writes them, in Python's spelling; else the text."""
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if _NUMPY.search(text):
        return text
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
    return found if isinstance(found, list | dict) else text
