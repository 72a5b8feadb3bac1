"""`clika run` against a loopback server, beside a bare loop and the SDK's own loop in the same minutes.

Reports wall and CPU seconds and peak memory of whole processes, beside the bare loop and the SDK loop. The cached
run asks the same probes again; nothing may be sent then. On a busy machine every figure grows, and the ratios stay: the
goals are ratios to the SDK's loop in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LANGUAGES = ("en", "zh", "ja", "de", "fr", "it", "pl", "ru", "ar", "he")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process cost: wall and CPU seconds, peak resident megabytes."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(command: list[str], environment: dict[str, str] | None = None, folder: Path | None = None) -> Cost:
    """Run a command to its end, in `folder` if given, output thrown away; raises RuntimeError when it fails.

    Python may keep its bytecode, whatever this shell says: compiling is not what is measured.
    """
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(environment or {})},
            cwd=folder,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status:
            errors.seek(0)
            raise RuntimeError(f"{command[:3]} failed:\n{errors.read().decode()[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@contextmanager
def server(delay: float) -> Iterator[int]:
    """A loopback server; yields its port."""
    command = [sys.executable, str(HERE / "parts" / "loopback.py"), "--delay", str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def write_set(path: Path, probes: int) -> None:
    """A five-choice set of `probes` questions over ten languages."""
    with path.open("w", encoding="utf-8") as file:
        for i in range(probes // len(LANGUAGES)):
            for language in LANGUAGES:
                row = {
                    "item_id": f"q{i}",
                    "language": language,
                    "question": f"[{language}] Which of these is number {i}? The answer is not to be guessed.",
                    "choices": [f"{language} option {i} {j}" for j in range(5)],
                    "gold": i % 5,
                }
                file.write(json.dumps(row) + "\n")


GOALS = {"clika run, cold": 0.71, "clika run, all cached": 0.145}
"""CPU of 2,000 questions over that of the SDK's loop: 2.2 and .45 s where the loop takes 3.1."""

BARE = """
import asyncio, json, sys
port, n, width = map(int, sys.argv[1:4])
body = json.dumps({"model": "bench", "messages": [{"role": "user", "content": "x" * 300}]}).encode()
request = (b"POST /v1/chat/completions HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: application/json\\r\\n"
           b"Content-Length: %d\\r\\n\\r\\n" % len(body)) + body
async def worker(todo):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in todo:
        writer.write(request)
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
        json.loads(await reader.readexactly(length))
    writer.close()
async def main():
    todo = iter(range(n))
    await asyncio.gather(*(worker(todo) for _ in range(width)))
asyncio.run(main())
"""

SDK = """
import asyncio, sys
from openai import AsyncOpenAI
port, n, width = map(int, sys.argv[1:4])
async def main():
    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)
    todo = iter(range(n))
    async def worker():
        for _ in todo:
            await client.chat.completions.create(model="bench", messages=[{"role": "user", "content": "x" * 300}])
    await asyncio.gather(*(worker() for _ in range(width)))
asyncio.run(main())
"""


def main() -> None:
    """Measure, print a table and, last, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", type=int, default=2000)
    parser.add_argument("--width", type=int, default=64, help="requests in flight")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds the server takes")
    parser.add_argument("--quick", action="store_true", help="500 probes")
    options = parser.parse_args()
    probes = 500 if options.quick else options.probes
    with tempfile.TemporaryDirectory() as folder, server(options.delay) as port:
        questions, database = Path(folder) / "bench.jsonl", Path(folder) / "bench.db"
        write_set(questions, probes)
        loop = [str(port), str(probes), str(options.width)]
        ours = [
            str(Path(sys.executable).with_name("clika")), "run", str(questions), "-m", "openai/bench",
            "--base-url", f"http://127.0.0.1:{port}/v1", "--concurrency", str(options.width),
            "--db", str(database), "--bootstrap", "0",
        ]  # fmt: skip
        key = {"OPENAI_API_KEY": "none", "CLIKA_HOME": folder}
        costs = {
            "bare loop (floor)": measure([sys.executable, "-c", BARE, *loop]),
            "openai SDK loop": measure([sys.executable, "-c", SDK, *loop]),
            "clika run, cold": measure(ours, key),
            "clika run, all cached": measure(ours, key),
        }
    ideal = probes * options.delay / options.width
    floor = costs["bare loop (floor)"]
    milliseconds = options.delay * 1000
    print(f"{probes} probes, {options.width} in flight, server answers in {milliseconds:.0f} ms; ideal {ideal:.2f} s")
    sdk = costs["openai SDK loop"]
    print(
        f"{'client':<24}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'wall ratio':>12}{'CPU ratio':>11}{'to the SDK':>12}"
        f"{'goal':>7}"
    )
    for name, cost in costs.items():
        ratios = f"{cost.wall_s / floor.wall_s:>12.2f}{cost.cpu_s / floor.cpu_s:>11.2f}{cost.cpu_s / sdk.cpu_s:>12.3f}"
        goal = f"{GOALS[name]:>7}" if name in GOALS and probes == 2000 else ""
        print(f"{name:<24}{cost.wall_s:>8.2f}{cost.cpu_s:>8.2f}{cost.peak_mb:>9.0f}{ratios}{goal}")
    cold, cached = costs["clika run, cold"], costs["clika run, all cached"]
    result = {
        "probes": probes,
        "cold_wall_ratio": round(cold.wall_s / floor.wall_s, 3),
        "cold_cpu_ratio": round(cold.cpu_s / floor.cpu_s, 3),
        "cold_cpu_ratio_to_sdk": round(cold.cpu_s / sdk.cpu_s, 3),
        "cached_cpu_ratio_to_sdk": round(cached.cpu_s / sdk.cpu_s, 3),
        "cold_wall_s": round(cold.wall_s, 2),
        "cold_cpu_s": round(cold.cpu_s, 2),
        "cached_wall_s": round(cached.wall_s, 2),
        "cached_cpu_s": round(cached.cpu_s, 2),
        "cold_peak_mb": round(cold.peak_mb),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
