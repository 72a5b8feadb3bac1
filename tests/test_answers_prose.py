"""Real prose of chat models, judged by somebody else: data/answer_prose.md says whose and how it was drawn."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from clika_client.answers.read import read_answer

PROSE = Path(__file__).parent / "data" / "answer_prose.jsonl"
NAMES_ANOTHER = {"มลาตยา ตั้งอยู่ใน **ประเทศไทย**"}
"""Replies that plainly name another option than the one they were judged to name: "… is in Thailand", for Turkey."""


def test_a_reply_judged_right_is_never_read_as_another_option_and_most_are_read() -> None:
    read: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for line in PROSE.read_text("utf-8").splitlines():
        case = json.loads(line)
        answer = read_answer(case["text"], case["labels"], case["options"], case["language"])
        every[case["language"]] += 1
        read[case["language"]] += answer.choice == case["gold"]
        assert answer.choice in (case["gold"], None) or case["text"] in NAMES_ANOTHER, case["text"]
    assert set(every.values()) == {24}
    # Many of the rest say it in words that are not the option's: "American" for the United States, a country in
    # another language or script, an older name.
    assert sum(read.values()) > 0.7 * sum(every.values()), read
    assert min(read.values()) > 8, read
