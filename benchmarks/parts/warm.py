"""Starts `clika` by forking a process that has everything imported: a hundred starts for the price of ten.

`Warm` is used from outside; run as a program this file is the process that forks. It reads one JSON line per wish and
answers with one: {"start": [words], "trouble": …, "said": FILE} → {"pid": n}; {"look": pid} → {"status": n or null}.
A started command is an ordinary child of its own process: it may be killed, and dies without harm to the others.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

_DAC_OVERRIDE = 1
"""The capability by which root writes to what is read-only."""
_CAPABILITIES_3 = 0x20080522


class Warm:
    """Many `clika` commands one after another, or beside each other."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._started = folder, 0
        self._said: dict[int, Path] = {}
        self._codes: dict[int, int] = {}

    def __enter__(self) -> Warm:
        words = [sys.executable, __file__]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._ask({"look": 0})  # everything is imported once this is answered
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def start(self, *words: object, **trouble: Any) -> int:
        """Start a command; `trouble` is what befalls it, see `befall`. Returns its process id."""
        self._started += 1
        said = self._folder / f"said-{self._started}.txt"
        wish = {"start": [str(word) for word in words], "trouble": trouble, "said": str(said)}
        pid = int(self._ask(wish)["pid"])
        self._said[pid] = said
        self._codes.pop(pid, None)  # numbers are used again
        return pid

    def status(self, pid: int) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if pid not in self._codes:
            found = self._ask({"look": pid})["status"]
            if found is None:
                return None
            self._codes[pid] = os.waitstatus_to_exitcode(int(found))
        return self._codes[pid]

    def kill(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a command that has not been seen to end."""
        if pid not in self._codes:
            os.kill(pid, number)

    def wait(self, pid: int, seconds: float = 120.0) -> int:
        """Its exit code once it has ended; raises TimeoutError, after killing it, when it does not end.

        Time in which it waited for a processor does not count: at low priority beside others that is nearly all of it.
        """
        until = time.monotonic() + seconds
        while (code := self.status(pid)) is None:
            if time.monotonic() > until + _kept_waiting_s(pid):
                self.kill(pid, signal.SIGKILL)
                raise TimeoutError(f"process {pid} did not end within {seconds:.0f} s:\n{self.said(pid)[-2000:]}")
            time.sleep(0.01)
        return code

    def run(self, *words: object, **trouble: Any) -> tuple[int, str]:
        """A command from start to end: its exit code and what it said."""
        pid = self.start(*words, **trouble)
        return self.wait(pid), self.said(pid)

    def said(self, pid: int) -> str:
        """What it wrote to stdout and stderr so far."""
        file = self._said[pid]
        return file.read_text("utf-8", "replace") if file.exists() else ""  # it was killed before it could speak

    def _ask(self, wish: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))


def _kept_waiting_s(pid: int) -> float:
    """Seconds that a process was ready and had no processor; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def befall(
    file_bytes: int | None = None, read_only: bool = False, clock_back_s: float = 0.0, quick: bool = False
) -> None:
    """What goes wrong for a command: files that cannot grow, no right to write, a clock that is set back meanwhile.

    `quick` shortens the pauses before a batch that was not heard of is looked for again.
    """
    if file_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    if read_only and os.geteuid() == 0:
        _drop(_DAC_OVERRIDE)
    if clock_back_s:
        now, looks = time.time, [0]

        def earlier() -> float:
            looks[0] += 1
            return now() - clock_back_s * (looks[0] // 50)

        time.time = earlier
    if quick:
        from clika_client.asking import batch

        batch._LOOK_AGAIN_S = (0.05, 0.1, 0.2)


def _drop(capability: int) -> None:
    """Give up one of root's powers, in this process."""

    class Head(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    class Set(ctypes.Structure):
        _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inherited", ctypes.c_uint32))

    libc = ctypes.CDLL(None, use_errno=True)
    head, sets = Head(_CAPABILITIES_3, 0), (Set * 2)()
    if libc.capget(ctypes.byref(head), sets) == 0:
        sets[0].effective &= ~(1 << capability)
        libc.capset(ctypes.byref(head), sets)


def _child(wish: dict[str, Any]) -> None:
    """The forked process: the command, as the shell would start it."""
    from clika_client.cli import main

    nothing, said = os.open(os.devnull, os.O_RDONLY), os.open(wish["said"], os.O_CREAT | os.O_WRONLY, 0o600)
    for number, file in enumerate((nothing, said, said)):
        os.dup2(file, number)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    sys.stdout, sys.stderr = (os.fdopen(n, "w", 1, encoding="utf-8", closefd=False) for n in (1, 2))
    sys.argv = ["clika", *wish["start"]]
    befall(**wish["trouble"])
    main()


def _import_everything() -> None:
    """Do once what every command does, so that its modules are there, and build the command line itself."""
    import aiohttp  # noqa: F401
    from clika import clika, write_probes

    import clika_providers.hosted.openai_chat  # noqa: F401
    from clika_client.cli import app

    for name in ("run", "score", "cache", "import", "batch", "teach"):
        app.command(name)
    with tempfile.TemporaryDirectory() as name:
        probes, db = write_probes(Path(name) / "warm.jsonl"), Path(name) / "warm.db"
        clika("run", probes, "-m", "mock/say:A", "--bootstrap", 0, "--db", db)


def _serve() -> None:
    _import_everything()
    gc.freeze()  # what is shared with the commands stays shared
    for line in sys.stdin:
        wish = json.loads(line)
        if "look" in wish:
            answer: dict[str, Any] = {"status": _look(int(wish["look"]))}
        else:
            pid = os.fork()
            if pid == 0:
                code = 70
                try:
                    _child(wish)
                except SystemExit as left:
                    code = left.code if isinstance(left.code, int) else 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(code)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)


def _look(pid: int) -> int | None:
    if pid == 0:
        return None
    ended, status = os.waitpid(pid, os.WNOHANG)
    return status if ended else None


if __name__ == "__main__":
    _serve()
