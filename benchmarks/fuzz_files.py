"""Damaged and hostile files of every kind that clika reads, given to the command that reads them.

Each input is a good file with something wrong: bytes turned, parts cut, doubled or swapped, a value of another type, an
absurd number, an endless nesting. The command may take it or refuse it with a sentence and exit code 1 or 2; a
traceback, exit code 70 or more than 30 seconds of CPU is a failure, and the input is kept. The seed makes a series
repeatable; how many inputs fit into the time depends on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from clika import clika, write_probes  # noqa: E402
from gguf_factory import make  # noqa: E402

DATA = ROOT / "tests" / "data"
MOST_CPU_S = 30.0
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 255, 2**31, 2**63, -(2**70), 1e308, 0.5, "", " ", "x", "\ud800", "\x00", "A" * 5000,
    "\u202e", "9" * 400, "9999-99-99", "en", "../../etc/passwd", [], [[]], ["x"], [None], {}, {"a": {}}, [0] * 300,
)  # fmt: skip
TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b"\\u", b"\\", b",", b"\n", b"\r", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"NaN",
    b"-1", b"1e999", b"9" * 5000, b"[" * 3000, b'{"a":' * 3000, b"{{", b"{%", b"{question", b"null", b"true",
    b"'", b"=",
    b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"SQLite format 3\x00",
)  # fmt: skip


class TooSlowError(BaseException):
    """More CPU time than any file may cost; not an Exception, so that nobody takes it for a bad row."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file: good ones, and the commands that read it. FILE, FOLDER, DB and HOME stand for places."""

    files: tuple[Path, ...]
    commands: tuple[tuple[str, ...], ...]
    home_name: str = ""
    """The file's name in the user's folder, where it is read without being named."""


def turned(chance: random.Random, data: bytes) -> bytes:
    """Bytes turned into others."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(chance: random.Random, data: bytes) -> bytes:
    """A part left out, or the end."""
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + (data[end:] if chance.random() < 0.5 else b"")


def doubled(chance: random.Random, data: bytes) -> bytes:
    """A part there twice, or somewhere else."""
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[start:end] + data[at:]


def inserted(chance: random.Random, data: bytes) -> bytes:
    """A piece of syntax where none belongs."""
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(TOKENS) + data[at + chance.choice((0, 0, 1, 8)) :]


def counted(chance: random.Random, data: bytes) -> bytes:
    """A length or number in a binary file made absurd."""
    at, width = chance.randrange(len(data)), chance.choice((1, 2, 4, 8))
    number = chance.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1)) % (1 << 8 * width)
    return data[:at] + number.to_bytes(width, "little") + data[at + width :]


def retyped(chance: random.Random, data: bytes) -> bytes:
    """A value of a JSON line, wherever it stands, replaced by one of another kind; else bytes turned."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    try:
        document = json.loads(lines[at] if len(lines) > 1 and lines[at].strip() else data)
    except (ValueError, RecursionError):
        return inserted(chance, data)
    document = _retyped(chance, document)
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode("utf-8", "replace")
    if len(lines) > 1 and lines[at].strip():
        lines[at] = text
        return b"\n".join(lines)
    return text


