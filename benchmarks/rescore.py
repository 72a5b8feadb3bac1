"""Import and re-scoring at the full release's size (46 models x 4 sets x 10 languages = 864,800 replies), and beyond.

Everything runs as a user runs it, in whole processes, start included, on a synthetic checkout. Ten times that size
is measured without the import: cells with answers already read are written straight into a database.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from release_factory import FULL, write_checkout

MODELS = 46
REPLIES_PER_MODEL = 10 * sum(FULL.values())
CLIKA = str(Path(sys.executable).with_name("clika"))


def run(arguments: list[str], output: Path) -> tuple[float, float, float]:
    """(wall s, CPU s, peak MB) of one `clika` process; raises RuntimeError when it fails."""
    with output.open("wb") as out, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen([CLIKA, *arguments], stdout=out, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status:
            errors.seek(0)
            raise RuntimeError(f"{arguments} failed: {errors.read().decode(errors='replace')[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def show(name: str, cost: tuple[float, float, float], replies: int) -> None:
    """One line of the result."""
    wall, cpu, peak = cost
    per_million = wall / replies * 1e6
    print(f"  {name:<24}{wall:8.2f} s wall{cpu:8.2f} s CPU{peak:7.0f} MB{per_million:8.2f} s per M replies", flush=True)


def measure(models: int, folder: Path) -> None:
    """Import a synthetic release with so many models, score it, compare two of them."""
    checkout, database, result = folder / "checkout", folder / "release.db", folder / "out.json"
    write_checkout(checkout, names(models))
    replies = models * REPLIES_PER_MODEL
    print(f"{models} models, {replies:,} replies, imported", flush=True)
    show("import", run(["import", str(checkout), "--db", str(database)], result), replies)
    shutil.rmtree(checkout)
    measure_scoring(models, database, result)


def measure_scoring(models: int, database: Path, result: Path) -> None:
    """Score everything a database holds, without and with intervals."""
    replies = models * REPLIES_PER_MODEL
    for reading in ("first-letter", "standard"):
        score = ["score", "--db", str(database), "--reading", reading, "--json"]
        show(f"score, {reading}", run([*score, "--bootstrap", "0"], result), replies)
        records = json.loads(result.read_text())["records"]
        if len(records) != models * 40:
            raise RuntimeError(f"{len(records)} records instead of {models * 40}")
    show("score, 10,000 draws", run(score, result), replies)
    show("compare", run(["compare", *names(2), "--db", str(database), "--json"], result), replies)


def names(models: int) -> list[str]:
    """Names of so many models."""
    return ["model_000", *(f"model_{i:03}" for i in range(1, models))]


def write_read_cells(models: int, folder: Path) -> Path:
    """A database whose cells are already read; their replies are only keys, which scoring never follows."""
    from clika_client.answers.cells import reading_stamp
    from clika_client.importers.cells import READ_AT_IMPORT
    from clika_client.importers.common import identity_of
    from clika_client.sets.release import read_release
    from clika_client.store.store import CellKey, Store

    database = folder / "cells.db"
    write_checkout(folder / "questions", names(1))
    chance = random.Random(0)
    draw = np.random.default_rng(0)
    with Store(database) as store, store.bulk():
        for name in FULL:
            probe_set = read_release(folder / "questions", name)
            set_id = store.add_set(probe_set)
            gold = np.array([probe.gold for probe in probe_set.probes["en"]], np.int8)
            for model in names(models):
                for language in probe_set.languages:
                    key = CellKey(model, identity_of("bench", model), set_id, language, "plain", "text", "bench")
                    store.add_cell(key, "ABCDE"[: probe_set.k], {i: chance.randbytes(16) for i in range(probe_set.n)})
                    known = draw.random(probe_set.n) < 0.6
                    choices = np.where(known, gold, draw.integers(0, probe_set.k, probe_set.n)).astype(np.int8)
                    cell = store.find_cell(key)
                    for reading in READ_AT_IMPORT if cell is not None else ():
                        store.save_reading(cell, reading_stamp(reading), choices, np.zeros(probe_set.n, np.uint8))
    return database


def main() -> None:
    """Measure the release's size; with --growth, scoring at one, three and ten times that size instead."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=MODELS)
    parser.add_argument("--growth", action="store_true", help="score 1, 3 and 10 times as many models, without import")
    parser.add_argument("--quick", action="store_true", help="two models")
    options = parser.parse_args()
    if options.quick:
        options.models = 2
    for times in (1, 3, 10) if options.growth else (1,):
        models = times * options.models
        with tempfile.TemporaryDirectory() as name:
            if not options.growth:
                measure(models, Path(name))
                continue
            database = write_read_cells(models, Path(name))
            print(f"{models} models, {models * REPLIES_PER_MODEL:,} replies, written as read", flush=True)
            measure_scoring(models, database, Path(name) / "out.json")


if __name__ == "__main__":
    main()
