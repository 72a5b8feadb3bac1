"""Write-through: one thread that puts replies on disk within a tenth of a second of their arrival."""

from __future__ import annotations

import threading

from clika_cache.completions import StoredAttempt, StoredReply, insert, insert_attempts
from clika_cache.database import Database
from clika_cache.errors import CacheError

BATCH_ROWS = 1000
BATCH_SECONDS = 0.1


class Writer:
    """Accepts replies from any thread and commits them in batches.

    A failure to write stops acceptance: the next `put` raises the CacheError, so that no run goes on
    paying for replies that cannot be kept.

    The thread is woken once per batch, not once per reply: each wake-up takes the interpreter from the
    event loop, which at hundreds of replies a second costs more than writing them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._entries: list[StoredReply | StoredAttempt] = []
        self._waiting: list[threading.Event] = []
        self._arrived, self._hurry = threading.Event(), threading.Event()
        self._closing = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="clika-writer", daemon=True)
        self._thread.start()

    def put(self, entry: StoredReply | StoredAttempt) -> None:
        """Queue one entry; raises CacheError when an earlier one could not be written."""
        self._raise_if_failed()
        with self._lock:
            self._entries.append(entry)
            queued = len(self._entries)
        if queued == 1:
            self._arrived.set()
        elif queued == BATCH_ROWS:
            self._hurry.set()

    def flush(self) -> None:
        """Return once everything put before is committed."""
        done = threading.Event()
        with self._lock:
            self._waiting.append(done)
        self._wake()
        while not done.wait(0.1):
            if not self._thread.is_alive():
                break
        self._raise_if_failed()

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        self._closing = True
        self._wake()
        self._thread.join()
        self._raise_if_failed()

    def _wake(self) -> None:
        self._hurry.set()
        self._arrived.set()

    def _raise_if_failed(self) -> None:
        if self._error is not None:
            raise CacheError(str(self._error)) from self._error

    def _work(self) -> None:
        database: Database | None = None
        waiting: list[threading.Event] = []
        try:
            database = self._database.twin()
            closing = False
            while not closing:
                entries, waiting, closing = self._collect()
                for start in range(0, len(entries), BATCH_ROWS):
                    _write(database, entries[start : start + BATCH_ROWS])
                for event in waiting:
                    event.set()
        except BaseException as error:
            self._error = error
            for event in waiting:
                event.set()
        finally:
            if database is not None:
                database.close()

    def _collect(self) -> tuple[list[StoredReply | StoredAttempt], list[threading.Event], bool]:
        """What came since the last batch, the events to set once it is written, and whether to end after it."""
        self._arrived.wait()
        self._hurry.wait(BATCH_SECONDS)
        with self._lock:
            self._arrived.clear()
            self._hurry.clear()
            entries, self._entries = self._entries, []
            waiting, self._waiting = self._waiting, []
            return entries, waiting, self._closing


def _write(database: Database, entries: list[StoredReply | StoredAttempt]) -> None:
    with database.writing() as connection:
        insert(connection, [e for e in entries if isinstance(e, StoredReply)])
        insert_attempts(connection, [e for e in entries if isinstance(e, StoredAttempt)])
