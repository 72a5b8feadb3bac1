"""Reading many replies at once, grouping the unread ones, comparing readings, and the published responses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from clika_client.answers.read import REASONS, RULES, differences, group_unread, read_answer, read_answers
from clika_client.answers.rules.normalise import loose
from clika_client.common.errors import UserError

LABELS = ("A", "B", "C", "D")
CITIES = ("London", "Paris", "Berlin", "Madrid")
TEXTS = ["B.", "A and B", "", "lorem", "C. Berlin", "E", "I cannot answer this question.", None, "B."]


def test_a_batch_reads_each_reply_as_one_call_would() -> None:
    read = read_answers(TEXTS, LABELS, CITIES, "en")
    one_by_one = [read_answer(text, LABELS, CITIES, "en") for text in TEXTS]
    assert [read.answer(i) for i in range(len(TEXTS))] == one_by_one
    assert read.choice.dtype == np.int8
    assert read.choice.tolist() == [1, -1, -1, -1, 2, -1, -1, -1, 1]
    assert [REASONS[code] for code in read.reason] == [
        "",
        "multiple",
        "empty",
        "unreadable",
        "",
        "none",
        "refusal",
        "empty",
        "",
    ]


def test_labels_and_options_may_be_one_for_all_or_one_for_each() -> None:
    apart = read_answers(["B", "ב"], [LABELS, ("א", "ב")], [CITIES, ("x", "y")])
    assert apart.choice.tolist() == [1, 1]
    assert read_answers([], LABELS, CITIES).choice.shape == (0,)
    with pytest.raises(ValueError, match="choices has 1 entries for 2 texts"):
        read_answers(["A", "B"], LABELS, [CITIES])
    with pytest.raises(ValueError, match="finish has 1 entries"):
        read_answers(["A", "B"], LABELS, CITIES, finish=[None])


def test_finish_reasons_are_heeded_in_a_batch() -> None:
    texts = ["We first", "", "B", "We first"]
    read = read_answers(texts, LABELS, CITIES, finish=["length", "content_filter", "length", "stop"])
    assert [REASONS[code] for code in read.reason] == ["truncated", "refusal", "", "unreadable"]
    assert RULES[read.rule[0]] == "finish"


def test_an_unknown_reading_is_refused() -> None:
    with pytest.raises(UserError, match="no reading is called 'loose'"):
        read_answers(["A"], LABELS, CITIES, reading="loose")


def test_unread_replies_are_grouped_by_reason_and_by_how_they_begin() -> None:
    replies = ["Premise: The dog", "Premise: The cat ran", "In 1896", "In 1901", "B", "", "В 12"]
    groups = group_unread((text, read_answer(text, LABELS, CITIES)) for text in replies)
    assert [(g.pattern, g.reason, g.count) for g in groups] == [
        ("in 0", "unreadable", 2),
        ("", "empty", 1),
        ("premise: the cat…", "unreadable", 1),
        ("premise: the dog", "unreadable", 1),
        ("в 0", "unreadable", 1),
    ]
    assert groups[0].examples == ("In 1896", "In 1901")


def test_readings_are_compared_reply_by_reply() -> None:
    texts = ["B.", "А.", "Cairo", "B) London", "", "Zzz"]
    found = differences("first-letter", "standard", texts, LABELS, CITIES, gold=[1, 0, 2, 0, 0, 0])
    assert found.total == 6
    assert [(row.at, row.kind, row.gain) for row in found.rows] == [
        (1, "recovered", 1),
        (2, "withdrawn", -1),
        (3, "changed", 1),
    ]
    assert found.counts() == {"recovered": 1, "withdrawn": 1, "changed": 1, "reason": 0}
    assert found.gain == 1


# ---------------------------------------------------------------- the published responses

SETS = {"x_csqa": 5, "x_copa": 2, "x_geo": 4, "x_name": 4}


def published(
    root: Path, name: str, model: str, only: str = "*"
) -> Iterator[tuple[str, list[str], list[tuple[str, ...]], list[int]]]:
    """(language folder, replies, options, gold) of one model on one set, from the prompts that were sent."""
    for path in sorted(root.glob(f"{name}/{only}/{model}_res*.jsonl")):
        if "visual" in path.name or "uuid" in path.name or "fixed" in path.name:
            continue
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        options = []
        for row in rows:
            block = row["input"].rsplit("\nAnswer", 1)[0].rsplit("\nA. ", 1)[1]
            for letter in "BCDE"[: SETS[name] - 1]:
                block = block.replace(f"\n{letter}. ", "\x1f", 1).replace(f"\n{letter}.", "\x1f", 1)
            options.append(tuple(block.split("\x1f")))
        yield path.parent.name, [r["res"] for r in rows], options, ["ABCDE".index(r["label"]) for r in rows]


def test_cyrillic_letters_of_bloom_are_recovered(official_data: Path) -> None:
    seen = 0
    for name in ("x_copa", "x_geo", "x_name"):
        for folder, texts, options, _ in published(official_data, name, "bloom_7b1"):
            if folder.lower() == "ru":
                labels = tuple("ABCDE"[: SETS[name]])
                cyrillic = [i for i, text in enumerate(texts) if text in ("А.", "А", "В.")]
                read = read_answers(texts, labels, options, "ru").choice
                seen += len(cyrillic)
                assert [int(read[i]) for i in cyrillic] == [0 if texts[i][0] == "А" else 1 for i in cyrillic]
    assert seen > 500


def test_letters_before_bloomz_end_token_are_read(official_data: Path) -> None:
    for name, k in SETS.items():
        for _, texts, options, _ in published(official_data, name, "bloomz_7b1_mt"):
            read = read_answers(texts, tuple("ABCDE"[:k]), options).choice
            ended = [i for i, text in enumerate(texts) if text[1:] == "</s>" and text[0] in "ABCDE"[:k]]
            assert [int(read[i]) for i in ended] == ["ABCDE".index(texts[i][0]) for i in ended]


@pytest.mark.parametrize("model", ["chatgpt", "llama2_13b", "vicuna_13b_v1.5", "Stanford_Alpaca"])
def test_other_models_change_by_their_misread_replies_only(official_data: Path, model: str) -> None:
    for name, k in SETS.items():
        labels = tuple("ABCDE"[:k])
        for _, texts, options, gold in published(official_data, name, model):
            found = differences("first-letter", "standard", texts, labels, options, gold=gold)
            assert abs(found.gain) <= len(found.rows) <= 0.03 * found.total
            for row in found.rows:
                # A reply that is a label and nothing else, or goes on as its option does, reads the same in both.
                plain = row.text.strip().rstrip(".)").strip()
                assert plain not in labels
                letter = row.text.strip()[:1]
                if row.first.choice is not None and row.text.strip()[1:2] == ".":
                    own = options[row.at][labels.index(letter)].strip().lower()
                    assert not own.startswith(row.text.strip()[2:].strip().lower()) or "\n" in row.text


def test_words_that_begin_with_a_label_are_unread_in_the_published_responses(official_data: Path) -> None:
    begun: Counter[str] = Counter()
    for path in sorted(official_data.glob("x_*/*/*_res*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            text = json.loads(line)["res"].strip()
            if text.split(" ")[0] in ("Die", "Ein", "Eine", "Alle", "Based", "Cairo", "Bade", "Es", "Cosa", "Dove"):
                begun[text] += 1
                choice = read_answer(text, tuple("ABCDE"), ("#1", "#2", "#3", "#4", "#5")).choice
                assert choice is None, text
    assert begun


PATTERNS = {"echo", "beginning", "judged", "last-line", "conceded", "opening", "concluding", "inflected"}
"""Rules of version 2 that version 1 did not have; `leading` and `contained` differ by the spelling of a name only."""
SAMPLE = Path(__file__).parent / "data" / "readings_version_1.tsv"
"""How version 1 read 7,000 replies drawn at random from the release: file, row and choice, or the reason's letter."""


