"""What is killed, and what must hold afterwards: one round per kind of command and per trouble it meets.

Each round starts commands, kills them at a random moment, looks at what is on disk, and lets a last one end by itself.
The counts say how often a promise was broken; `kill_bench.BROKEN` names them.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from kill_bench import MODEL, Bench

_IN_FLIGHT = 8


class Rounds(Bench):
    """Everything that is killed, one method per kind of round."""

    def run(
        self, kind: str, processes: int = 1, meanwhile: Callable[[Path], None] | None = None, **trouble: float
    ) -> None:
        """Kill runs on one file, then let one end: all is answered, nothing stored was asked again."""
        db = self.database()
        words = ("run", self.probes, *MODEL, "--base-url", self.server.url, "--bootstrap", 0)
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
                self.until_asked(pids)
                if meanwhile is not None:
                    meanwhile(db)
                time.sleep(self.random.uniform(0, self.span_s))
                # What the first to die had asked without an answer is rightly asked again by the others.
                together = len(self.asked)
                killed = self.kill(kind, pids, hard=self.random.random() < 0.6)
                self.note_lost(self.stored(db), killed)
            self.counts["stored and asked again"] += len(before & set(self.asked))
            self.counts["asked twice at once"] += together - len(set(self.asked[:together]))
        self.counts["never answered"] += self.items - len(self.stored(db))

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
        words = ("run", self.probes, *MODEL, "--base-url", self.server.url, "--bootstrap", 0, "--db", db)
        self.asked.clear()
        pid = self.warm.start(*words, file_bytes=self.random.randrange(100_000, 400_000))
        self.until_asked([pid])
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
        send = ("run", self.probes, *MODEL, "--batch", "--limit", 20, *where)
        for words in (send, send, ("batch", "collect", *where), send, ("batch", "collect", *where)):
            pid = self.warm.start(*words, quick=True)
            time.sleep(self.random.uniform(0, self.span_s))
            self.kill(kind, [pid], hard=self.random.random() < 0.7)
        for _ in range(2):
            self.end(*send)
            self.end("batch", "collect", *where)
            for number in self._sending(db):  # the vendor was asked and has it not
                self.end("batch", "forget", number, "--db", db)
        sent = Counter(
            json.loads(line)["custom_id"]
            for batch in list(self.vendor.batches.values())[first:]
            for line in self.vendor.files[batch["input_file_id"]].splitlines()
        )
        self.counts["sent twice"] += sum(n - 1 for n in sent.values())
        self.counts["never answered"] += 20 - len(self.stored(db))

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
        words = ("teach", "ask", self.material, *MODEL, "--when", "after", "-o", out, "--base-url", self.server.url)
        for last in (False, False, True):
            before = self.stored(out / "replies.db")
            self.asked.clear()
            self.served.clear()
            pid = self.warm.start(*words)
            if last:
                self.counts["never answered"] += self.warm.wait(pid) != 0
            else:
                self.until_asked([pid])
                time.sleep(self.random.uniform(0, self.span_s))
                self._lost_after(kind, pid, out / "replies.db")
            self.counts["stored and asked again"] += len(before & set(self.asked))

    def _lost_after(self, kind: str, pid: int, db: Path) -> None:
        killed = self.kill(kind, [pid], hard=self.random.random() < 0.6)
        self.note_lost(self.stored(db), killed)

    def merge_by_many(self, kind: str) -> None:
        """Two merges and an import into one file at once, killed together."""
        db = self.database()
        several = (("cache", "merge", self.full_path), ("cache", "import", self.export), ("import", self.table))
        pids = [self.warm.start(*words, "--db", db) for words in several]
        time.sleep(self.random.uniform(0, self.span_s))
        self.kill(kind, pids)
        if len(self.stored(db)) not in (0, self.items, 2 * self.items):
            self.counts["half of something kept"] += 1


ROUNDS: dict[str, Callable[[Rounds, str], None]] = {
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
