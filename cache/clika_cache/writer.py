"""Write-through: one thread that puts replies on disk soon after their arrival, and never lets go of one.

What it does when it cannot write:
- another program holds the file: it keeps what arrived and tries until the file is free; `behind` tells the askers
  to pause meanwhile;
- a row is refused: the batch is written row by row, and the row kept as an attempt that says why;
- anything else (the disk is full, the file is gone): the next `put` raises, so that no run goes on paying for replies
  that cannot be kept. What was queued is tried once more when the writer is closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from clika_cache.claims import Claims
from clika_cache.completions import StoredAttempt, StoredReply, insert, insert_attempts
from clika_cache.database import Database
from clika_cache.errors import CacheError

BATCH_ROWS = 1000
BATCH_SECONDS = 0.1
LATE_SECONDS = 1.0
"""Replies that wait longer than this for the disk stop further asking."""
_TELL_AFTER_S = 5.0

Entry = StoredReply | StoredAttempt


class Writer:
    """Accepts replies from any thread and commits them in batches.

    `tell` is given a sentence when the user should know why nothing moves. The thread is woken once per batch, not
    once per reply: each wake-up takes the interpreter from the event loop, which at hundreds of replies a second
    costs more than writing them.
    """

    def __init__(self, database: Database, *, tell: Callable[[str], None] = lambda _: None) -> None:
        self._database = database
        self._tell = tell
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._writing: list[Entry] = []
        self._held: dict[bytes, StoredReply] = {}
        self._waiting: list[threading.Event] = []
        self._arrived, self._hurry, self._let_go = threading.Event(), threading.Event(), threading.Event()
        self._closing = False
        self._error: BaseException | None = None
        self._oldest: float | None = None
        self.written = 0
        """Entries on disk."""
        self.claims = Claims(database)
        self._thread = threading.Thread(target=self._work, name="clika-writer", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> bool:
        """Whether a reply has waited for the disk for over a second: time to stop asking for more."""
        oldest = self._oldest
        return oldest is not None and time.monotonic() - oldest > LATE_SECONDS

    @property
    def unwritten(self) -> int:
        """Entries that are in memory only."""
        return len(self._entries) + len(self._writing)

    def held(self, key: bytes) -> StoredReply | None:
        """The reply to a question that arrived and is not in the file yet.

        Whoever wants to know whether a question is answered looks here first and in the file then: the other way
        round, a reply that is written between the two looks is seen in neither.
        """
        return self._held.get(key)

    def put(self, entry: Entry) -> None:
        """Queue one entry; raises CacheError when an earlier one could not be written (this one is queued too)."""
        with self._lock:
            self._entries.append(entry)
            if isinstance(entry, StoredReply):
                self._held[entry.key] = entry
            queued = len(self._entries)
            if self._oldest is None:
                self._oldest = time.monotonic()
        self.check()
        if queued == 1:
            self._arrived.set()
        elif queued == BATCH_ROWS:
            self._hurry.set()

    def check(self) -> None:
        """Raise the CacheError that keeps this writer from writing, if there is one."""
        if self._error is not None:
            raise CacheError(self._complaint()) from self._error

    def flush(self) -> None:
        """Return once everything put before is committed."""
        done = threading.Event()
        with self._lock:
            self._waiting.append(done)
        self._wake()
        while not done.wait(0.1):
            if not self._thread.is_alive():
                break
        self.check()

    def close(self) -> None:
        """Commit what is queued and end the thread; Ctrl-C while another program holds the file gives up."""
        self._closing = True
        self._wake()
        try:
            self._thread.join()
        except BaseException:
            self._let_go.set()
            if self.unwritten:
                self._tell(f"{self._database.path}: {self._count(self.unwritten)} in memory could not be written")
            raise
        if self._error is not None and self.unwritten:
            self._try_again()
        self.check()

    def _wake(self) -> None:
        self._hurry.set()
        self._arrived.set()

    def _complaint(self) -> str:
        kept = f"{self.written} of this run are on disk"
        lost = f"{self.unwritten} that arrived are not and will be asked again" if self.unwritten else "none is missing"
        return f"{self._error}. Replies: {kept}, {lost}"

    def _count(self, n: int) -> str:
        return "1 reply" if n == 1 else f"{n} replies"

    def _work(self) -> None:
        database: Database | None = None
        waiting: list[threading.Event] = []
        try:
            database = self._database.twin(busy_timeout_s=LATE_SECONDS)
            closing = False
            while not closing:
                waiting, closing = self._collect(database)
                self._write_all(database)
                for event in waiting:
                    event.set()
            self.claims.leave(database)
        except BaseException as error:
            self._error = error
            for event in waiting:
                event.set()
        finally:
            if database is not None:
                database.close()

    def _collect(self, database: Database) -> tuple[list[threading.Event], bool]:
        """Wait for entries; returns the events to set once they are written, and whether to end after it."""
        while not self._arrived.wait(self.claims.beat_seconds):
            self.claims.beat(database)
        self._hurry.wait(BATCH_SECONDS)
        with self._lock:
            self._arrived.clear()
            self._hurry.clear()
            self._writing, self._entries = self._entries, []
            waiting, self._waiting = self._waiting, []
            return waiting, self._closing

    def _write_all(self, database: Database) -> None:
        while self._writing:
            part = self._writing[:BATCH_ROWS]
            self._write_patiently(database, part)
            with self._lock:
                del self._writing[:BATCH_ROWS]
                self.written += len(part)
                for entry in part:
                    if self._held.get(entry.key) is entry:
                        del self._held[entry.key]
                if not self._writing:
                    self._oldest = time.monotonic() if self._entries else None

    def _write_patiently(self, database: Database, part: Sequence[Entry]) -> None:
        """Write, however long another program holds the file."""
        since, told = time.monotonic(), False
        while True:
            try:
                _write(database, part, self.claims)
                return
            except CacheError as error:
                if error.kind != "locked" or self._let_go.is_set():
                    raise
            if not told and time.monotonic() - since > _TELL_AFTER_S:
                told = True
                self._tell(
                    f"{database.path} is locked by another program: asking pauses, {self._count(self.unwritten)} wait "
                    "in memory until it lets go"
                )

    def _try_again(self) -> None:
        """A last attempt to keep what is queued: somebody may have made room on the disk."""
        try:
            with self._database.twin() as database:
                self._writing += self._entries
                self._entries = []
                self._write_all(database)
        except CacheError as error:
            self._error = error


def _write(database: Database, entries: Sequence[Entry], claims: Claims) -> None:
    try:
        with database.writing() as connection:
            insert(connection, [e for e in entries if isinstance(e, StoredReply)])
            insert_attempts(connection, [e for e in entries if isinstance(e, StoredAttempt)])
            claims.drop(connection, [e.key for e in entries])
    except CacheError as error:
        if error.kind != "row":
            raise
        _write_each(database, entries, claims)


def _write_each(database: Database, entries: Sequence[Entry], claims: Claims) -> None:
    """One row at a time: those the file refuses become attempts that say why, the others are kept."""
    for entry in entries:
        try:
            with database.writing() as connection:
                if isinstance(entry, StoredReply):
                    insert(connection, [entry])
                else:
                    insert_attempts(connection, [entry])
                claims.drop(connection, [entry.key])
        except CacheError as error:
            if error.kind != "row":
                raise
            with database.writing() as connection:
                insert_attempts(
                    connection,
                    [StoredAttempt(entry.key, entry.model_id, "unstorable", f"the file refused it: {error}")],
                )
                claims.drop(connection, [entry.key])
