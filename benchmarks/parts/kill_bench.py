"""Where commands are killed: files, servers that remember what they were asked, and counts of promises broken."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from clika import write_probes
from servers.loopback import Answer, Loopback, Seen, chat
from servers.vendor import Vendor
from warm import Warm

BROKEN = (
    "unsound files", "stored and asked again", "lost beyond the bound", "half of something kept", "sent twice",
    "never answered", "ended in a traceback", "not refused",
)  # fmt: skip
MODEL = ("-m", "openai/gpt-4o-mini")


class Bench:
    """A folder with a set, servers that remember what they were asked and when, and the counts."""

    def __init__(
        self, folder: Path, warm: Warm, seed: int, *, items: int, bound_s: float, span_s: float, locked_s: float
    ) -> None:
        self.folder, self.warm, self.random = folder, warm, random.Random(seed)
        self.items, self.bound_s, self.span_s, self.locked_s = items, bound_s, span_s, locked_s
        self.probes = write_probes(folder / "mine.jsonl", items, languages=("en",))
        self.served: dict[str, float] = {}
        self.asked: list[str] = []
        self.counts: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.oldest_lost_s = 0.0
        self.server = Loopback(self._answer)
        self.vendor = Vendor()
        self.vendor_server = Loopback(self.vendor)
        self._files = 0

    def _answer(self, seen: Seen) -> Answer:
        """A good answer after 10 ms; the time is noted when it is about to leave."""
        text = seen.json()["messages"][-1]["content"]
        self.asked.append(text)
        self.served[text] = time.monotonic() + 0.01
        return Answer(200, chat("B"), delay_s=0.01)

    def prepare(self) -> None:
        """What the rounds read: a database with all answers, its export, a table, and material for teaching."""
        self.full_path = self.folder / "full.db"
        self.export, self.table = self.folder / "export.jsonl", self.folder / "table.jsonl"
        self.material = self.folder / "material"
        self._must("run", self.probes, *MODEL, "--base-url", self.server.url, "--bootstrap", 0, "--db", self.full_path)
        self._must("cache", "export", "--out", self.export, "--db", self.full_path)
        small = ("--continents", 3, "--places", 8, "--k", 3)
        self._must("teach", "build", "-l", "de", "-o", self.material, *small)
        with self.table.open("w", encoding="utf-8") as file:
            for n in range(self.items):
                row = {"model": "m", "item_id": f"q{n}", "language": "en", "question": f"{n}?", "choices": ["x", "y"],
                       "gold": "A", "text": "A"}  # fmt: skip
                file.write(json.dumps(row) + "\n")

    def _must(self, *words: object) -> None:
        code, said = self.warm.run(*words)
        if code:
            raise RuntimeError(f"{words} ended with {code}:\n{said}")

    def database(self) -> Path:
        """A new database file's path."""
        self._files += 1
        return self.folder / f"{self._files}.db"

    # ---- looking

    def stored(self, db: Path) -> set[str]:
        """Questions with a reply in a file, which must be sound."""
        if not db.exists() or not db.stat().st_size:
            return set()
        connection = sqlite3.connect(db)
        try:
            if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                self.counts["unsound files"] += 1
            if connection.execute("PRAGMA foreign_key_check").fetchone():
                self.counts["unsound files"] += 1
            has = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'completions'").fetchone()
            query = "SELECT p.messages, hex(c.key) FROM completions c JOIN prompts p ON p.hash = c.prompt"
            rows = connection.execute(query).fetchall() if has else []
        finally:
            connection.close()
        self.counts["rows checked"] += len(rows)
        # A reply from a log may have come without its prompt.
        return {turns[-1][1] if (turns := json.loads(messages)) else key for messages, key in rows}

    def kill(self, kind: str, pids: list[int], *, hard: bool = True) -> float:
        """Kill, wait until they are gone; returns the moment of the kill."""
        moment = time.monotonic()
        for pid in pids:
            self.warm.kill(pid, signal.SIGKILL if hard else signal.SIGTERM)
        for pid in pids:
            self.warm.wait(pid)
            self.kills[kind] += 1
            self.check_said(self.warm.said(pid))
        return moment

    def check_said(self, said: str) -> None:
        """No command may end in an error of its own making."""
        if "Traceback" in said or "clika failed" in said:
            self.counts["ended in a traceback"] += 1
            print(said, file=sys.stderr, flush=True)

    def whole(self, kind: str, words: tuple[object, ...], db: Path, sizes: set[int]) -> None:
        """Kill a command that keeps all or nothing: the number of replies must be one of these."""
        pid = self.warm.start(*words, "--db", db)
        time.sleep(self.random.uniform(0, self.span_s))
        self.kill(kind, [pid], hard=self.random.random() < 0.7)
        if len(self.stored(db)) not in sizes:
            self.counts["half of something kept"] += 1

    def until_asked(self, pids: list[int]) -> None:
        """Wait for the first question, a minute at most."""
        until = time.monotonic() + 60
        while not self.asked and time.monotonic() < until and any(self.warm.status(pid) is None for pid in pids[:1]):
            time.sleep(0.005)

    def note_lost(self, kept: set[str], killed: float) -> None:
        """Note replies that had left the server before the kill and are not kept."""
        for text, at in self.served.items():
            if text not in kept and at < killed:
                self.oldest_lost_s = max(self.oldest_lost_s, killed - at)
                self.counts["lost beyond the bound"] += killed - at > self.bound_s

    def end(self, *words: object) -> None:
        """Let a command end by itself."""
        _, said = self.warm.run(*words, quick=True)
        self.check_said(said)