def test_versions_1_and_2_differ_on_the_published_responses_only_where_a_new_rule_says_so(official_data: Path) -> None:
    compared = 0
    unexplained = []
    for line in SAMPLE.read_text("utf-8").splitlines():
        name, _, kept = line.partition("\t")
        set_name, folder, file = name.split("/")
        model = file.partition("_res")[0]
        rows = {int(row): read for row, _, read in (entry.partition(":") for entry in kept.split())}
        for found, texts, options, _ in published(official_data, set_name, model, folder):
            assert found == folder
            labels = tuple("ABCDE"[: SETS[set_name]])
            for row, before in rows.items():
                answer = read_answer(texts[row], labels, options[row], folder[:2].lower())
                now = str(answer.choice) if answer.reason is None else answer.reason[0]
                compared += 1
                if now != before and answer.rule not in PATTERNS and not _spelled_otherwise(texts[row], options[row]):
                    unexplained.append((name, row, before, now, answer.rule))
    assert compared == 7_000
    assert unexplained == []


def _spelled_otherwise(text: str, options: tuple[str, ...]) -> bool:
    """Whether the reply has an option's name with other accents, hyphens or articles, and not as written."""
    said = loose(text.partition(".")[2] or text, frozenset())
    return said in {loose(option, frozenset()) for option in options} and said not in {o.lower() for o in options}
