"""Imports replies from the user's own JSONL, CSV or Parquet, with a mapping from parts to columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical
from clika_client.importers.common import ImportReport
from clika_client.importers.finish import finish_of
from clika_client.importers.foreign import ForeignReply, gold_readings
from clika_client.importers.reply_column import reply_column
from clika_client.sets.mapping import (
    GOLDS,
    ColumnSource,
    Mapped,
    column_of,
    from_json_text,
    has_column,
    joined,
    parse_mapping,
)
from clika_client.sets.spreadsheets import read_rows
from clika_client.sets.user_cells import by_label
from clika_providers import Message
from clika_providers.types import Role

PARTS = (
    "item_id",
    "language",
    "model",
    "text",
    "set",
    "prompt",
    "input",
    "finish",
    "repeat",
    "question",
    "choices",
    *GOLDS,
    "cluster",
)
"""Parts a row can have; `item_id`, `language`, `model` and `text` it must."""
GOLD_NAMES = ("gold", "label", "answerKey", "correct_answer", "target", "answer")
_USUAL = {
    "item_id": ("item_id", "id", "uuid", "question_id", "sample_id", "example_id", "ind", "idx"),
    "language": ("language", "lang", "locale"),
    "model": ("model", "model_id", "model_name"),
    "input": ("input", "messages", "prompt"),
    # The name of a way of asking, which no column of that name can be trusted to hold.
    "prompt": (),
    "gold": GOLD_NAMES,
    "finish": ("finish", "finish_reason", "stop_reason"),
}
"""Names under which a part is found without a mapping."""
_LOOKED_AT = 1000
"""Rows from which the columns of a file are learnt."""


def read_table(
    path: Path, mapping: Sequence[str], defaults: Mapping[str, str], report: ImportReport
) -> Iterator[ForeignReply]:
    """Replies of one file. `defaults` gives parts that no column holds (`model`, `language`, `set`, `prompt`).

    Which column is which part is settled once for the file. Raises UserError for a file that cannot be read, lacks a
    necessary column, or leaves open which column is the reply; single bad rows are counted.
    """
    rows = read_rows(path)
    head = list(islice(rows, _LOOKED_AT))
    columns = list(dict.fromkeys(str(column) for _, row in head for column in row))
    chosen = _chosen(f"{path}, {head[0][0]}" if head else str(path), columns, parse_mapping(mapping, PARTS), defaults)
    for part in ("text", *GOLDS):
        if part in chosen and chosen[part].columns:
            report.columns["reply" if part == "text" else "right choice"] = "|".join(chosen[part].columns)
    golds = _Golds()
    for place, row in chain(head, rows):
        where = f"{path}, {place}"
        parts = {part: _part(row, chosen[part]) if part in chosen else defaults.get(part) for part in PARTS}
        if isinstance(parts["item_id"], list):
            parts["item_id"] = joined(parts["item_id"])
        absent = [part for part in ("item_id", "language", "model") if parts[part] is None]
        if absent:
            report.skip_row(f"no {absent[0]}", where)
            continue
        reply = _reply(where, path, parts, golds, report)
        if reply is not None:
            yield reply
    golds.check(path)


def _chosen(where: str, columns: Sequence[str], mapped: Mapped, defaults: Mapping[str, str]) -> dict[str, ColumnSource]:
    """Part → where it comes from; raises UserError when a necessary part, or which one is the reply, is not known."""
    chosen = dict(mapped)
    for part in ("item_id", "language", "model"):
        if part not in chosen and part not in defaults and not set(_USUAL[part]) & set(columns):
            raise UserError(_no_column(where, part, columns))
    if "text" not in chosen:
        found = reply_column(where, columns, mapped, GOLD_NAMES)
        if found is None:
            raise UserError(_no_column(where, "text", columns))
        chosen["text"] = ColumnSource((found,))
    taken = {column for source in chosen.values() for column in source.columns}
    for part in PARTS:
        named = part in chosen or part in defaults or (part in GOLDS and any(gold in chosen for gold in GOLDS))
        usual = [column for column in _USUAL.get(part, (part,)) if column in columns and column not in taken]
        if not named and usual:
            chosen[part] = ColumnSource((usual[0],))
    return chosen


def _no_column(where: str, part: str, columns: Sequence[str]) -> str:
    return (
        f"{where}: no column for {part!r} among {', '.join(columns)}; "
        f"name it with --map {part}=COLUMN, or give one value for all with --map {part}==VALUE"
    )


@dataclass(slots=True)
class _Golds:
    """Whether the right choices of a file, given as numbers, can count from 0."""

    numbers: set[int] = field(default_factory=set)
    items: set[str] = field(default_factory=set)
    """Ids of the questions that have them; two are enough."""

    def note(self, number: int, item_id: str) -> None:
        """A right choice that was given as a number."""
        self.numbers.add(number)
        if len(self.items) < 2:
            self.items.add(item_id)

    def check(self, path: Path) -> None:
        """Raise UserError when none is 0; a single question is taken at its word."""
        if len(self.items) > 1 and 0 not in self.numbers:
            raise UserError(
                f"{path}: no right choice is number 0, so they seem to count from 1; "
                "say --map gold1=COLUMN if they do, or --map gold0=COLUMN if they count from 0 (or name the column so)"
            )


def _reply(
    where: str, path: Path, parts: Mapping[str, Any], golds: _Golds, report: ImportReport
) -> ForeignReply | None:
    try:
        language = canonical(str(parts["language"]))
    except UserError:
        report.skip_row("not a language tag", where)
        return None
    choices, labels = _choices(parts["choices"])
    part = next((part for part in GOLDS if parts[part] is not None), "gold")
    gold, counted = _gold(parts[part], part, choices, labels) if choices else (None, None)
    if counted is not None:
        golds.note(counted, str(parts["item_id"]))
    if choices and parts[part] is not None and gold is None:
        report.skip_row("gold names no choice", where)
        return None
    repeat = str(parts["repeat"] or 0)
    return ForeignReply(
        where=where,
        file=str(path),
        model=str(parts["model"]),
        language=language,
        ids={"item_id": str(parts["item_id"])},
        text=_said(parts["text"], path, choices),
        set=str(parts["set"] or path.stem),
        messages=messages_of(parts["input"]),
        finish=finish_of(parts["finish"]),
        repeat=int(repeat) if repeat.isdecimal() else 0,
        prompt=str(parts["prompt"] or "as-logged"),
        question=None if parts["question"] is None else str(parts["question"]),
        choices=choices,
        gold=gold,
        cluster=None if _is_null(parts["cluster"]) else str(parts["cluster"]),
    )


_NULLS = frozenset({"", "nan", "none", "null", "<na>"})
"""How a missing value is spelt in a table that has texts only."""


def _said(value: Any, path: Path, choices: Sequence[str]) -> str | None:
    """The reply as text; None where there is none, which a CSV can only say by an empty cell or a word for it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = next((value[name] for name in ("text", "content") if isinstance(value.get(name), str)), value)
    if _is_null(value):
        return None
    text = str(value)
    null = path.suffix.lower() in (".csv", ".tsv") and text.strip().lower() in _NULLS
    return None if null and text.strip() not in choices else text


