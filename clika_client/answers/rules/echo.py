"""What a reply repeats of its prompt, which is no answer: the example, the sum in it, the list of labels."""

from __future__ import annotations

import re

from clika_client.answers.rules.question import Question

_SUM = re.compile(r"^[^\W\d_]{1,20}\s?:\s?\d{1,3}\s?(?:\+[\d\s]*(?:=\s?\??[^\n]*)?)?(?=\n|$)")
"""`Question:2 +`, `Question:2+3=?`: the beginning of the paper's example, cut anywhere."""
_ANSWERED = re.compile(r"(^Q\s?:[^\n]*\n(?:[^\n]*\n)*?)A\s?:")
_SPACES = re.compile(r"\s+")
_ANSWERS = re.compile(r"[^\n:]{0,40}:\s*\(?\w{1,2}(?:[.)\s]|$)")
_FEWEST = 4
"""Letters that a line must share with the example to be its echo: a label and a text may stand in both."""


def without_example(text: str, example: str) -> str:
    """The reply without the lines at its start that are lines of the prompt's example, the last of them perhaps cut."""
    if not example:
        return text
    shown = [_bare(line) for line in example.split("\n") if line.strip()]
    lines = text.split("\n")
    first = _bare(lines[0])
    if len(first) < _FEWEST or first not in shown:
        cut = (
            len(lines) == 1 and len(first) >= _FEWEST and any(line.startswith(first) for line in shown if line != first)
        )
        return "" if cut and not _labelled(lines[0]) and not _ANSWERS.match(lines[0]) else text
    if _labelled(lines[0]) or _ANSWERS.match(lines[0]):
        return text  # `B. 5` and `Answer: B` answer, also where the example shows the same
    start = shown.index(first)
    same = 0
    while same < len(lines) and start + same < len(shown) and _matches(lines, same, shown[start + same]):
        same += 1
    return "\n".join(lines[same:]).strip()


def _matches(lines: list[str], at: int, shown: str) -> bool:
    bare = _bare(lines[at])
    return bare == shown or (at == len(lines) - 1 and bool(bare) and shown.startswith(bare))


def _bare(line: str) -> str:
    return _SPACES.sub("", line).casefold()


def _labelled(line: str) -> bool:
    return bool(re.match(r"\(?\w[.):]\s?", line))


def without_sum(text: str) -> str:
    """The reply without the paper's example that opens it (`Question:2+3=?\nA. 1 …`), where the prompt is not known."""
    match = _SUM.match(text)
    if match is None or "+" not in match.group():
        return text
    lines = text[match.end() :].strip().split("\n")
    while lines and _labelled(lines[0]):
        lines.pop(0)
    return "\n".join(lines[1:])  # the line that answers the sum goes, too


def answered(text: str) -> str:
    """The reply with its own "A:" told from the label A: `Q: Which river …?\nA: B) Amazon`."""
    return _ANSWERED.sub(r"\1Answer:", text) if text[:1] == "Q" else text


def without_labels(text: str, question: Question) -> str:
    """The reply without a repeated list of all labels before a colon: `A/B/C/D: B`."""
    head, tail = ([*re.split(r"[:?\n]|\.\s", text, maxsplit=1), ""])[:2]
    if len(head) > 80 or not tail.strip():
        return text
    rest = re.sub(r"[()\[\]{}]", " ", head)
    shown = question.labels.shown
    listed = re.search(r"[\s,/|]*(?:and|or|-)?[\s,/|]*".join(map(re.escape, shown)), rest)
    if listed is None and len(shown) > 2:
        listed = re.search(rf"{re.escape(shown[0])}\s*-\s*{re.escape(shown[-1])}", rest)
    if listed is None or listed.end() == listed.start():
        return text
    return (rest[: listed.start()] + rest[listed.end() :]).strip() + ":" + tail
