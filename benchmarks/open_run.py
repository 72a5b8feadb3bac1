"""What an open run of 2,000 questions costs in CPU beside a choice run of the same: plan, ask, read and score.

    python benchmarks/open_run.py

Both ask a scripted model, so that nothing but our own work is counted, and get the same replies: a name or sentence,
right, in English, wrong or without an answer; then the choice run once more with bare letters. The ratios are printed.
What a reading remembers of replies is forgotten before each run: nobody is asked the same twice.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import clika_client
from clika_client import Asking, Options
from clika_client.answers.read import forget
from clika_client.sets.catalogue import resolve
from clika_client.sets.open_form import open_form
from clika_client.sets.probes import ProbeSet
from clika_providers import MockProvider, Request

LANGUAGES = ("en", "de", "ru", "zh", "ar", "hi", "sw", "th")


def replies(asked: ProbeSet) -> dict[str, str]:
    """Question → what is said to it: by turns right, in English, another known answer, unknown, no answer."""
    said = {}
    for tag in LANGUAGES:
        for i, (probe, english) in enumerate(zip(asked.probes[tag], asked.probes["en"], strict=True)):
            right, other = probe.choices[probe.gold], probe.choices[probe.gold - 1]
            turns = (
                f"**{right}**",
                f"It is {english.choices[english.gold]}.",
                f"{other}.",
                "Atlantis.",
                "I don't know.",
            )
            said[probe.question] = turns[i % len(turns)]
    return said


def seconds(asked: ProbeSet, ask: str, speak: dict[str, str]) -> float:
    """CPU seconds of one whole run."""

    def reply(request: Request) -> str:
        question = request.messages[-1].content.split("\n")
        return next((speak[line] for line in question if line in speak), "B")

    forget()
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        clika_client.run(
            asked,
            MockProvider(reply, name=ask),
            db=Path(folder) / "c.db",
            languages=LANGUAGES,
            asking=Asking(ask),  # type: ignore[arg-type]
            scoring=Options(bootstrap=100),
        )
        return time.process_time() - started


def main() -> None:
    """Print both and their ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the questions")
    count = (500 if parser.parse_args().quick else 2000) // len(LANGUAGES)
    whole = resolve("atlas").select(LANGUAGES)
    kept = {item.item_id for item in open_form(whole).items}
    rows = [i for i, item in enumerate(whole.items) if item.item_id in kept][:count]
    asked = whole.part(LANGUAGES, rows)
    speak = replies(asked)
    for ask in ("text", "open"):  # the first runs pay for imports and tables
        seconds(asked.part(LANGUAGES, range(0, len(rows), 25)), ask, speak)
    choice, opened = seconds(asked, "text", speak), seconds(asked, "open", speak)
    letters = seconds(asked, "text", {})
    n = len(rows) * len(LANGUAGES)
    print(f"{n} questions: choice {choice:.2f} CPU s, open {opened:.2f} CPU s, ratio {opened / choice:.2f}")
    print(f"choice run answered in bare letters: {letters:.2f} CPU s, ratio {opened / letters:.2f}")


if __name__ == "__main__":
    main()
