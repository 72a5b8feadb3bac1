"""Which column of a user's file is which part of a question: `--map question=q,choices=a|b|c,language==en`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clika_client.common.errors import UserError

PARTS = ("item_id", "language", "question", "choices", "gold", "tags")
OPTIONAL = ("tags", "fields", "cluster", "item_tags")


class Missing(Exception):
    """A row has no such column; the message names it, what the row has, and the cure."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one part comes from: columns, or one value for all rows."""

    columns: tuple[str, ...] = ()
    value: str | None = None


Mapped = Mapping[str, Source]


def parse_mapping(texts: Iterable[str]) -> Mapped:
    """The mapping that `--map` options describe; raises UserError for a part that does not exist."""
    mapped: dict[str, Source] = {}
    for text in texts:
        for pair in text.split(","):
            part, equals, source = (piece.strip() for piece in pair.partition("="))
            if not part or not equals or not source:
                raise UserError(f"--map {pair.strip()!r} is not PART=COLUMN, such as question=q or choices=a|b|c")
            if part not in PARTS:
                raise UserError(f"--map {pair.strip()!r}: no part {part!r}; the parts: {', '.join(PARTS)}")
            if part in mapped:
                raise UserError(f"--map names {part!r} twice; keep one")
            if source.startswith("="):
                mapped[part] = Source(value=source[1:])
            else:
                mapped[part] = Source(columns=tuple(column.strip() for column in source.split("|")))
    return mapped


def part_of(row: Mapping[str, Any], part: str, mapped: Mapped) -> Any:
    """The raw value of a part in a row: a dict for several tag columns, a list for several choice columns.

    Raises Missing for a column that the row lacks; optional parts are None then, unless they were mapped.
    """
    source = mapped.get(part)
    if source is None:
        if part in row:
            return row[part]
        source = Source(columns=(part,))
    if source.value is not None:
        return source.value
    absent = [column for column in source.columns if column not in row]
    if absent:
        if part in OPTIONAL and part not in mapped:
            return None
        what = f"no {absent[0]!r}" + ("" if absent[0] == part else f" for {part!r}")
        raise Missing(
            f"{what} in this row, which has: {', '.join(map(str, row))}; "
            f"name the column: clika sets add NAME FILE --map {part}=COLUMN"
        )
    if part == "tags" and part in mapped:
        return _tag_columns(row, source.columns)
    values = [row[column] for column in source.columns]
    return values if len(values) > 1 else values[0]


def _tag_columns(row: Mapping[str, Any], columns: tuple[str, ...]) -> Mapping[str, Any]:
    """A column that holds an object is the tags; any other becomes the tag of its name."""
    tags: dict[str, Any] = {}
    for column in columns:
        value = row[column]
        found = from_json_text(value) if isinstance(value, str) else value
        tags.update(found if isinstance(found, dict) else {column: value})
    return tags


def from_json_text(text: str) -> Any:
    """The list or object that a cell holds as JSON, else the text itself."""
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
