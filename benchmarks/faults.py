"""Every fault of tests/servers/faults.py against a real run: what is lost beside it, and what is asked again.

Three passes: each fault for good on every third question, each fault once, and a second run that may ask only what is
missing. Prints counts; ends with 1 when anything else was lost or asked twice.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from clika import write_probes  # noqa: E402
from servers.faults import faults  # noqa: E402
from servers.loopback import Answer, Loopback, Seen, chat  # noqa: E402

from clika_client import api  # noqa: E402
from clika_client.asking.plan import Asking  # noqa: E402
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


def main() -> None:
    """Run both passes and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the faults")
    table = list(faults().items())
    table = table[::4] if parser.parse_args().quick else table
    counts = {**lasting(table), **passing(table)}
    print(json.dumps({"faults": len(table), "questions": 4 * len(table), **counts}))
    sys.exit(1 if any(counts.values()) else 0)


if __name__ == "__main__":
    main()
