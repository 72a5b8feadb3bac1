"""Documents of public data sets as other tools log them: their id, their question and their options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from clika_client.common.errors import UserError
from clika_client.importers.foreign import POSITION
from clika_client.sets.mapping import column_of, has_column, joined

_IDS = (
    ("item_id",), ("id",), ("uuid",), ("sample_id",), ("question_id",), ("example_id",), ("story_id",), ("q_id",),
    ("link", "question_number"), ("ind",), ("idx",), ("index",), ("source_id",),
)  # fmt: skip
"""Fields that data sets name their documents by, in the order they are trusted; one of them must be unique."""
_LIKE_AN_ID = re.compile(r"(^|_)(id|idx|ind|index|uid|uuid|guid|qid|pid|key|nr|no|number)$|[a-z]I(d|D|dx)$")
_NO_ID = re.compile(r"answer|gold|correct|label|target|choice|option|lang", re.IGNORECASE)
"""Names with such a word number something else than the document."""
_QUESTIONS = ("question", "query", "premise", "stem", "input", "ctx", "instruction", "sentence", "prompt")
_OPTIONS = (
    ("A", "B", "C", "D", "E"),
    ("option_a", "option_b", "option_c", "option_d", "option_e"),
    ("mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4"),
    ("choice1", "choice2", "choice3"),
    ("sentence_quiz1", "sentence_quiz2"),
    ("option1", "option2"),
    tuple(f"option_{number}" for number in range(10)),
    tuple(f"solution{number}" for number in range(4)),
)


def ids_of(doc: Mapping[str, Any], position: object, named: Sequence[str] = ()) -> dict[str, str]:
    """Every id of a document by name, best first, its position last. `named` fields come alone.

    Raises UserError for a named field that the document lacks.
    """
    if named:
        absent = [field for field in named if not has_column(doc, field)]
        if absent:
            raise UserError(f"--map item_id={'|'.join(named)}: no {absent[0]!r} in the document ({', '.join(doc)})")
        return {"+".join(named): joined([column_of(doc, field) for field in named]) or str(position)}
    found = {
        "+".join(fields): joined([doc[field] for field in fields]) or ""
        for fields in _IDS
        if all(_names_something(doc.get(field)) for field in fields)
    }
    others = {
        name: str(value)
        for name, value in doc.items()
        if _LIKE_AN_ID.search(name) and not _NO_ID.search(name) and _names_something(value)
    }
    return {**found, **{name: value for name, value in others.items() if name not in found}, POSITION: str(position)}


def _names_something(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(str(value).strip())


def question_of(doc: Mapping[str, Any]) -> str | None:
    """The question's text as common data sets name it."""
    for name in _QUESTIONS:
        value = doc.get(name)
        if isinstance(value, dict):
            value = value.get("stem")
        if isinstance(value, str) and value.strip():
            return value
    return None


def choices_of(doc: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of the choices as common data sets name them."""
    question = doc.get("question")
    for holder in (doc, question if isinstance(question, dict) else {}):
        for name in ("choices", "options", "endings"):
            found = _texts(holder.get(name))
            if found:
                return found
    for names in _OPTIONS:
        found = tuple(doc[name] for name in names if isinstance(doc.get(name), str))
        if len(found) > 1:
            return found
    return ()


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, dict):
        value = value.get("text")
    if isinstance(value, list):
        value = [each.get("text") if isinstance(each, dict) else each for each in value]
        if value and all(isinstance(choice, str) for choice in value):
            return tuple(value)
    return ()
