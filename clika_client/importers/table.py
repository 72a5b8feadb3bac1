"""Imports replies from the user's own JSONL, CSV or Parquet, with a mapping from parts to columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical
from clika_client.importers.common import ImportReport
from clika_client.importers.foreign import ForeignReply, gold_index
from clika_client.sets.mapping import from_json_text
from clika_client.sets.spreadsheets import read_rows
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
    "gold",
)
"""Parts a row can have; `item_id`, `language`, `model` and `text` it must."""
_USUAL = {
    "text": ("text", "response", "res", "reply", "completion", "output", "answer"),
    "item_id": ("item_id", "id", "uuid", "question_id"),
    "language": ("language", "lang", "locale"),
    "model": ("model", "model_id", "model_name"),
    "input": ("input", "messages", "prompt"),
    # The name of a way of asking, which no column of that name can be trusted to hold.
    "prompt": (),
    "gold": ("gold", "label", "answerKey"),
    "finish": ("finish", "finish_reason", "stop_reason"),
}
"""Names under which a part is found without a mapping."""

Mapping_ = Mapping[str, tuple[str, bool]]


def parse_mapping(texts: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """part → (column, or value with True) from `--map item_id=qid,language==de`; raises UserError for others."""
    mapped: dict[str, tuple[str, bool]] = {}
    for pair in (pair for text in texts for pair in text.split(",") if pair.strip()):
        part, equals, source = (piece.strip() for piece in pair.partition("="))
        constant = source.startswith("=")
        source = source[1:] if constant else source
        if not equals or not source:
            raise UserError(f"--map {pair.strip()!r} is not PART=COLUMN (or PART==VALUE)")
        if part not in PARTS:
            raise UserError(f"--map {pair.strip()!r}: no part {part!r}; the parts: {', '.join(PARTS)}")
        mapped[part] = (source, constant)
    return mapped


def read_table(
    path: Path, mapping: Sequence[str], defaults: Mapping[str, str], report: ImportReport
) -> Iterator[ForeignReply]:
    """Replies of one file. `defaults` gives parts that no column holds (`model`, `language`, `set`, `prompt`).

    Raises UserError for a file that cannot be read or lacks a necessary column; single bad rows are counted.
    """
    mapped = parse_mapping(mapping)
    found = 0
    for place, row in read_rows(path):
        where = f"{path}, {place}"
        parts = {part: _part(row, part, mapped, defaults) for part in PARTS}
        absent = [part for part in ("item_id", "language", "model", "text") if parts[part] is None]
        if absent:
            if not found and not _has_column(row, absent[0], mapped):
                raise UserError(
                    f"{where}: no column for {absent[0]!r} among {', '.join(map(str, row))}; "
                    f"name it with --map {absent[0]}=COLUMN, or give one value for all with --map {absent[0]}==VALUE"
                )
            report.skip_row(f"no {absent[0]}", where)
            continue
        found += 1
        reply = _reply(where, parts, report, path.stem)
        if reply is not None:
            yield reply


def _reply(where: str, parts: Mapping[str, Any], report: ImportReport, default_set: str) -> ForeignReply | None:
    try:
        language = canonical(str(parts["language"]))
    except UserError:
        report.skip_row("not a language tag", where)
        return None
    choices = _choices(parts["choices"])
    gold = None if parts["gold"] is None or not choices else gold_index(_number(parts["gold"]), choices)
    if choices and parts["gold"] is not None and gold is None:
        report.skip_row("gold names no choice", where)
        return None
    repeat = str(parts["repeat"] or 0)
    return ForeignReply(
        where=where,
        model=str(parts["model"]),
        language=language,
        item_id=str(parts["item_id"]),
        text=str(parts["text"]),
        set=str(parts["set"] or default_set),
        messages=messages_of(parts["input"]),
        finish=None if not parts["finish"] else str(parts["finish"]),
        repeat=int(repeat) if repeat.isdecimal() else 0,
        prompt=str(parts["prompt"] or "as-logged"),
        question=None if parts["question"] is None else str(parts["question"]),
        choices=choices,
        gold=gold,
    )


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


def _part(row: Mapping[str, Any], part: str, mapped: Mapping_, defaults: Mapping[str, str]) -> Any:
    if part in mapped:
        source, constant = mapped[part]
        return source if constant else row.get(source)
    for column in _USUAL.get(part, (part,)):
        if row.get(column) is not None:
            return row[column]
    return defaults.get(part)


def _has_column(row: Mapping[str, Any], part: str, mapped: Mapping_) -> bool:
    names = (mapped[part][0],) if part in mapped else _USUAL.get(part, (part,))
    return any(name in row for name in names)


def _choices(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        found = from_json_text(value)
        value = [piece.strip() for piece in value.split("|")] if isinstance(found, str) else found
    return tuple(str(choice) for choice in value) if isinstance(value, list) else ()


def _number(value: Any) -> Any:
    """Parquet and JSON may hold whole numbers as floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
