"""Claims: several processes with the same questions share one file, and each question is asked by one of them.

A process takes the keys it is about to ask, in small blocks, before it asks; whoever finds a key taken leaves it, and
looks later whether the reply has come. The writer drops a claim in the transaction that stores what became of it.

A claim outlives a killed process, so each claimant shows that it lives: its process exists (looked up on the same
machine), and its beat is counted up every few seconds. Beats are compared with what was seen before, never with a
clock, which may be set back or differ between machines.
"""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clika_cache.database import Database
from clika_cache.errors import CacheError

BEAT_S = 5.0
SILENT_S = 60.0
"""A claimant whose beat stands still for so long is taken for dead."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the keys one wanted to ask."""

    mine: frozenset[bytes]
    """To be asked here."""
    answered: frozenset[bytes]
    """Answered meanwhile, by another process."""


class Claims:
    """The claims of one writer's process on one file; its methods may be called from any thread."""

    def __init__(self, database: Database, *, silent_s: float = SILENT_S) -> None:
        self._database = database
        self._silent_s = silent_s
        self._mutex = threading.Lock()
        self._own: Database | None = None
        self._name = secrets.token_hex(8)
        self._known = False
        self._beats: dict[str, tuple[int, float]] = {}
        self._last_beat = time.monotonic()

    @property
    def beat_seconds(self) -> float | None:
        """How often `beat` is due; None while nothing was ever claimed."""
        return BEAT_S if self._known else None

    def take(self, keys: Sequence[bytes]) -> Taken:
        """Claim what is neither answered nor being asked by another process."""
        with self._mutex:
            if self._own is None:
                self._own = self._database.twin()
            with self._own.writing() as connection:
                # Within the lock: an answer that is stored takes its claim away with it.
                answered = frozenset(_some(self._own, "SELECT key FROM completions WHERE key IN ({marks})", keys))
                wanted = [k for k in keys if k not in answered]
                self._introduce(connection)
                held = {
                    k: str(name)
                    for k, name in self._own.many("SELECT key, claimant FROM claims WHERE key IN ({marks})", wanted)
                    if name != self._name
                }
                dead = {name for name in set(held.values()) if not self._lives(connection, name)}
                for name in dead:
                    connection.execute("DELETE FROM claims WHERE claimant = ?", (name,))
                    connection.execute("DELETE FROM claimants WHERE name = ?", (name,))
                mine = [k for k in wanted if held.get(k) is None or held[k] in dead]
                connection.executemany(
                    "INSERT OR IGNORE INTO claims (key, claimant) VALUES (?, ?)", [(k, self._name) for k in mine]
                )
            return Taken(frozenset(mine), answered)

    def give_up(self, keys: Sequence[bytes]) -> None:
        """Leave to others what was taken and will not be asked here after all."""
        with self._mutex, suppress(CacheError):
            if keys and self._own is not None:
                with self._own.writing() as connection:
                    self.drop(connection, keys)

    def drop(self, connection: sqlite3.Connection, keys: Sequence[bytes]) -> None:
        """Give up claims inside the caller's transaction, which stores what became of them; beats when it is due.

        A process that stores replies all the time never waits long enough to beat for its own sake.
        """
        if self._known:
            connection.executemany("DELETE FROM claims WHERE key = ? AND claimant = ?", [(k, self._name) for k in keys])
            if time.monotonic() - self._last_beat >= BEAT_S:
                self._beat(connection)

    def beat(self, database: Database) -> None:
        """Show that this process lives; a file that is locked just now is tried at the next beat."""
        with suppress(CacheError), database.writing() as connection:
            self._beat(connection)

    def _beat(self, connection: sqlite3.Connection) -> None:
        self._last_beat = time.monotonic()
        connection.execute("UPDATE claimants SET beat = beat + 1 WHERE name = ?", (self._name,))

    def leave(self, database: Database) -> None:
        """Give up all claims of this process."""
        with self._mutex:
            if self._own is not None:
                self._own.close()
                self._own = None
            if self._known:
                with suppress(CacheError), database.writing() as connection:
                    connection.execute("DELETE FROM claims WHERE claimant = ?", (self._name,))
                    connection.execute("DELETE FROM claimants WHERE name = ?", (self._name,))

    def _introduce(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT OR IGNORE INTO claimants (name, place, pid, started, beat) VALUES (?,?,?,?,0)",
            (self._name, _place(), os.getpid(), _started(os.getpid())),
        )
        self._known = True

    def _lives(self, connection: sqlite3.Connection, name: str) -> bool:
        row = connection.execute("SELECT place, pid, started, beat FROM claimants WHERE name = ?", (name,)).fetchone()
        if row is None:
            return False
        place, pid, started, beat = row
        if place == _place() and not _runs(pid, started):
            return False
        now = time.monotonic()
        seen, since = self._beats.get(name, (None, now))
        if seen != beat:
            self._beats[name] = (beat, now)
            return True
        return now - since < self._silent_s


def _some(database: Database, sql: str, keys: Sequence[bytes]) -> list[bytes]:
    return [bytes(row[0]) for row in database.many(sql, list(keys))]  # type: ignore[call-overload]


def _place() -> str:
    """Where process numbers mean the same: the machine and, in containers, the numbering they are in."""
    numbering = ""
    with suppress(OSError):
        numbering = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()} {numbering}".strip()


def _runs(pid: int, started: str) -> bool:
    """Whether that very process still runs; True where it cannot be told."""
    if os.name != "posix":
        return True  # there, signal 0 is no question
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not started or _started(pid) in ("", started)


def _started(pid: int) -> str:
    """When a process began, as the kernel counts it, so that a reused number is not taken for it; else empty.

    One that is dead and only waits for its parent to look after it has no beginning any more.
    """
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()
        return "dead" if fields[0] in (b"Z", b"X") else fields[19].decode()
    return ""
