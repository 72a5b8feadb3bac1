"""What is killed, and what must hold afterwards: one round per kind of command and per trouble it meets.

Each round starts commands, kills them at a random moment, looks at what is on disk, and lets a last one end by itself.
The counts say how often a promise was broken; `BROKEN` names them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
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
_MODEL = ("-m", "openai/gpt-4o-mini")
_IN_FLIGHT = 8


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
        self._must("run", self.probes, *_MODEL, "--base-url", self.server.url, "--bootstrap", 0, "--db", self.full_path)
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
        self.counts["ended in a traceback"] += "Traceback" in said or "clika failed" in said

    def whole(self, kind: str, words: tuple[object, ...], db: Path, sizes: set[int]) -> None:
        """Kill a command that keeps all or nothing: the number of replies must be one of these."""
        pid = self.warm.start(*words, "--db", db)
        time.sleep(self.random.uniform(0, self.span_s))
        self.kill(kind, [pid], hard=self.random.random() < 0.7)
        if len(self.stored(db)) not in sizes:
            self.counts["half of something kept"] += 1

    # ---- rounds

    def run(
        self, kind: str, processes: int = 1, meanwhile: Callable[[Path], None] | None = None, **trouble: float
    ) -> None:
        """Kill runs on one file, then let one end: all is answered, nothing stored was asked again."""
        db = self.database()
        words = ("run", self.probes, *_MODEL, "--base-url", self.server.url, "--bootstrap", 0)
        words = (*words, "--concurrency", _IN_FLIGHT, "--db", db)
        for last in (False, self.random.random() < 0.5, True):
            before = self.stored(db)
            self.asked.clear()
            self.served.clear()
            pids = [self.warm.start(*words, **trouble) for _ in range(1 if last else processes)]
            if last:
                code = self.warm.wait(pids[0])
                together = len(self.asked)
                self.check_said(self.warm.said(pids[0]))
                self.counts["never answered"] += code != 0
            else:
                self._until_asked(pids)
                if meanwhile is not None:
                    meanwhile(db)
                time.sleep(self.random.uniform(0, self.span_s))
                # What the first to die had asked without an answer is rightly asked again by the others.
                together = len(self.asked)
                killed = self.kill(kind, pids, hard=self.random.random() < 0.6)
                self._lost(self.stored(db), killed)
            self.counts["stored and asked again"] += len(before & set(self.asked))
            self.counts["asked twice at once"] += together - len(set(self.asked[:together]))
        self.counts["never answered"] += self.items - len(self.stored(db))

    def _until_asked(self, pids: list[int]) -> None:
        until = time.monotonic() + 60
        while not self.asked and time.monotonic() < until and any(self.warm.status(pid) is None for pid in pids[:1]):
            time.sleep(0.005)

    def _lost(self, kept: set[str], killed: float) -> None:
        for text, at in self.served.items():
            if text not in kept and at < killed:
                self.oldest_lost_s = max(self.oldest_lost_s, killed - at)
                self.counts["lost beyond the bound"] += killed - at > self.bound_s

    def locked(self, db: Path) -> None:
        """Another program holds the file for a while; after it has let go, the bound holds again."""
        other = sqlite3.connect(db, isolation_level=None, timeout=30)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(self.random.uniform(0.2, 1.0) * self.locked_s)
        other.execute("COMMIT")
        other.close()
        time.sleep(min(self.bound_s, self.locked_s))

    def copied(self, db: Path) -> None:
        """A copy made while it is written, as a backup program does: read as far as it is sound, or refused."""
        copy = self.database()
        for end in ("", "-wal"):
            if (source := db.with_name(db.name + end)).exists():
                shutil.copyfile(source, copy.with_name(copy.name + end))
        for words in (("cache", "verify"), ("score", "--bootstrap", 0)):
            code, said = self.warm.run(*words, "--db", copy)
            self.check_said(said)
            self.counts["not refused"] += code not in (0, 2)

    def no_room(self, kind: str) -> None:
        """The disk is full after a while, then there is room again."""
        db = self.database()
        words = ("run", self.probes, *_MODEL, "--base-url", self.server.url, "--bootstrap", 0, "--db", db)
        self.asked.clear()
        pid = self.warm.start(*words, file_bytes=self.random.randrange(100_000, 400_000))
        self._until_asked([pid])
        time.sleep(self.random.uniform(0, self.span_s))
        self.kill(kind, [pid], hard=self.random.random() < 0.5)
        before = self.stored(db)
        self.asked.clear()
        code, said = self.warm.run(*words)
        self.check_said(said)
        self.counts["stored and asked again"] += len(before & set(self.asked))
        self.counts["never answered"] += code != 0 or len(self.stored(db)) != self.items

    def read_only(self, kind: str) -> None:
        """A file nobody may write: scored, and refused by everything that would write; it stays as it is."""
        place = self.folder / f"read-only-{self.database().stem}"
        place.mkdir()
        db = shutil.copy(self.full_copy(), place / "c.db")
        before = Path(db).read_bytes()
        os.chmod(db, 0o400)
        os.chmod(place, 0o500)
        commands = (("score", "--bootstrap", 0), ("cache", "import", self.export), ("cache", "merge", self.full_path))
        for words, codes in zip(commands, ((0,), (2,), (2,)), strict=True):
            pid = self.warm.start(*words, "--db", db, read_only=True)
            if self.random.random() < 0.5:
                time.sleep(self.random.uniform(0, self.span_s))
                self.kill(kind, [pid])
                continue
            code = self.warm.wait(pid)
            self.check_said(self.warm.said(pid))
            self.counts["not refused"] += code not in codes
        os.chmod(place, 0o700)
        self.counts["unsound files"] += Path(db).read_bytes() != before

    def full_copy(self) -> Path:
        """A whole copy of it, in one file."""
        copy = self.database()
        source, target = sqlite3.connect(self.full_path), sqlite3.connect(copy)
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        source.close()
        target.close()
        return copy

    def batch(self, kind: str) -> None:
        """Kill the sending and collecting of batches: each question reaches the vendor once, each reply the file."""
        db, first = self.database(), len(self.vendor.batches)
        where = ("--base-url", self.vendor_server.url, "--db", db)
        send = ("run", self.probes, *_MODEL, "--batch", "--limit", 20, *where)
        for words in (send, send, ("batch", "collect", *where), send, ("batch", "collect", *where)):
            pid = self.warm.start(*words, quick=True)
            time.sleep(self.random.uniform(0, self.span_s))
            self.kill(kind, [pid], hard=self.random.random() < 0.7)
        for _ in range(2):
            self._end(*send)
            self._end("batch", "collect", *where)
            for number in self._sending(db):  # the vendor was asked and has it not
                self._end("batch", "forget", number, "--db", db)
        sent = Counter(
            json.loads(line)["custom_id"]
            for batch in list(self.vendor.batches.values())[first:]
            for line in self.vendor.files[batch["input_file_id"]].splitlines()
        )
        self.counts["sent twice"] += sum(n - 1 for n in sent.values())
        self.counts["never answered"] += 20 - len(self.stored(db))

    def _end(self, *words: object) -> None:
        _, said = self.warm.run(*words, quick=True)
        self.check_said(said)

    def _sending(self, db: Path) -> list[int]:
        if not db.exists():
            return []
        connection = sqlite3.connect(db)
        try:
            return [row[0] for row in connection.execute("SELECT id FROM batches WHERE state = 'sending'")]
        finally:
            connection.close()

    def teach(self, kind: str) -> None:
        """Kill the asking of a teaching experiment; the next asks only the rest."""
        out = self.folder / f"experiment-{self.database().stem}"
        words = ("teach", "ask", self.material, *_MODEL, "--when", "after", "-o", out, "--base-url", self.server.url)
        for last in (False, False, True):
            before = self.stored(out / "replies.db")
            self.asked.clear()
            self.served.clear()
            pid = self.warm.start(*words)
            if last:
                self.counts["never answered"] += self.warm.wait(pid) != 0
            else:
                self._until_asked([pid])
                time.sleep(self.random.uniform(0, self.span_s))
                self._lost_after(kind, pid, out / "replies.db")
            self.counts["stored and asked again"] += len(before & set(self.asked))

    def _lost_after(self, kind: str, pid: int, db: Path) -> None:
        killed = self.kill(kind, [pid], hard=self.random.random() < 0.6)
        self._lost(self.stored(db), killed)

    def merge_by_many(self, kind: str) -> None:
        """Two merges and an import into one file at once, killed together."""
        db = self.database()
        several = (("cache", "merge", self.full_path), ("cache", "import", self.export), ("import", self.table))
        pids = [self.warm.start(*words, "--db", db) for words in several]
        time.sleep(self.random.uniform(0, self.span_s))
        self.kill(kind, pids)
        if len(self.stored(db)) not in (0, self.items, 2 * self.items):
            self.counts["half of something kept"] += 1


ROUNDS: dict[str, Callable[[Bench, str], None]] = {
    "run": lambda b, kind: b.run(kind),
    "two runs": lambda b, kind: b.run(kind, 2),
    "four runs": lambda b, kind: b.run(kind, 4),
    "batch": lambda b, kind: b.batch(kind),
    "import of a log": lambda b, kind: b.whole(kind, ("import", b.table), b.database(), {0, b.items}),
    "import of an export": lambda b, kind: b.whole(kind, ("cache", "import", b.export), b.database(), {0, b.items}),
    "merge": lambda b, kind: b.whole(kind, ("cache", "merge", b.full_path), b.database(), {0, b.items}),
    "score": lambda b, kind: b.whole(kind, ("score", "--bootstrap", 0), b.full_copy(), {b.items}),
    "merges and an import at once": lambda b, kind: b.merge_by_many(kind),
    "teach": lambda b, kind: b.teach(kind),
    "disk full": lambda b, kind: b.no_room(kind),
    "read-only": lambda b, kind: b.read_only(kind),
    "locked": lambda b, kind: b.run(kind, meanwhile=b.locked),
    "clock set back": lambda b, kind: b.run(kind, 2, clock_back_s=86_400.0),
    "copied meanwhile": lambda b, kind: b.run(kind, meanwhile=b.copied),
}
