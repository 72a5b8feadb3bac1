"""Every condition of the reading's tables is needed by a kept reply: without it, that reply would be read otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from clika_client.answers import read
from clika_client.answers.rules import naming, neighbours, standard, whole_reply

CASES = [
    json.loads(line) for line in (Path(__file__).parent / "data/answer_needed.jsonl").read_text("utf-8").splitlines()
]
TABLES: dict[str, ModuleType] = {
    "CONDITIONS": neighbours,
    "_NO_LABELS": naming,
    "_LADDER": standard,
    "_READERS": whole_reply,
}


def test_every_condition_has_its_reply() -> None:
    conditions = {(table, rule.__name__) for table, module in TABLES.items() for rule in getattr(module, table)}
    assert conditions == {(case["table"], case["condition"]) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["condition"])
def test_a_reply_needs_its_condition(case: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    reply = (case["text"], case["labels"], case["options"], case["language"])
    table = str(case["table"])
    with_it = read.read_answer(*reply)  # type: ignore[arg-type]
    others = tuple(rule for rule in getattr(TABLES[table], table) if rule.__name__ != case["condition"])
    monkeypatch.setattr(TABLES[table], table, others)
    read.forget()
    without = read.read_answer(*reply)  # type: ignore[arg-type]
    read.forget()
    assert (with_it.choice, with_it.reason) != (without.choice, without.reason)
