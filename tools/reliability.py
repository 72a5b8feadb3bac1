# ruff: noqa: E501
"""Count what docs/reliability.md says: kill, break and damage for a while, and keep the counts beside the page.

    python tools/reliability.py [--quick] [--only kills]

runs benchmarks/kills.py, faults.py and fuzz_files.py one after another and keeps what each counted in
docs/reliability.json; the page's ten lines are made from it by tools/make_docs.py.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COUNTS = ROOT / "docs" / "reliability.json"
PROGRAMS = ("kills", "faults", "fuzz_files")


def count(name: str, options: list[str]) -> dict[str, Any]:
    """The last line of a program, with how it was called; raises SystemExit when it found a promise broken."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *options], stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"benchmarks/{name}.py {' '.join(options)} ended with {done.returncode}:\n{done.stdout}")
    command = " ".join([f"benchmarks/{name}.py", *options])
    return {"command": command, **json.loads(done.stdout.splitlines()[-1])}


def lines(found: dict[str, Any]) -> str:
    """Ten lines of what can be relied on, and the counts behind them."""
    kills, faults, fuzz = (found[name] for name in PROGRAMS)
    broken = kills["broken"]
    told = [
        f"A reply is on disk a second after it came, whatever happens: {kills['kills']:,} processes killed, "
        f"{kills['rows checked']:,} stored rows checked, {broken['lost beyond the bound']} replies lost that were older "
        f"(the oldest lost: {kills['oldest reply lost s']:.2f} s), {broken['unsound files']} files unsound.",
        "What is stored is never asked again, by one process or four on one file: "
        f"{broken['stored and asked again']} of these rows were, {kills['asked twice at once']} questions were asked "
        "twice at once.",
        "Ctrl-C and SIGTERM send nothing more and wait up to 10 s for replies on their way; a second one stops at once.",
        "Imports, merges and scores are killed, run side by side, on full disks, on read-only and locked files, with the "
        f"clock set back: {broken['half of something kept']} kept half of something, {broken['not refused']} went on "
        f"where they had to refuse, {broken['ended in a traceback']} ended in a traceback.",
        f"Whatever a server sends is a failure of that one request: {faults['faults']:,} faults, "
        f"{faults['questions']:,} questions, {faults['good answers lost']} good answers lost, "
        f"{faults['passing faults not survived']} passing faults not survived.",
        "`--max-cost` counts every reply that was billed, useful or not, and is never passed: "
        f"{faults['runs with a ceiling']} runs, ${faults['dollars spent beyond it']:g} beyond it.",
        "A batch is noted before it is sent, looked for when its acceptance was not heard, and blocks nothing when it is "
        f"gone: {kills['by kind'].get('batch', 0)} kills, {broken['sent twice']} questions sent twice.",
        "While another program holds the file, asking pauses and what arrived waits for it; a full disk says what is "
        f"kept: {kills['by kind'].get('locked', 0)} and {kills['by kind'].get('disk full', 0)} kills there, "
        f"{broken['never answered']} questions without an answer in the end.",
        f"No file of others ends in more than a sentence: {fuzz['inputs tried']:,} damaged inputs of "
        f"{len(fuzz['by kind'])} kinds, {fuzz['failures']} failures. An export is read up to its damage, which is named.",
        "A key goes over plain http to this machine only (`--insecure-http` allows more), to no other host by a redirect, "
        "and in no spelling into the database, a log or an error. A database of version 0.1 opens; one of a newer version "
        "is refused unchanged; databases and exports are readable by their owner alone.",
    ]
    numbered = [f"{number}. {line}" for number, line in enumerate(told, 1)]
    commands = ", ".join(f"`{found[name]['command']}`" for name in PROGRAMS)
    return "\n".join([*numbered, "", f"Counted on {found['counted_on']} by `tools/reliability.py`: {commands}."])


def main() -> None:
    """Count, and keep the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50 kills, a quarter of the faults, 10 s of damaged files")
    parser.add_argument("--kills", default="1000", help="how many processes to kill")
    parser.add_argument("--into", help="keep the kills in this file, and go on from what it holds")
    parser.add_argument("--seconds", default="600", help="how long to try damaged files")
    parser.add_argument(
        "--only", choices=PROGRAMS, help="count with this program alone, and keep what the others counted"
    )
    given = parser.parse_args()
    into = ["--into", given.into] if given.into else []
    more = {"kills": ["--kills", given.kills, *into], "fuzz_files": ["--seconds", given.seconds]}
    for name in [given.only] if given.only else PROGRAMS:
        counted = count(name, ["--quick"] if given.quick else more.get(name, []))
        kept = json.loads(COUNTS.read_text("utf-8")) if COUNTS.exists() else {}
        kept |= {"counted_on": datetime.date.today().isoformat(), name: counted}
        COUNTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(f"{COUNTS.relative_to(ROOT)} written; now: python tools/make_docs.py")


if __name__ == "__main__":
    main()
