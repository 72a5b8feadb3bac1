"""Kill `clika` at random moments, again and again, and look each time at what is on disk.

Loopback servers count what they served and when. After each kill the file must be sound; every reply served longer than
the stated second before the kill must be there; nothing that is stored is asked again; what keeps all or nothing keeps
all or nothing; no question of a batch is sent twice. The kinds are the rounds of parts/kill_rounds.py; the seed makes a
series repeatable.

With `--into FILE` the counts are kept after each turn of all kinds, and a series that was stopped goes on from there,
with a seed of its own, until the file holds so many kills.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "parts"))

from kill_bench import BROKEN
from kill_rounds import ROUNDS, Rounds
from warm import Warm

BOUND_S = 1.0
"""The promise: a reply that came longer ago than this is on disk, whatever happens."""


def series(
    folder: Path,
    kills: int,
    seed: int,
    *,
    items: int = 300,
    bound_s: float = BOUND_S,
    span_s: float = 1.2,
    locked_s: float = 2.0,
    keep: Callable[[dict[str, Any]], object] = lambda counts: None,
) -> dict[str, Any]:
    """Kill so many processes, in rounds of every kind in turn; returns the counts.

    A kill comes up to `span_s` after the first question, another program holds the file for up to `locked_s`. `keep` is
    given the counts after each turn of all kinds.
    """
    with Warm(folder) as warm:
        bench = Rounds(folder, warm, seed, items=items, bound_s=bound_s, span_s=span_s, locked_s=locked_s)
        with bench.server, bench.vendor_server:
            bench.prepare()
            kinds: list[str] = []
            while bench.kills.total() < kills:
                if not kinds:
                    kinds = bench.random.sample(list(ROUNDS), len(ROUNDS))
                    print(f"{bench.kills.total()} kills: {_broken(bench)}", file=sys.stderr, flush=True)
                    keep(_counts(bench))
                kind = kinds.pop()
                before = _troubles(bench)
                ROUNDS[kind](bench, kind)
                if (now := _troubles(bench)) != before:
                    print(f"{kind}: {now - before}, files up to {bench.database().name}", file=sys.stderr, flush=True)
    keep(counts := _counts(bench))
    return counts


def _counts(bench: Rounds) -> dict[str, Any]:
    return {
        "kills": bench.kills.total(),
        "by kind": dict(sorted(bench.kills.items())),
        "rows checked": bench.counts["rows checked"],
        "asked twice at once": bench.counts["asked twice at once"],
        "broken": _broken(bench),
        "bound s": bench.bound_s,
        "oldest reply lost s": round(bench.oldest_lost_s, 3),
    }


def added(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The counts of two series as those of one."""
    both: dict[str, Any] = {}
    for name in {**first, **second}:
        one, other = first.get(name), second.get(name)
        if one is None or other is None:
            both[name] = other if one is None else one
        elif isinstance(one, dict):
            both[name] = added(one, other)
        else:
            both[name] = max(one, other) if name.endswith(" s") else one + other
    return both


def _troubles(bench: Rounds) -> Counter[str]:
    return Counter({name: bench.counts[name] for name in (*BROKEN, "asked twice at once")})


def _broken(bench: Rounds) -> dict[str, int]:
    return {name: bench.counts[name] for name in BROKEN}


def main() -> None:
    """Run the series and print one JSON line; ends with 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="50 kills of small runs")
    parser.add_argument("--into", type=Path, help="keep the counts in this file, and go on from what it holds")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if given.quick:
            counts = series(Path(name), 50, given.seed, items=60, span_s=0.3)
        elif given.into:
            counts = _go_on(Path(name), given.into, given.kills, given.seed)
        else:
            counts = series(Path(name), given.kills, given.seed)
    print(json.dumps(counts))
    sys.exit(1 if any(counts["broken"].values()) else 0)


def _go_on(folder: Path, file: Path, kills: int, seed: int) -> dict[str, Any]:
    """A series until the file holds so many kills; its seed is moved on by the number of those it holds already."""
    before: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}

    def keep(counts: dict[str, Any]) -> None:
        part = file.with_name(f"{file.name}.part")
        part.write_text(json.dumps(added(before, counts), indent=1) + "\n", encoding="utf-8")
        os.replace(part, file)

    done = int(before.get("kills", 0))
    return added(before, series(folder, kills - done, seed + done, keep=keep)) if done < kills else before


if __name__ == "__main__":
    main()
