"""Running the command as a user does, and small probe sets to run it on."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clika_client.cli.app import run as run_command

COMMAND = [sys.executable, "-c", "from clika_client.cli import main; main()"]
KEY = "sk-planted-0123456789abcdef"
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def clika(*arguments: object, check: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `clika` in this process; asserts the exit code unless `check` is None.

    A process of its own costs ten times as much; `clika_process` starts one where a test is about processes.
    """
    words = list(map(str, arguments))
    out, err = _Text(), _Text()
    with (
        _environment(environment), _signals(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    ):  # fmt: skip
        try:
            run_command(words)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
        else:
            code = 0
    return _checked(subprocess.CompletedProcess(words, code, out.text(), err.text()), check)


def clika_process(*arguments: object, check: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `clika` in a process of its own: for what only a process shows (imports, encodings, files of others)."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=600,
        check=False,
    )
    return _checked(done, check)


class _Text(io.TextIOWrapper):
    """A stream with bytes beneath it, as a real one has."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="strict", newline="\n", write_through=True)

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined, no-any-return]


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changes.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.StringIO())
        yield


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """The command takes over how it is stopped; afterwards the test run has its own way again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _checked(done: subprocess.CompletedProcess[str], code: int | None) -> subprocess.CompletedProcess[str]:
    if code is not None:
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
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
