"""Running the command as a user does, and small probe sets to run it on."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-c", "from clika_client.cli import main; main()"]
KEY = "sk-planted-0123456789abcdef"


def clika(*arguments: object, check: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `clika` in a process of its own; asserts the exit code unless `check` is None."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    if check is not None:
        assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done


def write_probes(path: Path, n: int = 6, languages: tuple[str, ...] = ("en", "de"), k: int = 4) -> Path:
    """A user's JSONL set of `n` items; the gold of item i is i mod k."""
    with path.open("w", encoding="utf-8") as file:
        for i in range(n):
            for language in languages:
                row = {
                    "item_id": f"q{i}",
                    "language": language,
                    "question": f"{language}: question number {i}?",
                    "choices": [f"{language} choice {i}-{j}" for j in range(k)],
                    "gold": i % k,
                    "tags": {"relation": "even" if i % 2 == 0 else "odd"},
                }
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def count(path: Path, table: str = "completions") -> int:
    """Rows of a table of a database file."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


def records(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The records of a command's JSON output."""
    return list(json.loads(done.stdout)["records"])
