"""Can a benchmark of Global-MMLU's size be added and planned on a laptop?

Writes a parquet tree of 14,042 questions in 42 languages (synthetic words, as long as MMLU's questions are on average),
adds it with `clika sets add`, and plans a run of all of it with `--dry-run`: time and peak memory of each process.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from growth import measure, words

CLIKA = str(Path(sys.executable).with_name("clika"))
CODES = tuple(
    [
        "am",
        "ar",
        "bn",
        "cs",
        "de",
        "el",
        "en",
        "es",
        "fa",
        "fil",
        "fr",
        "ha",
        "he",
        "hi",
        "id",
        "ig",
        "it",
        "ja",
        "ko",
        "ky",
        "lt",
        "mg",
        "ms",
        "ne",
        "nl",
        "ny",
        "pl",
        "pt",
        "ro",
        "ru",
        "si",
        "sn",
        "so",
        "sr",
        "sv",
        "sw",
        "te",
        "tr",
        "uk",
        "vi",
        "yo",
        "zh",
    ]
)


def write_tree(root: Path, items: int) -> None:
    """One parquet file per language: a question of 30 words, four choices of six, subjects and labels."""
    import pyarrow
    import pyarrow.parquet

    for code in CODES:
        rng = random.Random(code)
        known = words(code, 20_000, rng)
        texts = [rng.choices(known, k=54) for _ in range(items)]
        columns: dict[str, list[str]] = {
            "sample_id": [f"subject{i % 57}/test/{i}" for i in range(items)],
            "subject": [f"subject{i % 57}" for i in range(items)],
            "subject_category": [("STEM", "Humanities", "Other")[i % 3] for i in range(items)],
            "question": [" ".join(told[:30]) + "?" for told in texts],
            "answer": ["ABCD"[i % 4] for i in range(items)],
            "cultural_sensitivity_label": [("CS", "CA", "")[i % 3] for i in range(items)],
        }
        for number, letter in enumerate("abcd"):
            columns[f"option_{letter}"] = [" ".join(told[30 + 6 * number : 36 + 6 * number]) for told in texts]
        (root / code).mkdir(parents=True)
        pyarrow.parquet.write_table(pyarrow.table(columns), root / code / "test-00000-of-00001.parquet")


def main() -> None:
    """Write, add, plan; one line of JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a thirtieth of the questions")
    items = 14_042 // 30 if parser.parse_args().quick else 14_042
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tree = folder / "tree"
        # In a process of its own: a child's peak begins with its parent's size.
        write = f"import public_set, pathlib; public_set.write_tree(pathlib.Path({str(tree)!r}), {items})"
        subprocess.run([sys.executable, "-c", write], check=True, cwd=Path(__file__).parent)
        probes = items * len(CODES)
        add = [CLIKA, "sets", "add", "global-mmlu", str(tree)]
        plan = [
            CLIKA, "run", "global-mmlu", "-m", "openai/none", "--base-url", "http://127.0.0.1:9", "--dry-run",
            "--db", str(folder / "a.db"),
        ]  # fmt: skip
        rows = [
            measure("sets add", probes, add, folder, ends=(0,)),
            measure("run --dry-run", probes, plan, folder, ends=(0,)),
        ]
    print(f"\n{items:,} questions in {len(CODES)} languages\n")
    print("| what | wall s | CPU s | peak MB |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.wall_s:.0f} | {row.cpu_s:.0f} | {row.peak_mb:.0f} |")
    print(json.dumps({row.what: {"wall_s": row.wall_s, "cpu_s": row.cpu_s, "peak_mb": row.peak_mb} for row in rows}))


if __name__ == "__main__":
    main()
