"""Kill `clika` at random moments, again and again, and look each time at what is on disk.

Loopback servers count what they served and when. After each kill the file must be sound; every reply served longer than
the stated second before the kill must be there; nothing that is stored is asked again; what keeps all or nothing keeps
all or nothing; no question of a batch is sent twice. The kinds are the rounds of parts/kill_rounds.py; the seed makes a
series repeatable.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "parts"))

from kill_rounds import BROKEN, ROUNDS, Bench
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
) -> dict[str, Any]:
    """Kill so many processes, in rounds of every kind in turn; returns the counts.

    A kill comes up to `span_s` after the first question, another program holds the file for up to `locked_s`.
    """
    with Warm(folder) as warm:
        bench = Bench(folder, warm, seed, items=items, bound_s=bound_s, span_s=span_s, locked_s=locked_s)
        with bench.server, bench.vendor_server:
            bench.prepare()
            kinds: list[str] = []
            while bench.kills.total() < kills:
                if not kinds:
                    kinds = bench.random.sample(list(ROUNDS), len(ROUNDS))
                    print(f"{bench.kills.total()} kills: {_broken(bench)}", file=sys.stderr, flush=True)
                kind = kinds.pop()
                ROUNDS[kind](bench, kind)
    return {
        "kills": bench.kills.total(),
        "by kind": dict(sorted(bench.kills.items())),
        "rows checked": bench.counts["rows checked"],
        "asked twice at once": bench.counts["asked twice at once"],
        "broken": _broken(bench),
        "bound s": bound_s,
        "oldest reply lost s": round(bench.oldest_lost_s, 3),
    }


def _broken(bench: Bench) -> dict[str, int]:
    return {name: bench.counts[name] for name in BROKEN}


def main() -> None:
    """Run the series and print one JSON line; ends with 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="50 kills of small runs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if given.quick:
            counts = series(Path(name), 50, given.seed, items=60, span_s=0.3)
        else:
            counts = series(Path(name), given.kills, given.seed)
    print(json.dumps(counts))
    sys.exit(1 if any(counts["broken"].values()) else 0)


if __name__ == "__main__":
    main()
