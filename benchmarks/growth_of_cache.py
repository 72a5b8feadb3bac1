"""Do the commands that look after a database stay fast and small as it grows to ten million replies?

Writes databases of growing size (10,000 questions in ten languages, one more model per 100,000 replies), then runs
`cache stats`, `verify`, `export`, `import` and `score` on each as a user does, in whole processes, start included.
The goals are those of a million replies; a larger file may cost in proportion, and memory may not grow.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from clika_cache import KeyMaker, StoredReply, prompt_text
from clika_cache import completions as rows
from clika_client.sets.probes import Item, Probe, ProbeSet
from clika_client.store.store import CellKey, Store
from clika_providers import Completion, Message, Request, Usage

CLIKA = str(Path(sys.executable).with_name("clika"))
LANGUAGES = ("en", "de", "fr", "es", "ru", "zh", "ar", "sw", "hi", "ja")
ITEMS = 10_000
PER_MODEL = ITEMS * len(LANGUAGES)
MILLION = 10 * PER_MODEL
"""Beyond it a database is written as copies of its first million."""
CPU_GOALS = {"stats": 2.0, "verify": 5.0, "export": 20.0, "import": 40.0}
"""CPU seconds per million replies."""
MOST_MB = 200
RAW = '{"choices":[{"finish_reason":"stop","index":0,"message":{"content":"%s","role":"assistant"}}],"created":1,' + (
    '"id":"chatcmpl-%012x","model":"served","object":"chat.completion","usage":{"completion_tokens":1,'
    '"prompt_tokens":61,"total_tokens":62}}'
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took, from its start to its end."""

    what: str
    replies: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    written_mb: float
    """Handed to the disk, temporary files included."""

    def line(self) -> str:
        """For the table."""
        return (
            f"{self.replies:>11,}  {self.what:<8}{self.wall_s:>9.1f}{self.cpu_s:>9.1f}"
            f"{self.cpu_s / self.replies * 1e6:>11.2f}{self.peak_mb:>9.0f}{self.written_mb:>11.0f}"
        )


