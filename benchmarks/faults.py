"""Every fault of tests/servers/faults.py against a real run: what is lost beside it, and what is asked again.

Each fault for good on every third question, then a second run that may ask only what is missing; each fault once; and
ceilings against a server that bills replies of no use. Prints counts; ends with 1 when anything else was lost, asked
twice or spent beyond a ceiling.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from clika import clika, write_probes  # noqa: E402
from servers.faults import faults  # noqa: E402
from servers.loopback import Answer, Loopback, Seen, chat  # noqa: E402

from clika_client import api  # noqa: E402
from clika_client.asking.settings import Asking  # noqa: E402
from clika_client.scoring.score import Options  # noqa: E402
from clika_providers import ProviderOptions  # noqa: E402


def number_of(messages: str) -> int:
    """Which question of `write_probes` a prompt holds."""
    return int(messages.split("question number ")[1].split("?")[0])


def run(folder: Path, items: int, url: str) -> None:
    """Ask `items` questions; what is stored is in `folder/c.db`."""
    probes = write_probes(folder / "mine.jsonl", items, languages=("en",))
    options = ProviderOptions(base_url=url, backoff_s=0.001, timeout_s=20.0, max_retries=1, concurrency=8)
    asking, scoring = Asking(ask="text"), Options(bootstrap=0)
    api.run([str(probes)], ["openai/m"], db=folder / "c.db", asking=asking, provider=options, scoring=scoring)


def stored(folder: Path) -> set[int]:
    """Questions with a reply on disk; raises AssertionError when SQLite finds the file unsound."""
    connection = sqlite3.connect(folder / "c.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT messages FROM completions JOIN prompts ON hash = prompt")
        return {number_of(json.loads(m)[-1][1]) for (m,) in rows}
    finally:
        connection.close()


def lasting(table: list[tuple[str, Answer]]) -> dict[str, int]:
    """Each fault for good on one question, good answers on two: how many good ones are lost, or asked again."""
    asked: Counter[int] = Counter()
    cured = False

    def behave(seen: Seen) -> Answer:
        number = number_of(seen.json()["messages"][-1]["content"])
        asked[number] += 1
        return table[number // 3][1] if number % 3 == 1 and not cured else Answer(200, chat("B"))

    with tempfile.TemporaryDirectory() as name, Loopback(behave) as server:
        folder = Path(name)
        run(folder, 3 * len(table), server.url)
        first = stored(folder)
        lost = {n for n in range(3 * len(table)) if n % 3 != 1} - first
        asked.clear()
        cured = True
        run(folder, 3 * len(table), server.url)
        missing = set(range(3 * len(table))) - stored(folder)
    return {
        "good answers lost": len(lost),
        "stored and asked again": len(first & asked.keys()),
        "never answered": len(missing),
    }


def passing(table: list[tuple[str, Answer]]) -> dict[str, int]:
    """Each fault once: how many questions have no answer that are worth another attempt."""
    asked: Counter[int] = Counter()

    def behave(seen: Seen) -> Answer:
        number = number_of(seen.json()["messages"][-1]["content"])
        asked[number] += 1
        return table[number][1] if asked[number] == 1 else Answer(200, chat("B"))

    final = {n for n, (_, f) in enumerate(table) if 300 <= f.status < 500 and f.status not in (408, 409, 425)}
    with tempfile.TemporaryDirectory() as name, Loopback(behave) as server:
        folder = Path(name)
        run(folder, len(table), server.url)
        return {"passing faults not survived": len(set(range(len(table))) - stored(folder) - final)}


UNUSABLE: tuple[dict[str, Any], ...] = (
    {},
    {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]},
    {"choices": []},
    {"choices": 5},
    {"error": {"message": "odd"}},
)
PRICES = '[[price]]\nmodel = "openai/m"\ninput = 10\noutput = 100\n'
EACH = (50 * 10 + 20 * 100) / 1e6
"""Dollars of one reply of 50 tokens in and 20 out."""
CEILING = 0.1


def spend() -> dict[str, int | float]:
    """Runs with a ceiling against a server that bills every reply, useful or not: what was billed beyond it."""
    beyond = 0.0
    for reply in UNUSABLE:
        served = [0]

        def behave(seen: Seen, reply: dict[str, Any] = reply, served: list[int] = served) -> Answer:
            served[0] += 1
            usage = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
            return Answer(200, {**chat("B"), **reply, "usage": usage})

        with tempfile.TemporaryDirectory() as name, Loopback(behave) as server:
            folder = Path(name)
            (folder / "prices.toml").write_text(PRICES)
            probes = write_probes(folder / "mine.jsonl", 100, languages=("en",))
            run = ("run", probes, "-m", "openai/m", "--base-url", server.url, "--db", folder / "c.db", "--bootstrap", 0)
            clika(*run, "--max-cost", CEILING, "--prices", folder / "prices.toml", check=None)
        beyond += max(0.0, served[0] * EACH - CEILING)
    return {"runs with a ceiling": len(UNUSABLE), "dollars spent beyond it": round(beyond, 6)}


def main() -> None:
    """Run the passes and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the faults")
    table = list(faults().items())
    table = table[::4] if parser.parse_args().quick else table
    counts, spent = {**lasting(table), **passing(table)}, spend()
    print(json.dumps({"faults": len(table), "questions": 4 * len(table), **counts, **spent}))
    sys.exit(1 if any(counts.values()) or spent["dollars spent beyond it"] else 0)


if __name__ == "__main__":
    main()
