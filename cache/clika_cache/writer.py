"""Write-through: one thread that puts replies on disk within a quarter of a second of their arrival."""

from __future__ import annotations

import queue
import threading
import time

from clika_cache.completions import StoredAttempt, StoredReply, insert, insert_attempts
from clika_cache.database import Database
from clika_cache.errors import CacheError

BATCH_ROWS = 1000
BATCH_SECONDS = 0.25
_Entry = StoredReply | StoredAttempt | threading.Event | None


class Writer:
    """Accepts replies from any thread and commits them in batches.

    A failure to write stops acceptance: the next `put` raises the CacheError, so that no run goes on
    paying for replies that cannot be kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: queue.SimpleQueue[_Entry] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="clika-writer", daemon=True)
        self._thread.start()

    def put(self, entry: StoredReply | StoredAttempt) -> None:
        """Queue one entry; raises CacheError when an earlier one could not be written."""
        self._raise_if_failed()
        self._queue.put(entry)

    def flush(self) -> None:
        """Return once everything put before is committed."""
        done = threading.Event()
        self._queue.put(done)
        while not done.wait(0.1):
            if not self._thread.is_alive():
                break
        self._raise_if_failed()

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._raise_if_failed()

    def _raise_if_failed(self) -> None:
        if self._error is not None:
            raise CacheError(str(self._error)) from self._error

    def _work(self) -> None:
        database: Database | None = None
        waiting: list[threading.Event] = []
        try:
            database = self._database.twin()
            running = True
            while running:
                entries, waiting, running = self._collect()
                if entries:
                    with database.writing() as connection:
                        insert(connection, [e for e in entries if isinstance(e, StoredReply)])
                        insert_attempts(connection, [e for e in entries if isinstance(e, StoredAttempt)])
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
        """Entries for one transaction, the events to set after it, and whether to go on."""
        entries: list[StoredReply | StoredAttempt] = []
        deadline: float | None = None
        while len(entries) < BATCH_ROWS:
            try:
                wait = None if deadline is None else max(0.0, deadline - time.monotonic())
                entry = self._queue.get(timeout=wait)
            except queue.Empty:
                break
            if entry is None:
                return entries, [], False
            if isinstance(entry, threading.Event):
                return entries, [entry], True
            entries.append(entry)
            deadline = deadline or time.monotonic() + BATCH_SECONDS
        return entries, [], True
