"""Time reading a million replies by the `standard` reading on one core; the last line printed is one JSON record.

    python benchmarks/answers.py [--replies 1000000]

The mix is that of collected responses: most replies are a label, with or without its option's text, to one of
2,000 questions; a tenth are sentences in several languages; a hundredth are texts that no rule can read. About
a sixth of all (text, question) pairs are distinct, so memory of earlier replies helps as it would in use.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from clika_client.answers.read import REASONS, read_answers

LABELS = ("A", "B", "C", "D")
SENTENCES = (
    "The answer is {label}.",
    "I think it is {text}",
    "Die richtige Antwort ist {label}) {text}.",
    "Правильный ответ: {label}",
    "答案是{label}。",
    "정답은 {label}입니다",
    "<think>Could be A, or C? Let me see.</think>\n\n**{label}**",
    '```json\n{{"answer": "{label}"}}\n```',
    "{label}\n\nExplanation: the others are wrong because {text} fits best.",
    "La respuesta correcta es la {label}).",
)
UNREADABLE = (
    "{text} or {other}",
    "I cannot answer this question.",
    "The correct answer i",
    "Based on {number}",
    "Die {number}",
)


def questions(count: int, draw: random.Random) -> list[tuple[str, ...]]:
    """Options of `count` questions, four different invented words each."""
    syllables = ["ba", "ko", "li", "mur", "ta", "ven", "so", "ri", "pel", "dan"]
    return [
        tuple("".join(draw.choices(syllables, k=3)).capitalize() + f" {i}{n}" for n in range(4)) for i in range(count)
    ]


def reply(options: tuple[str, ...], draw: random.Random) -> str:
    """One reply in the mix described above."""
    at = draw.randrange(4)
    label, text, kind = LABELS[at], options[at], draw.random()
    if kind < 0.62:
        return f"{label}."
    if kind < 0.89:
        return f"{label}. {text[: draw.randint(2, len(text))].strip()}"
    forms = SENTENCES if kind < 0.99 else UNREADABLE
    other, number = options[(at + 1) % 4], draw.randrange(10_000)
    return draw.choice(forms).format(label=label, text=text, other=other, number=number)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall seconds, CPU seconds) of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replies", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="a tenth of the replies")
    options = parser.parse_args()
    count = options.replies // 10 if options.quick else options.replies
    draw = random.Random(0)
    asked = questions(2_000, draw)
    choices = [draw.choice(asked) for _ in range(count)]
    texts = [reply(options, draw) for options in choices]
    distinct = len(set(zip(texts, choices, strict=True)))
    table = Table("pass", "wall s", "CPU s", "µs per reply", title=f"{count:,} replies, {distinct:,} distinct")
    record: dict[str, object] = {"benchmark": "answers", "replies": count, "distinct": distinct}
    for name in ("first", "again"):
        wall, cpu = timed(lambda: read_answers(texts, LABELS, choices))
        table.add_row(name, f"{wall:.2f}", f"{cpu:.2f}", f"{cpu / count * 1e6:.2f}")
        record |= {f"{name}_wall_s": round(wall, 3), f"{name}_cpu_s": round(cpu, 3)}
    read = read_answers(texts, LABELS, choices)
    answered = int((read.choice >= 0).sum())
    record |= {"answered": answered, "python": platform.python_version(), "machine": platform.machine()}
    console = Console()
    console.print(table)
    told = {reason: int((read.reason == code).sum()) for code, reason in enumerate(REASONS) if code}
    console.print(f"answered {answered:,}; " + ", ".join(f"{reason} {n:,}" for reason, n in told.items() if n))
    print(json.dumps(record))


if __name__ == "__main__":
    main()
