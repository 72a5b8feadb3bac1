"""Read 10,000 random replies and 60 of a megabyte each; the last line printed is one JSON record.

    python benchmarks/fuzz_answers.py [--replies 10000] [--seed 1]

A random reply is made of fragments: words of all languages' tables, labels and options of several scripts, markup,
broken JSON, reasoning tags, control characters. Nothing may raise; every answer is a choice in range or a reason.
"""

from __future__ import annotations

import argparse
import json
import random
import time

from clika_client.answers.read import REASONS, read_answer
from clika_client.answers.rules.words import tables

SETS = (
    (("A", "B", "C", "D"), ("Nile", "Amazon", "Yangtze", "Mississippi")),
    (("A", "B", "C", "D"), ("尼罗河", "亚马孙河", "长江", "密西西比河")),
    (("А", "Б", "В", "Г"), ("Лондон", "Париж", "Берлин", "Мадрид")),
    (("أ", "ب", "ج", "د"), ("النيل", "الأمازون", "يانغتسي", "المسيسيبي")),
    (("1", "2", "3", "4"), ("2", "4", "12,000", "12000")),
    (("A", "B"), ("The sun was rising.", "The grass was cut.")),
    (("A", "A", "", "("), ("", "x", "x", "Democratic Republic of the Congo")),
)
MARKUP = (
    *(
        "**",
        "`",
        "\n",
        "\n\n",
        "- ",
        "| ",
        "[x] ",
        "[ ] ",
        "✅",
        "❌",
        "(",
        ")",
        ". ",
        ", ",
        ": ",
        "? ",
        " - ",
        "。",
        "、",
        "'",
        '"',
    ),
    *(
        "<think>",
        "</think>",
        "<|channel|>final<|message|>",
        '{"answer": "',
        '"}',
        "\\boxed{",
        "}",
        "\x00",
        "\ud800",
        "\u200f",
    ),
)


def reply(draw: random.Random, words: list[str], labels: tuple[str, ...], options: tuple[str, ...]) -> str:
    """Up to 30 fragments, with or without spaces between."""
    parts = [draw.choice(draw.choice((words, words, labels, options, MARKUP))) for _ in range(draw.randrange(1, 30))]
    return draw.choice((" ", "")).join(parts)


def checked(text: str, labels: tuple[str, ...], options: tuple[str, ...], language: str | None) -> None:
    """Read one reply and hold the answer to its contract."""
    answer = read_answer(text, labels, options, language)
    assert (answer.choice is None) == (answer.reason is not None), text
    assert answer.choice is None or 0 <= answer.choice < len(options), text
    assert answer.reason is None or answer.reason in REASONS[1:], text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replies", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="500 replies, and megabytes of markup alone")
    options = parser.parse_args()
    if options.quick:
        options.replies = 500
    draw = random.Random(options.seed)
    words = sorted({entry for table in tables().values() for entries in table.values() for entry in entries})
    languages = [None, *tables()]
    for _ in range(options.replies):
        labels, texts = draw.choice(SETS)
        checked(reply(draw, words, labels, texts), labels, texts, draw.choice(languages))
    slowest = (0.0, "")
    for piece in [
        *MARKUP,
        *([] if options.quick else draw.sample(words, 20)),
        "A, B and C or ",
        "not A. ",
        "Nile ",
        "尼罗河",
        "나",
        "B\n",
        "A. Nile - No\n",
    ]:
        text = piece * (1_000_000 // len(piece))
        labels, texts = draw.choice(SETS[:4])
        started = time.process_time()
        checked(text, labels, texts, None)
        slowest = max(slowest, (time.process_time() - started, repr(piece)))
    print(
        json.dumps(
            {"benchmark": "fuzz_answers", "replies": options.replies, "megabyte_cpu_s": slowest[0], "of": slowest[1]}
        )
    )


if __name__ == "__main__":
    main()
