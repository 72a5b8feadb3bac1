"""Columns that some benchmarks' rows lack, made of those they have."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

Row = dict[str, Any]
_NO_SPACES = ("zh", "ja")


def copa(row: Row, language: str) -> Row:
    """The question that `cause` or `effect` stands for, in the row's language, else in English."""
    sentences = _connectors().get(language) or _connectors().get(language.split("-")[0]) or _connectors()["en"]
    asked = sentences.get(str(row["question"]), "")
    return {**row, "asked": asked, "adapted": "culture" if row.get("changed") else None}


def story(row: Row, language: str) -> Row:
    """Four sentences as one text."""
    space = "" if language.split("-")[0] in _NO_SPACES else " "
    return {**row, "story": space.join(str(row[f"input_sentence_{i}"]).strip() for i in range(1, 5))}


def mmlu_ids(row: Row, language: str) -> Row:
    """The subject, which m_mmlu keeps in its ids only: `anatomy/test/7`."""
    return {**row, "subject": str(row["id"]).split("/")[0]}


FINISHERS: Mapping[str, Callable[[Row, str], Row]] = {"copa": copa, "story": story, "mmlu_ids": mmlu_ids}


@cache
def _connectors() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(resources.files("clika_client.sets").joinpath("connectors.toml").read_text("utf-8"))
