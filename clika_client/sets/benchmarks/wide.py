"""Benchmarks whose rows hold all languages at once: one row becomes one of each language, with its accepted answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clika_client.sets.open_form import NO_ANSWER_KIND

Row = Mapping[str, Any]
Pieces = Iterator[tuple[str, dict[str, Any]]]
"""(language as the file spells it, row of that language)."""
_KINDS = {"date": "date", "number": "number", "number_with_unit": "number", "binary": "yes-no"}
"""Type of an MKQA answer → kind of an open one; all others are names."""
_NO_ANSWER = frozenset(("unanswerable", "long_answer"))
_NONE = "(no answer)"
"""What is shown as the answer where there is none."""
_ASKED = re.compile(r"([a-z]{2,3}(?:[_-][A-Za-z]+)?)_q")
_FEW = 5


def mkqa(row: Row) -> Pieces:
    """The question of each language with the texts and aliases of its answers; none where nothing short is right."""
    answers: Mapping[str, Sequence[Row]] = row["answers"]
    for language, question in row["queries"].items():
        given = [answer for answer in answers.get(language) or () if answer.get("type") not in _NO_ANSWER]
        kinds = {_KINDS.get(str(answer.get("type"))) for answer in given}
        names = [str(answer["text"]) for answer in given if answer.get("text")]
        names += [alias for answer in given for alias in _aliases(answer.get("aliases"))]
        kind = kinds.pop() if len(kinds) == 1 else None
        yield language, {"example_id": str(row["example_id"]), "question": question, **_accepted(names, kind)}


def mkqa_all(row: Row) -> Pieces:
    """The same, and the questions that have no answer or a long one only, where its script accepts no reply."""
    for language, piece in mkqa(row):
        yield language, piece if piece["choices"] else {**piece, "choices": [_NONE], "answer_kind": NO_ANSWER_KIND}


def _aliases(given: Any) -> list[str]:
    """Further names; a list that was exploded into single characters is none."""
    if not isinstance(given, list):
        return [given] if isinstance(given, str) else []
    names = [str(name) for name in given if name is not None and str(name).strip()]
    return [] if len(names) > _FEW and all(len(name) == 1 for name in names) else names


def eclektic(row: Row) -> Pieces:
    """The question of each language with its answer, and the language the fact comes from."""
    for column in row:
        found = _ASKED.fullmatch(column)
        if found:
            answer = row.get(f"{found[1]}_a")
            asked = {"q_id": str(row["q_id"]), "original_lang": row["original_lang"], "question": row[column]}
            yield found[1], {**asked, **_accepted([str(answer)] if answer else [], None)}


def _accepted(names: Sequence[str], kind: str | None) -> dict[str, Any]:
    """An open question's columns: the answer to show first, and the others one a line."""
    each = list(dict.fromkeys(" ".join(name.split()) for name in names))
    return {"choices": each[:1], "gold": 0, "accepted": "\n".join(each[1:]), "answer_kind": kind}


WIDE: Mapping[str, Callable[[Row], Pieces]] = {"mkqa": mkqa, "mkqa-all": mkqa_all, "eclektic": eclektic}
"""Layout of a table → its rows apart."""
