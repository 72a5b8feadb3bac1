"""Read a reply as a choice: `read_answer`, and the named, versioned readings behind it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from clika_client.answer_reading.ladder import read_standard
from clika_client.answer_reading.question import question
from clika_client.answer_reading.result import Answer


def read_answer(
    text: str, labels: Sequence[str], choices: Sequence[str], language: str | None = None
) -> Answer:
    """What `text` chooses among `choices`, shown under `labels`, by the `standard` reading."""
    return _standard(text or "", tuple(labels), tuple(choices), language)


@lru_cache(maxsize=65_536)
def _standard(text: str, labels: tuple[str, ...], choices: tuple[str, ...], language: str | None) -> Answer:
    return read_standard(text, question(labels, choices), language)