def _is_null(value: object) -> bool:
    """A request without a reply, as JSON, Parquet and pandas write it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _gold(value: Any, part: str, choices: Sequence[str], labels: Sequence[str]) -> tuple[int | None, int | None]:
    """(index of the right choice, the number it was given as where that may count from 0 or from 1)."""
    value = _number(value)
    number = int(value) if str(value).strip().isdecimal() else None
    if part != "gold":
        base = 1 if part == "gold1" else 0
        return (number - base if number is not None and base <= number < len(choices) + base else None), None
    readings = gold_readings(value, choices, labels)
    counted = number if "text" not in readings and not labels else None
    return next(iter(readings.values()), None), counted


def messages_of(value: Any) -> tuple[Message, ...]:
    """A prompt as messages: a text is one user turn; a list holds objects with role and content."""
    if isinstance(value, str):
        value = from_json_text(value)
    if isinstance(value, str):
        return (Message("user", value),)
    if not isinstance(value, list):
        return ()
    turns = []
    for turn in value:
        if isinstance(turn, dict) and turn.get("role") in ("system", "developer", "user", "assistant"):
            role: Role = "system" if turn["role"] == "developer" else turn["role"]
            turns.append(Message(role, _content(turn.get("content"))))
    return tuple(turns)


def _content(value: Any) -> str:
    if isinstance(value, list):
        return "".join(str(part.get("text", "")) for part in value if isinstance(part, dict))
    return "" if value is None else str(value)


def _part(row: Mapping[str, Any], source: ColumnSource) -> Any:
    if source.value is not None:
        return source.value
    values = [column_of(row, column) if has_column(row, column) else None for column in source.columns]
    return values[0] if len(values) == 1 else values


def _choices(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(texts, labels) of the choices; labels only where the file has them."""
    if isinstance(value, str):
        found = from_json_text(value)
        value = [piece.strip() for piece in value.split("|")] if isinstance(found, str) else found
    labels: Any = ()
    if isinstance(value, dict) and "text" not in value:
        value, labels = by_label(value)
    elif isinstance(value, dict):
        value, labels = value.get("text"), value.get("label") or ()
    if not isinstance(value, list):
        return (), ()
    if value and all(isinstance(each, dict) and "text" in each for each in value):
        labels = [each["label"] for each in value if "label" in each]
        value = [each["text"] for each in value]
    return tuple(str(choice) for choice in value), tuple(map(str, labels)) if len(labels) == len(value) else ()


def _number(value: Any) -> Any:
    """Parquet and JSON may hold whole numbers as floats, and tables as texts like 1.0."""
    if isinstance(value, str) and value.strip().endswith(".0"):
        value = value.strip()[:-2]
    return int(value) if isinstance(value, float) and value.is_integer() else value
