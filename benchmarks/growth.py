"""Does `clika run` stay small and steady as the number of probes grows?

Asks sets of growing size over a loopback server that answers at once, each in a fresh database, and reports rate and
peak memory of the whole process. On a busy machine rates say nothing; then the CPU of a reply beside that of the SDK's
loop in the same minutes does: 1,200 replies a second of one processor are .54 of it. With --million a set of a million
probes is planned and asked for a while, then stopped as a user would stop it, and what is stored is scored.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from http_run import LANGUAGES, SDK, server
from http_run import measure as cost_of

CLIKA = str(Path(sys.executable).with_name("clika"))
CEILING_MB = 300
POSTS = 2000
GOAL = (1 / 1200) / (3.1 / POSTS)
"""CPU of a reply over that of the SDK's loop, which takes 3.1 CPU s for 2,000 posts on a machine that is free."""


_LETTERS = {"ru": "абвгдежзиклмнопрстуя", "ar": "ابتثجحدرسشصطعفقكلمنهوي", "he": "אבגדהוזחטיכלמנסעפצקרשת"}
_SIGNS = "".join(map(chr, range(0x4E00, 0x5A00)))


def words(language: str, count: int, rng: random.Random) -> list[str]:
    """Made-up words in a language's script, so that a set is about as hard to compress as a real one."""
    if language in ("zh", "ja"):
        return ["".join(rng.choices(_SIGNS, k=rng.randint(1, 3))) for _ in range(count)]
    letters = _LETTERS.get(language, "abcdefghijklmnoprstuvyz")
    return ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(count)]


def write_set(path: Path, probes: int) -> None:
    """A five-choice set of `probes` questions of twelve words over ten languages."""
    rng = random.Random(0)
    known = {language: words(language, 20_000, rng) for language in LANGUAGES}
    with path.open("w", encoding="utf-8") as file:
        for i in range(probes // len(LANGUAGES)):
            for language in LANGUAGES:
                told = rng.choices(known[language], k=17)
                row = {
                    "item_id": f"q{i}",
                    "language": language,
                    "question": " ".join(told[:12]) + "?",
                    "choices": [f"{word} {j}" for j, word in enumerate(told[12:])],
                    "gold": i % 5,
                }
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


@dataclass(frozen=True, slots=True)
class Grown:
    """What one process cost."""

    what: str
    probes: int
    asked: int
    """Replies that its progress lines counted; 0 where nothing was asked."""
    wall_s: float
    cpu_s: float
    peak_mb: float
    per_s: float
    """Replies a second while asking, by the run's own progress lines; whole-process rate where it has none."""


def measure(
    what: str, probes: int, command: list[str], folder: Path, *, stop_after: float | None = None, ends: tuple[int, ...]
) -> Grown:
    """Run a command to its end, or interrupt it `stop_after` seconds into asking; raises RuntimeError when it fails."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "OPENAI_API_KEY": "none", "CLIKA_HOME": str(folder)}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    said: list[str] = []
    timer: threading.Timer | None = None
    assert process.stderr is not None
    for line in process.stderr:
        said.append(line)
        if stop_after is not None and timer is None and ": asking " in line:
            timer = threading.Timer(stop_after, process.send_signal, [signal.SIGINT])
            timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    if timer is not None:
        timer.cancel()
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in ends:
        raise RuntimeError(f"{what} ended with {os.waitstatus_to_exitcode(status)}:\n{''.join(said)[-2000:]}")
    lines = [(int(m[1]), float(m[2])) for m in re.finditer(r"(\d+)/\d+ asked, ([\d.]+)/s", "".join(said))]
    asked, per_s = lines[-1] if lines else (0, probes / wall)
    return Grown(what, probes, asked, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, per_s)


def grow(probes: int, folder: Path, port: int, width: int, million: bool, seconds: float) -> list[Grown]:
    """The measurements at one size."""
    questions, database = folder / f"{probes}.jsonl", folder / f"{probes}.db"
    write_set(questions, probes)
    run = [
        CLIKA, "run", str(questions), "-m", "openai/bench", "--base-url", f"http://127.0.0.1:{port}/v1",
        "--concurrency", str(width), "--db", str(database), "--bootstrap", "0",
    ]  # fmt: skip
    score = [CLIKA, "score", "--db", str(database), "--bootstrap", "0", "--json"]
    if million:
        found = [
            measure("plan only", probes, [*run, "--dry-run"], folder, ends=(0,)),
            measure(f"run, {seconds:.0f} s of asking", probes, run, folder, stop_after=seconds, ends=(3,)),
        ]
    else:
        found = [measure("run", probes, run, folder, ends=(0,)), measure("run, cached", probes, run, folder, ends=(0,))]
    return [*found, measure("score", probes, score, folder, ends=(0,))]


def main() -> None:
    """Measure, print a table and, last, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000", help="numbers of probes, comma-separated")
    parser.add_argument("--width", type=int, default=64, help="requests in flight")
    parser.add_argument("--million", action="store_true", help="also plan and begin a set of 1,000,000 probes")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="how long the million is asked before it is stopped"
    )
    parser.add_argument("--quick", action="store_true", help="1,000 and 5,000 probes")
    options = parser.parse_args()
    # In the background of a shell Ctrl-C is ignored, and every process started from here would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sizes = [1000, 5000] if options.quick else [int(n) for n in options.sizes.split(",") if n]
    print(f"{'probes':>9}  {'what':<22}{'wall s':>8}{'CPU s':>8}{'CPU ms/probe':>14}{'asked/s':>9}{'peak MB':>9}")
    found: list[Grown] = []
    with server(0.0) as port:
        for size, million in [*((n, False) for n in sizes), *([(1_000_000, True)] if options.million else [])]:
            with tempfile.TemporaryDirectory() as folder:
                for one in grow(size, Path(folder), port, options.width, million, options.seconds):
                    found.append(one)
                    stopped = 0 < one.asked < one.probes
                    each = f"{1000 * one.cpu_s / one.probes:.3f}" if not stopped else "-"
                    print(
                        f"{one.probes:>9}  {one.what:<22}{one.wall_s:>8.1f}{one.cpu_s:>8.1f}{each:>14}"
                        f"{one.per_s:>9.0f}{one.peak_mb:>9.0f}",
                        flush=True,
                    )
        sdk = cost_of([sys.executable, "-c", SDK, str(port), str(POSTS), str(options.width)]).cpu_s / POSTS
    runs = [one for one in found if one.what == "run"]
    for one in runs:
        ratio = one.cpu_s / one.probes / sdk
        print(f"{one.probes} probes: {ratio:.2f} of the CPU that the SDK's loop takes for a reply (goal {GOAL:.2f})")
    result: dict[str, object] = {
        "replies_per_s": {str(one.probes): round(one.per_s) for one in runs},
        "cpu_to_sdk": {str(one.probes): round(one.cpu_s / one.probes / sdk, 3) for one in runs},
        "replies_per_cpu_s": {str(one.probes): round(one.probes / one.cpu_s) for one in runs},
        "peak_mb": {f"{one.probes} {one.what}": round(one.peak_mb) for one in found},
        "under_300_mb": all(one.peak_mb < CEILING_MB for one in found),
    }
    if len(runs) > 1:
        first, last = runs[0], runs[-1]
        result["rate_ratio"] = round(last.per_s / first.per_s, 3)
        result["cpu_per_probe_ratio"] = round((last.cpu_s / last.probes) / (first.cpu_s / first.probes), 3)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
