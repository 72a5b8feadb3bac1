"""The cache's own tables, as named migrations that are applied once and in order."""

from __future__ import annotations

import sqlite3

Migration = tuple[str, str]
"""A name that never changes once released, and the SQL script it stands for."""

MIGRATIONS: tuple[Migration, ...] = (
    (
        "cache_001_initial",
        """
        CREATE TABLE models (
            id INTEGER PRIMARY KEY,
            spec TEXT NOT NULL,
            identity TEXT NOT NULL UNIQUE
        );
        CREATE TABLE prompts (
            hash BLOB PRIMARY KEY,
            messages TEXT NOT NULL
        );
        -- A rowid table on purpose: WITHOUT ROWID with random keys and long rows is three times slower.
        CREATE TABLE completions (
            key BLOB PRIMARY KEY,
            model_id INTEGER NOT NULL REFERENCES models(id),
            source TEXT NOT NULL DEFAULT 'own',
            prompt BLOB NOT NULL REFERENCES prompts(hash),
            text TEXT NOT NULL,
            finish_reason TEXT,
            choice_logprobs TEXT,
            thinking TEXT,
            input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER, reasoning_tokens INTEGER,
            cost REAL,
            model_served TEXT,
            fingerprint TEXT,
            raw TEXT,
            latency_s REAL,
            created_at REAL NOT NULL
        );
        CREATE INDEX completions_model ON completions(model_id);
        CREATE TABLE attempts (
            id INTEGER PRIMARY KEY,
            key BLOB NOT NULL,
            model_id INTEGER NOT NULL REFERENCES models(id),
            kind TEXT NOT NULL,
            status INTEGER,
            message TEXT NOT NULL,
            raw TEXT,
            input_tokens INTEGER, output_tokens INTEGER,
            cost REAL,
            created_at REAL NOT NULL
        );
        CREATE INDEX attempts_key ON attempts(key);
        -- Raised when a stored completion is replaced, so that whatever was derived from it is redone.
        CREATE TABLE generation (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL);
        INSERT INTO generation VALUES (1, 0);
        """,
    ),
    # What each option's likelihood was made of: JSON with a list per name, see `completions.figures_text`.
    ("cache_002_option_figures", "ALTER TABLE completions ADD COLUMN option_figures TEXT"),
    (
        "cache_003_claims",
        """
        -- Who is asking which question just now, so that processes sharing a file do not pay for one twice.
        CREATE TABLE claimants (
            name TEXT PRIMARY KEY,
            place TEXT NOT NULL,
            pid INTEGER NOT NULL,
            started TEXT NOT NULL,
            beat INTEGER NOT NULL
        );
        CREATE TABLE claims (
            key BLOB PRIMARY KEY,
            claimant TEXT NOT NULL REFERENCES claimants(name)
        ) WITHOUT ROWID;
        CREATE INDEX claims_claimant ON claims(claimant);
        """,
    ),
    (
        "cache_004_replaced",
        """
        -- What stood in a completion's place before it was asked again, so that two runs in time can be compared.
        CREATE TABLE replaced (
            key BLOB NOT NULL,
            model_id INTEGER NOT NULL,
            text TEXT NOT NULL,
            finish_reason TEXT,
            choice_logprobs TEXT,
            option_figures TEXT,
            created_at REAL NOT NULL,
            replaced_at REAL NOT NULL
        );
        CREATE INDEX replaced_key ON replaced(key);
        """,
    ),
)


def apply(connection: sqlite3.Connection, migrations: tuple[Migration, ...]) -> None:
    """Apply what is pending, under a write lock so that two starting processes do not both try."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = applied(connection)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS clika_migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)"
        )
        for name, script in migrations:
            if name in done:
                continue
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute("INSERT INTO clika_migrations VALUES (?, datetime('now'))", (name,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has undone it already
            connection.execute("ROLLBACK")
        raise


def applied(connection: sqlite3.Connection) -> set[str]:
    """Names of the migrations this file already has."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'clika_migrations'").fetchone()
    if not found:
        return set()
    return {name for (name,) in connection.execute("SELECT name FROM clika_migrations")}


def _statements(script: str) -> list[str]:
    """The script's statements; `executescript` would commit the surrounding transaction."""
    plain = "\n".join(line for line in script.splitlines() if not line.strip().startswith("--"))
    return [part for part in (piece.strip() for piece in plain.split(";")) if part]
