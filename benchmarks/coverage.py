"""How often do the 95 % intervals hold the truth, and how often do the tests cry wolf? Simulated answers, known truth.

Two languages of one model answer items whose difficulty they share (correlation .6) and that may come in clusters; the
product's own functions compute figures and intervals. `--quick` is what the tests run; the full grid takes minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from clika_client.scoring.item_difficulty import item_difficulty

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from simulated import (
    ACCURACIES,
    CLUSTERS,
    CORRELATIONS,
    HABITS,
    SIZES,
    coverage,
    coverage_of_position_bias,
    false_alarms,
    null_of_consistency,
)
from test_item_difficulty import EFFECTS, a_part, drawn

FIELDS = (
    "ra_unclipped",
    "en_co",
    "en_co_chance_corrected",
    "kappa_correct",
    "agreement",
    "kappa_answer",
    "ac3",
    "transfer",
)


def effects_held(item_sd: float, own_sd: float, sets: int) -> list[bool]:
    """Whether each interval of a language effect holds the effect that the answers were drawn with."""
    random = np.random.default_rng(10)
    held: list[bool] = []
    for seed in range(sets):
        found = item_difficulty(a_part(drawn(random, item_sd, own_sd)), "en", seed)
        held += [e.low <= true <= e.high for e, true in zip(found.effects, EFFECTS[1:], strict=True)]
    return held


def grid(sets: int) -> None:
    """Every cell of number of items, accuracy and correlation."""
    print("Coverage of 95 % intervals\n")
    print("| correlation in clusters | accuracy | n | " + " | ".join(FIELDS) + " |")
    print("|---" * (3 + len(FIELDS)) + "|")
    for correlation in CORRELATIONS:
        for accuracy in ACCURACIES:
            for n in SIZES:
                _line(f"{correlation} | {accuracy} | {n}", coverage(n, accuracy, correlation, sets))


def other_clusters(sets: int) -> None:
    """Clusters of other sizes, and unequal ones."""
    print("\nCoverage of 95 % intervals, other clusters\n")
    print("| clusters | correlation | accuracy | " + " | ".join(FIELDS) + " |")
    print("|---" * (3 + len(FIELDS)) + "|")
    for name, sizes in CLUSTERS.items():
        for correlation in (0.1, 0.3, 0.5):
            for accuracy in (0.25, 0.5, 0.85):
                found = coverage(sum(sizes), accuracy, correlation, sets // 4, sizes)
                _line(f"{name} | {correlation} | {accuracy}", found)


def _line(cell: str, found: dict[str, float]) -> None:
    figures = " | ".join(f"{found[f]:.3f}" if found[f] == found[f] else "-" for f in FIELDS)
    print(f"| {cell} | {figures} |", flush=True)


def position(sets: int) -> None:
    """Intervals of position bias."""
    print("\nCoverage of position bias: the first letter is said, whatever is asked, in a share of the items\n")
    print("| correlation in clusters | share | " + " | ".join(f"n {n}" for n in SIZES) + " |")
    print("|---" * (2 + len(SIZES)) + "|")
    for correlation in CORRELATIONS:
        for habit in HABITS:
            held = (coverage_of_position_bias(n, habit, correlation, sets // 4) for n in SIZES)
            print(f"| {correlation} | {habit} | " + " | ".join(f"{share:.3f}" for share in held) + " |", flush=True)


def tests(sets: int) -> None:
    """Two equally good models."""
    print("\nType I error of comparing two models at .05: accuracy, corrected consistency\n")
    print("| correlation in clusters | n | accuracy | consistency |\n|---|---|---|---|")
    for correlation in (0.0, 0.3, 0.6):
        for n in (25, 125, 500):
            accuracy_error, consistency_error = false_alarms(n, correlation, sets // 4)
            print(f"| {correlation} | {n} | {accuracy_error:.3f} | {consistency_error:.3f} |", flush=True)


def items(sets: int) -> None:
    """How much harder questions are in a language."""
    print("\nCoverage of the language effects of `clika items`\n")
    print("| spread of items | of items in a language | intervals | coverage |\n|---|---|---|---|")
    for item_sd, own_sd in ((1.5, 0.7), (1.0, 0.4)):
        held = effects_held(item_sd, own_sd, sets // 40)
        print(f"| {item_sd} | {own_sd} | {len(held)} | {sum(held) / len(held):.3f} |", flush=True)


def null(sets: int) -> None:
    """What answerers who share no knowledge get, of a hundred thousand items however many `sets` there are."""
    print("\nCorrected consistency of answerers who share no knowledge\n")
    print("| shared | choices | corrected en-CO |\n|---|---|---|")
    for what, k, value in null_of_consistency(100_000):
        print(f"| {what} | {k} | {value:.3f} |")


PARTS = {"grid": grid, "clusters": other_clusters, "position": position, "tests": tests, "items": items, "null": null}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer data sets")
    parser.add_argument("--sets", type=int, default=4000, help="data sets per cell (default 4000)")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated (default: all)")
    chosen = parser.parse_args()
    for name in chosen.only or PARTS:
        PARTS[name](400 if chosen.quick else chosen.sets)


if __name__ == "__main__":
    main()
