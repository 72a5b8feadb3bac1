"""The two commonest forms of a reply, `B.` and `B. Paris`, read without tokenising.

Must agree with the ladder on everything it reads (a test compares them); it reads nothing that is unclear.
"""

from __future__ import annotations

import re
from functools import lru_cache

from clika_client.answers.rules.normalise import core
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.result import Answer

_LABEL = re.compile(r"\s*[(\[\"*]{0,3}([A-Z1-9])[.):\]\"*]{0,4}\s*(?:</s>)?\s*")
_LABEL_TEXT = re.compile(r"\s*([A-Z])[.):] ?(?=\S)([^\n<>*_`\\$]{1,300})")


@lru_cache(maxsize=4_096)
def _letter(text: str) -> str:
    """The label that a short reply consists of, or an empty string."""
    match = _LABEL.fullmatch(text)
    return match.group(1) if match else ""


def read_fast(text: str, question: Question) -> Answer | None:
    """The answer of a reply that is a label, or a label and its own option's text (or the start of it)."""
    if len(text) < 12 and (letter := _letter(text)):
        index = question.labels.exact.get(letter, -1)
        return question.answers[index] if index >= 0 and letter.lower() not in question.by_core else None
    if match := _LABEL_TEXT.fullmatch(text):
        index = question.labels.exact.get(match.group(1), -1)
        if index >= 0:
            said = core(match.group(2))
            an_option = question.like_labels and core(text) in question.by_core
            if said and question.cores[index].startswith(said) and not an_option:
                return question.text_answers[index]
    return None
