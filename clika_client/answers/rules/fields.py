"""Answers that stand in a field made for them: an `<answer>` element, `\\boxed{}`, a key of a JSON object."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from clika_client.answers.rules.normalise import clean, fold
from clika_client.answers.rules.result import Answer
from clika_client.answers.rules.words import Role, words

ReadText = Callable[[str], Answer | None]
"""Reads the cleaned content of a field."""

_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_TAGGED = re.compile(
    r"<(answer|final_answer|final|response|choice|option|output|result)>([^<]{0,400})</\1\s*>", re.IGNORECASE
)
_JSON_TRIES = 6


def fields(text: str) -> list[tuple[str, str]]:
    """The last `<answer>` element and the contents of `\\boxed{}`, as (content, rule)."""
    found: list[tuple[str, str]] = []
    if "</" in text:
        tagged = [match.group(2) for match in _TAGGED.finditer(text)]
        found += [(tagged[-1], "tag")] if tagged else []
    if "\\" in text:
        boxes = [content for match in _BOXED.finditer(text) if (content := _braced(text, match.end())) is not None]
        if boxes:
            found.append((" , ".join(dict.fromkeys(map(clean, boxes))), "boxed"))
    return found


def _braced(text: str, start: int) -> str | None:
    depth = 1
    for at in range(start, min(len(text), start + 400)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                return text[start:at]
    return None


def from_json(text: str, read: ReadText) -> Answer | None:
    """The answer field of the first JSON object in the reply."""
    if "{" not in text or ":" not in text:
        return None
    decoder = json.JSONDecoder(strict=False)
    at = text.find("{")
    for _ in range(_JSON_TRIES):
        if at < 0:
            return None
        try:
            value, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        values = _answer_values(value, 0)
        answers = [a for v in values if (a := _json_value(v, read)) is not None]
        if not answers:
            return Answer(None, "multiple", "json") if _weighs_letters(value) else None
        chosen = {a.choice for a in answers if a.choice is not None}
        if len(chosen) == 1 and all(a.choice is not None or a.reason == "unreadable" for a in answers):
            return Answer(chosen.pop(), None, "json")
        return Answer(None, "multiple", "json") if len(chosen) > 1 else answers[0]
    return None


def _weighs_letters(value: object) -> bool:
    """Whether an object gives several letters a number each: `{"A": 0.1, "B": 0.7}` names none of them."""
    return (
        isinstance(value, dict)
        and len(value) > 1
        and all(len(str(key)) == 1 for key in value)
        and all(isinstance(weight, int | float) and not isinstance(weight, bool) for weight in value.values())
    )


def _answer_values(value: object, depth: int) -> list[object]:
    """Values under keys that mean answer, option, choice or correct, in this object or the first below it."""
    if not isinstance(value, dict) or depth > 4:
        return []
    found: list[object] = []
    listed: list[object] = []
    for key, content in value.items():
        parts = fold(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(key)).replace("_", " ").replace("-", " ")).split()
        role = 0
        for part in (*parts, " ".join(parts)):
            for _, one in words().single.get(part, ()):
                role |= one
        wanted = Role.ANSWER | Role.OPTION | Role.FINAL | Role.CORRECT
        named = role & wanted or parts in (["label"], ["selected"], ["selection"])
        if named and not {"index", "idx", "id"} & set(parts):
            shown = isinstance(content, list | dict) and not role & (Role.ANSWER | Role.FINAL | Role.CORRECT)
            (listed if shown else found).append(content)
    if found or listed:
        return found or listed  # {"options": ["A", "B"], "answer": "A"}: the options repeated are no answer
    for content in value.values():
        if inner := _answer_values(content, depth + 1):
            return inner
    return []


def _json_value(value: object, read: ReadText) -> Answer | None:
    if isinstance(value, dict):
        inner = [_json_value(v, read) for v in _answer_values(value, 0)]
        return next((a for a in inner if a is not None), None)
    if isinstance(value, list):
        value = " , ".join(str(v) for v in value if isinstance(v, str | int)) or None
    if value is None or isinstance(value, bool | float):
        return None
    text = clean(str(value))
    if not text:
        return None
    return read(text)
