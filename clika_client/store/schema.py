"""The evaluation's tables in the cache file, and their rows as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from clika_cache import Migration
from clika_client.store.sql_views import SQL_VIEWS, WRITTEN
from clika_providers import Json, Message

KEY_BYTES = 16
OF_CELLS = (("readings", "cell_id"), ("written_answers", "cell_id"), ("run_cells", "cell_id"), ("cells", "id"))
"""(table, column) of all that belongs to a cell, which goes with it: a later cell may get its number."""
OWN = "own"
"""The `source` of completions this tool asked for itself; imports carry the name of theirs."""

MIGRATIONS: tuple[Migration, ...] = (
    (
        "client_001_initial",
        """
        CREATE TABLE sets (
            id INTEGER PRIMARY KEY,
            digest TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            version TEXT NOT NULL,
            n INTEGER NOT NULL,
            k INTEGER NOT NULL
        );
        -- A set may hold a million questions: its content comes in blocks, so that nobody needs it in one piece.
        CREATE TABLE set_blocks (
            set_id INTEGER NOT NULL REFERENCES sets(id),
            number INTEGER NOT NULL,
            block BLOB NOT NULL,
            PRIMARY KEY (set_id, number)
        );
        CREATE TABLE cells (
            id INTEGER PRIMARY KEY,
            model_id INTEGER NOT NULL REFERENCES models(id),
            source TEXT NOT NULL,
            set_id INTEGER NOT NULL REFERENCES sets(id),
            language TEXT NOT NULL,
            prompt TEXT NOT NULL,
            read TEXT NOT NULL,
            rotation INTEGER NOT NULL,
            repeat INTEGER NOT NULL,
            settings TEXT NOT NULL,
            labels TEXT NOT NULL,
            keys BLOB NOT NULL,
            UNIQUE (model_id, source, set_id, language, prompt, read, rotation, repeat, settings)
        );
        CREATE TABLE readings (
            cell_id INTEGER NOT NULL REFERENCES cells(id),
            reading TEXT NOT NULL,
            stamp TEXT NOT NULL,
            choices BLOB NOT NULL,
            reasons BLOB NOT NULL,
            PRIMARY KEY (cell_id, reading)
        ) WITHOUT ROWID;
        CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            created_at REAL NOT NULL,
            finished_at REAL,
            status TEXT NOT NULL,
            config TEXT NOT NULL,
            notes TEXT NOT NULL DEFAULT '[]'
        );
        CREATE TABLE run_cells (
            run_id TEXT NOT NULL REFERENCES runs(id),
            cell_id INTEGER NOT NULL REFERENCES cells(id),
            positions BLOB NOT NULL,
            PRIMARY KEY (run_id, cell_id)
        ) WITHOUT ROWID;
        CREATE TABLE batches (
            id INTEGER PRIMARY KEY,
            run_id TEXT NOT NULL REFERENCES runs(id),
            model_id INTEGER NOT NULL REFERENCES models(id),
            ticket TEXT NOT NULL,
            state TEXT NOT NULL,
            requests BLOB NOT NULL,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL
        );
        """,
    ),
    ("client_002_ask", "ALTER TABLE cells RENAME COLUMN read TO ask"),
    (
        "client_003_times",
        """
        ALTER TABLE sets ADD COLUMN created_at REAL NOT NULL DEFAULT 0;
        -- What concerned one run only, such as why it stopped; notes are what a reader of the scores must know.
        ALTER TABLE runs ADD COLUMN events TEXT NOT NULL DEFAULT '[]';
        """,
    ),
    (
        "client_004_batches",
        """
        ALTER TABLE batches ADD COLUMN refresh INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE batches ADD COLUMN price TEXT;
        """,
    ),
    (
        "client_005_judgements",
        """
        CREATE TABLE judgements (
            key BLOB NOT NULL,
            judge TEXT NOT NULL,
            verdict TEXT NOT NULL,
            language TEXT,
            created_at REAL NOT NULL,
            PRIMARY KEY (key, judge)
        ) WITHOUT ROWID;
        """,
    ),
    ("client_006_sql", SQL_VIEWS),
    ("client_007_written", WRITTEN),
)


@dataclass(frozen=True, slots=True)
class CellKey:
    """What makes a cell itself; equal keys are one cell, whichever run asked it."""

    model: str
    """The row's name: a model spec, or the name an import gives."""
    identity: str
    """Canonical JSON of the provider's identity; two identities are never one row."""
    set_id: int
    language: str
    prompt: str
    ask: str
    source: str = OWN
    rotation: int = 0
    repeat: int = 0
    settings: str = "{}"
    """Canonical JSON of sampling settings that differ from the defaults."""


@dataclass(frozen=True, slots=True)
class SetInfo:
    """What is known of a stored set without reading it."""

    set_id: int
    name: str
    n: int
    created_at: float
    """Unix time at which it was first asked or imported."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One stored cell."""

    cell_id: int
    key: CellKey
    labels: tuple[str, ...]
    read_keys: Callable[[int], bytes] = field(compare=False, repr=False)
    """Reads them from the file: of ten million replies they would fill the memory."""

    @property
    def keys(self) -> bytes:
        """n x 16 bytes: the content key per item of the set, zeros where never asked."""
        return self.read_keys(self.cell_id)

    def asked(self) -> npt.NDArray[np.int64]:
        """Item positions that were ever asked, ascending; shape (asked,)."""
        grid = np.frombuffer(self.keys, dtype=np.uint8).reshape(-1, KEY_BYTES)
        return np.flatnonzero(grid.any(axis=1))

    def key_at(self, position: int) -> bytes:
        """The content key of one item."""
        return self.keys_at([position])[0]

    def keys_at(self, positions: Iterable[int]) -> list[bytes]:
        """The content keys of some items."""
        keys = self.keys
        return [keys[int(p) * KEY_BYTES : (int(p) + 1) * KEY_BYTES] for p in positions]


@dataclass(frozen=True, slots=True)
class StoredReplies:
    """The stored replies of one cell, aligned by row."""

    positions: npt.NDArray[np.int64]
    texts: list[str]
    finish: list[str | None]
    logprobs: list[tuple[float | None, ...] | None]
    option_figures: list[str | None]
    """JSON of what likelihoods were made of; see `clika_cache.completions.read_figures`."""


@dataclass(frozen=True, slots=True)
class ImportedReply:
    """One reply that somebody else collected."""

    position: int
    item_id: str
    messages: tuple[Message, ...]
    text: str | None
    """None: the question was asked and the request failed, a missing answer."""
    finish_reason: str | None = None
    raw: str | None = None
    choice_logprobs: tuple[float | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One invocation as stored."""

    run_id: str
    created_at: float
    finished_at: float | None
    status: str
    config: Mapping[str, Json]
    notes: tuple[str, ...] = ()
    """What a reader of the scores must know: fallbacks, dropped parameters."""
    events: tuple[str, ...] = ()
    """What concerned this run only: why it stopped, what it cost."""
