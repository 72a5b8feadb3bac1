"""Kill `clika` at random moments, again and again, and look each time at what is on disk.

A loopback server counts what it served and when. After each kill the file must be sound; every reply served longer than
the stated second before the kill must be there; and nothing that is stored is asked again by the run that resumes.
Kinds: run, two and four runs at once on one file, cache import, cache merge, score. The seed makes a series repeatable.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from clika import COMMAND, write_probes  # noqa: E402
from servers.loopback import Answer, Loopback, Seen, chat  # noqa: E402

BOUND_S = 1.0
"""The promise: a reply that came longer ago than this is on disk, whatever happens."""
KINDS = ("run", "two runs", "four runs", "import", "merge", "score")
ITEMS = 400


class Bench:
    """A folder with a set, a server that remembers when it served which question, and the counts."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.probes = write_probes(folder / "mine.jsonl", ITEMS, languages=("en",))
        self.served: dict[str, float] = {}
        self.asked: list[str] = []
        self.counts: Counter[str] = Counter()
        self.worst_s = 0.0

    def behave(self, seen: Seen) -> Answer:
        """A good answer after 20 ms; the time is noted when it is about to leave."""
        text = seen.json()["messages"][-1]["content"]
        self.asked.append(text)
        self.served[text] = time.monotonic() + 0.02
        return Answer(200, chat("B"), delay_s=0.02)

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """A command in a process of its own."""
        silent = subprocess.DEVNULL
        return subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=silent, stderr=silent, env=dict(os.environ))

    def stored(self, db: Path) -> set[str]:
        """Questions with a reply in a file, which must be sound."""
        if not db.exists():
            return set()
        connection = sqlite3.connect(db)
        try:
            if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                self.counts["unsound files"] += 1
            if connection.execute("PRAGMA foreign_key_check").fetchone():
                self.counts["unsound files"] += 1
            has = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'completions'").fetchone()
            rows = connection.execute("SELECT messages FROM completions JOIN prompts ON hash = prompt") if has else ()
            found = {json.loads(m)[-1][1] for (m,) in rows}
        finally:
            connection.close()
        self.counts["rows checked"] += len(found)
        return found

    def runs(self, url: str, processes: int) -> None:
        """Kill runs on one file until it is whole, or five times."""
        db = self.folder / f"{self.random.random()}.db"
        for _ in range(5):
            before = self.stored(db)
            self.asked.clear()
            self.served.clear()
            arguments = ("run", self.probes, "-m", "openai/m", "--base-url", url, "--bootstrap", 0, "--concurrency", 8)
            started = [self.start(*arguments, "--db", db) for _ in range(processes)]
            asking = time.monotonic() + 30
            while not self.asked and time.monotonic() < asking and any(p.poll() is None for p in started):
                time.sleep(0.01)
            time.sleep(self.random.uniform(0, 1.2))
            hard = self.random.random() < 0.6
            for process in started:
                process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
            killed = time.monotonic()
            for process in started:
                process.wait(60)
            self.counts["kills"] += processes
            self.counts["stored and asked again"] += len(before & set(self.asked))
            self.counts["asked twice at once"] += len(self.asked) - len(set(self.asked))
            kept = self.stored(db)
            for text, at in self.served.items():
                if text not in kept and at < killed:
                    self.worst_s = max(self.worst_s, killed - at)
                    self.counts["lost beyond the bound"] += killed - at > BOUND_S
            if len(kept) == ITEMS:
                return

    def whole(self, command: tuple[object, ...], db: Path, sizes: set[int]) -> None:
        """Kill a command that keeps all or nothing: the number of replies must be one of these."""
        process = self.start(*command, "--db", db)
        time.sleep(self.random.uniform(0.3, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        self.counts["kills"] += 1
        if len(self.stored(db)) not in sizes:
            self.counts["half of something kept"] += 1


def main() -> None:
    """Run the series and print one JSON line; ends with 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="20 kills")
    given = parser.parse_args()
    wanted = 20 if given.quick else given.kills
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), given.seed)
        with Loopback(bench.behave) as server:
            full = bench.folder / "full.db"
            bench.start(
                "run", bench.probes, "-m", "openai/m", "--base-url", server.url, "--bootstrap", 0, "--db", full
            ).wait(120)
            export = bench.folder / "export.jsonl"
            bench.start("cache", "export", "--out", export, "--db", full).wait(60)
            while bench.counts["kills"] < wanted:
                kind = KINDS[bench.random.randrange(len(KINDS))]
                db = bench.folder / f"{bench.random.random()}.db"
                if "run" in kind:
                    bench.runs(server.url, {"run": 1, "two runs": 2, "four runs": 4}[kind])
                elif kind == "import":
                    bench.whole(("cache", "import", export), db, {0, ITEMS})
                elif kind == "merge":
                    bench.whole(("cache", "merge", full), db, {0, ITEMS})
                else:
                    bench.whole(("score", "--bootstrap", 0), full, {ITEMS})
    broken = ("unsound files", "stored and asked again", "lost beyond the bound", "half of something kept")
    counts = {**dict.fromkeys((*broken, "asked twice at once"), 0), **bench.counts}
    print(json.dumps({**counts, "oldest reply lost s": round(bench.worst_s, 3)}))
    sys.exit(1 if any(counts[name] for name in broken) else 0)


if __name__ == "__main__":
    main()