def command(what: str, replies: int, *arguments: object) -> Cost:
    """Run one `clika` command; raises RuntimeError when it fails."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        words = [CLIKA, *map(str, arguments)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status:
            errors.seek(0)
            raise RuntimeError(f"{words[1:]} failed: {errors.read().decode(errors='replace')[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(what, replies, wall, cpu, usage.ru_maxrss / 1024, usage.ru_oublock * 512 / 1e6)


def probe_set(questions: int = ITEMS) -> ProbeSet:
    """Questions of about a hundred characters with five options each."""
    items = tuple(Item(f"q{i}") for i in range(questions))
    probes = {
        language: tuple(
            Probe(f"q{i}", language, f"{language}: what is known of the thing number {i} in every list of things?",
                  tuple(f"{language} {i}-{j}" for j in range(5)), i % 5)
            for i in range(questions)
        )
        for language in LANGUAGES
    }  # fmt: skip
    return ProbeSet("growing", items, probes)


def write_database(path: Path, replies: int, items: int = ITEMS) -> None:
    """A database as so many asked questions leave it: keys in no order, as content keys are."""
    chance = random.Random(0)
    questions = probe_set(items)
    with Store(path) as store, store.bulk():
        set_id = store.add_set(questions)
        for model in range(replies // (items * len(LANGUAGES))):
            identity = f'{{"model":"m{model}","provider":"openai"}}'
            maker = KeyMaker({"provider": "openai", "model": f"m{model}"})
            number = rows.model_id(store.database, f"openai/m{model}", identity)
            held: list[StoredReply] = []
            for language in LANGUAGES:
                keys: dict[int, bytes] = {}
                for at, probe in enumerate(questions.probes[language]):
                    message = Message("user", f"{probe.question}\n" + "\n".join(probe.choices))
                    keys[at] = maker.key(Request((message,)))
                    said = "ABCDE"[probe.gold if chance.random() < 0.6 else chance.randrange(5)]
                    reply = Completion(
                        said, "stop", usage=Usage(61, 1), raw=RAW % (said, at), model_served="served", latency_s=0.1
                    )
                    held.append(StoredReply(keys[at], number, prompt_text((message,)), reply, created_at=1.7e9 + at))
                store.add_cell(CellKey(f"openai/m{model}", identity, set_id, language, "plain", "text"), "ABCDE", keys)
            with store.database.writing() as connection:
                rows.insert(connection, held)


def multiply(path: Path, times: int) -> None:
    """Give a database so many times its models, each copy with keys of its own: their bytes moved on by some places."""
    with Store(path) as store, store.bulk():
        connection = store.database.connection
        connection.execute("PRAGMA cache_size = -1000000")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(completions)") if row[1] != "key"]
        cells = store.cells()
        specs = list(dict.fromkeys(cell.key.model for cell in cells))
        for by in range(1, times):
            for at, spec in enumerate(specs):
                name = f"m{by * len(specs) + at}"
                identity = f'{{"model":"{name}","provider":"openai"}}'
                number = rows.model_id(store.database, f"openai/{name}", identity)
                taken = ", ".join(str(number) if column == "model_id" else column for column in columns)
                with store.database.writing() as writing:
                    writing.execute(
                        f"INSERT INTO completions (key, {', '.join(columns)})"
                        f" SELECT CAST(substr(key, {by + 1}) || substr(key, 1, {by}) AS BLOB), {taken}"
                        " FROM completions WHERE model_id = (SELECT id FROM models WHERE spec = ?) ORDER BY rowid",
                        (spec,),
                    )
                for cell in [cell for cell in cells if cell.key.model == spec]:
                    keys = {i: key[by:] + key[:by] for i, key in enumerate(cell.keys_at(cell.asked()))}
                    store.add_cell(replace(cell.key, model=f"openai/{name}", identity=identity), cell.labels, keys)


def measure(folder: Path, replies: int, packed: str) -> list[Cost]:
    """All commands at one size; the folder holds the files meanwhile."""
    full, again, file = folder / "full.db", folder / "again.db", folder / f"export.jsonl{packed}"
    # In a process of its own: a child's peak memory counts what its parent had.
    subprocess.run([sys.executable, __file__, "--write", str(full), "--sizes", str(replies)], check=True)
    found = []
    for what, arguments in (
        ("stats", ("cache", "stats", "--db", full)),
        ("verify", ("cache", "verify", "--db", full)),
        ("export", ("cache", "export", "--out", file, "--db", full)),
        ("import", ("cache", "import", file, "--db", again)),
        ("score", ("score", "--bootstrap", "0", "--json", "--db", full)),
    ):
        found.append(command(what, replies, *arguments))
        print(f"{found[-1].line()}{loop():>8.2f}", flush=True)
        if what == "import":
            print(
                f"{'':>11}  a database of {again.stat().st_size / 1e6:.0f} MB, export {file.stat().st_size / 1e6:.0f}"
            )
            again.unlink()
            file.unlink()
    return found


def main() -> None:
    """Measure each size; ends with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100000,1000000", help="numbers of replies, comma-separated")
    parser.add_argument("--quick", action="store_true", help="100,000 replies")
    parser.add_argument("--packed", default="", choices=["", ".gz", ".zst"], help="how the export is packed")
    parser.add_argument("--folder", type=Path, help="where the files lie meanwhile: 2 kB a reply")
    parser.add_argument("--write", type=Path, help="only write a database of that size to this file")
    given = parser.parse_args()
    if given.write:
        replies = int(given.sizes)
        write_database(given.write, min(replies, MILLION))
        if replies > MILLION:
            multiply(given.write, replies // MILLION)
        return
    sizes = [PER_MODEL] if given.quick else [int(n) for n in given.sizes.split(",")]
    print(
        f"{'replies':>11}  {'what':<8}{'wall s':>9}{'CPU s':>9}{'CPU s / M':>11}{'peak MB':>9}{'written MB':>11}"
        f"{'loop s':>8}"
    )
    found: list[Cost] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            found += measure(Path(name), size, given.packed)
    print(json.dumps({"missed": (missed := misses(found))}))
    sys.exit(1 if missed else 0)


def loop() -> float:
    """CPU seconds of five million additions: on a busy machine it takes longer, and so does everything else."""
    start, total = time.process_time(), 0
    for i in range(5_000_000):
        total += i
    return time.process_time() - start


def misses(found: list[Cost]) -> list[str]:
    """Which goals are not met; starting a process is counted once for all sizes below a million."""
    return [
        f"{one.what} of {one.replies:,}"
        for one in found
        if one.peak_mb > MOST_MB or one.cpu_s > CPU_GOALS.get(one.what, 1e9) * max(1.0, one.replies / 1e6)
    ]


if __name__ == "__main__":
    main()