def _retyped(chance: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(sorted(value))
        if chance.random() < 0.1:
            return {n: v for n, v in value.items() if n != name}
        return {**value, name: _retyped(chance, value[name])}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        return [*value[:at], _retyped(chance, value[at]), *value[at + 1 :]]
    return chance.choice(ODD)


MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (turned, cut, doubled, inserted, counted, retyped)


def kinds(folder: Path) -> dict[str, Kind]:
    """Good files of every kind, written into a folder, and what reads them."""
    made = folder / "good"
    made.mkdir()
    probes = write_probes(made / "set.jsonl", 8)
    full, export = made / "full.db", made / "export.jsonl"
    clika("run", probes, "-m", "mock/random", "--bootstrap", 0, "--db", full)
    connection = sqlite3.connect(full)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    clika("cache", "export", "--out", export, "--db", full)
    (made / "export.jsonl.gz").write_bytes(gzip.compress(export.read_bytes()))
    clika("teach", "build", "-l", "de", "-o", made / "material", "--continents", 2, "--places", 4, "--k", 2)
    with tarfile.open(DATA / "other_logs.tar.xz") as archive:
        archive.extractall(made / "logs", filter="data")
    tables = ROOT / "providers" / "clika_providers"
    template = made / "mine.txt"
    template.write_text("labels: A B C D\n---\n{question}\n{choices}\nAnswer:\n", "utf-8")
    script = made / "mock.toml"
    script.write_text('[[reply]]\ntext = "B"\n', "utf-8")
    model = make(made / "tiny.gguf")
    logs = tuple(sorted(p for p in (made / "logs").rglob("*.json*") if "results" not in p.name))
    layouts = tuple(sorted(p for p in (DATA / "layouts").iterdir() if p.suffix in (".jsonl", ".csv")))
    dry = ("run", str(probes), "-m", "openai/gpt-4o-mini", "--dry-run", "--db", "DB")
    found = {
        "sets": Kind((probes, *layouts), (("sets", "show", "FILE"),)),
        "logs and tables": Kind((*logs, *layouts), (("import", "FILE", "-m", "m", "--db", "DB"),)),
        "exports": Kind((export, made / "export.jsonl.gz"), (("cache", "import", "FILE", "--db", "DB"),)),
        "databases": Kind(
            (full,),
            (("cache", "merge", "FILE", "--db", "DB"), ("score", "--bootstrap", "0", "--db", "FILE"),
             ("cache", "verify", "--db", "FILE"), ("cache", "stats", "--db", "FILE"), ("answers", "--db", "FILE"),
             ("cache", "export", "--out", "OUT", "--db", "FILE")),
        ),
        "servers": Kind((tables / "servers.toml",), (("models", "list"), dry), "servers.toml"),
        "prices": Kind((tables / "prices.toml",), ((*dry, "--prices", "FILE"),)),
        "capabilities": Kind((tables / "capabilities.toml",), ((*dry, "--capabilities", "FILE"),)),
        "registered sets": Kind((_registry(made),), (("sets", "list"),), "sets.json"),
        "templates": Kind((template,), (("prompt", str(probes), "--template", "FILE"),)),
        "scripted models": Kind((script,), (("run", str(probes), "-m", "mock/FILE", "--db", "DB"),)),
        "models": Kind((model,), (("models", "list", "--models-dir", "FOLDER"),)),
        "material": Kind(
            tuple(sorted(p for p in (made / "material").rglob("*") if p.is_file())), (("teach", "status", "COPY"),)
        ),
    }  # fmt: skip
    if find_spec("pyarrow"):
        found["parquet"] = Kind((_parquet(made),), (("sets", "show", "FILE"), ("import", "FILE", "--db", "DB")))
    return found


def _registry(folder: Path) -> Path:
    path = folder / "sets.json"
    path.write_text('{"release": null, "files": {"mine": {"paths": ["x.jsonl"], "mapping": [], "reference": 0.9}}}')
    return path


def _parquet(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {"item_id": ["a", "b"], "language": ["en", "en"], "question": ["?", "?"], "choices": [["x", "y"]] * 2,
            "gold": [0, 1]}  # fmt: skip
    pq.write_table(pa.table(rows), folder / "set.parquet")
    return folder / "set.parquet"


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlowError where the block takes more CPU time."""

    def stop(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attempt(kind: Kind, source: Path, data: bytes, folder: Path) -> list[str]:
    """What was wrong with how the commands took the input; normally nothing."""
    home = folder / "home"
    home.mkdir()
    file = home / kind.home_name if kind.home_name else folder / "in" / source.name
    file.parent.mkdir(exist_ok=True)
    places = {"FILE": str(file), "FOLDER": str(file.parent), "DB": str(folder / "c.db"), "OUT": str(folder / "o.jsonl")}
    if any("COPY" in command for command in kind.commands):
        whole = next(parent for parent in source.parents if parent.name == "material")
        shutil.copytree(whole, folder / "material")
        file = folder / "material" / source.relative_to(whole)
        places["COPY"] = str(folder / "material")
    file.write_bytes(data)
    wrong = []
    for command in kind.commands:
        words = [word.replace("mock/FILE", f"mock/{file}") for word in command]
        words = [places.get(word, word) for word in words]
        try:
            with cpu_limit(MOST_CPU_S):
                done = clika(*words, check=None, CLIKA_HOME=str(home))
        except TooSlowError:
            wrong.append(f"{' '.join(words)}: more than {MOST_CPU_S:.0f} s of CPU")
        except BaseException as error:
            wrong.append(f"{' '.join(words)}: {type(error).__name__}: {error}")
        else:
            if done.returncode not in (0, 1, 2):
                wrong.append(f"{' '.join(words)}: exit {done.returncode}: {done.stderr[-600:]}")
    return wrong


def fuzz(
    folder: Path, seconds: float, seed: int, only: str | None = None, most: int | None = None
) -> tuple[Counter[str], list[str]]:
    """Inputs tried by kind within the time, `most` or few more, and every failure with the place of its input."""
    os.environ.setdefault("OPENAI_API_KEY", "sk-none")
    chance = random.Random(seed)
    table = {name: kind for name, kind in kinds(folder).items() if only in (None, name)}
    tried: Counter[str] = Counter()
    failures: list[str] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until and (most is None or tried.total() < most):
        for name, kind in table.items():
            source = chance.choice(kind.files)
            data = source.read_bytes()
            for _ in range(chance.choice((1, 1, 2, 4))):
                data = chance.choice(MUTATIONS)(chance, data) if data else data
            place = folder / "one"
            place.mkdir()
            for wrong in attempt(kind, source, data, place):
                kept = folder.parent / f"fuzz-failure-{seed}-{tried.total()}-{source.name}"
                kept.write_bytes(data)
                failures.append(f"{name}: {wrong} (input kept in {kept})")
            shutil.rmtree(place)
            tried[name] += 1
    return tried, failures


def main() -> None:
    """Try inputs for a while, print the failures and one JSON line; ends with 1 when there was a failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, help="end after so many (default: when the time is over)")
    parser.add_argument("--kind", help="only this kind of file")
    parser.add_argument("--quick", action="store_true", help="10 seconds")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        seconds = 10.0 if given.quick else given.seconds
        tried, failures = fuzz(Path(name), seconds, given.seed, given.kind, given.inputs)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(json.dumps({"inputs tried": tried.total(), "by kind": dict(tried), "failures": len(failures)}))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
