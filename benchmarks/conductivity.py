"""Are simulated models recovered? How often conductivity's intervals hold the truth, and how often the name is right.

Kinds with a known truth (`tests/taught.py`): who compares spellings, names one continent, knows what it was told,
forgets, or conducts 0, .2 or .6 of what it was taught; 600 test facts on 20 continents drawn anew, scored by the
product's own functions after one teaching and after three. Also: how often two equal models are told apart, and the
ceiling of copying in every language. Prints Markdown; `--experiments 100` takes a minute, all of it ten.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clika_client.conductivity.ceiling import Copier
from clika_client.sets import fictional
from clika_client.sets.fictional.names import NAME_KINDS

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from taught import ANSWERERS, OTHER_SHAPES, UNLIKE_TEACHINGS, false_alarms, forgetters, tally


def recovered(experiments: int, deals: int) -> None:
    print("| answerer | teachings | raw | XRR | > chance | named rightly |\n|---|---|---|---|---|---|")
    for teachings in (1, 3):
        for name, kind in {**ANSWERERS, **(UNLIKE_TEACHINGS if teachings > 1 else {})}.items():
            found = tally(kind, teachings, experiments, deals, 1)
            shares = (found.raw, found.ratio, found.above, found.named)
            cells = " | ".join(f"{one / experiments:.3f}" for one in shares)
            print(f"| {name} | {teachings} | {cells} |", flush=True)


def elsewhere(experiments: int) -> None:
    """The same rule where facts, continents and seeds are others than those it was chosen by."""
    print("\n| world | teachings | raw | XRR | > chance |\n|---|---|---|---|---|")
    for name, (teachings, kind) in OTHER_SHAPES.items():
        found = tally(kind, teachings, experiments, 0, 4)
        cells = " | ".join(f"{one / experiments:.3f}" for one in (found.raw, found.ratio, found.above))
        print(f"| {name} | {teachings} | {cells} |", flush=True)


def forgotten(experiments: int) -> None:
    print("\n| atlas before → after | interval holds the loss | named forgetful |\n|---|---|---|")
    for before, after, held, named in forgetters(experiments, 2):
        print(f"| {before:.2f} → {after:.2f} | {held:.3f} | {named:.3f} |", flush=True)


def alarms(experiments: int) -> None:
    print("\n| equal models, teachings each | told apart |\n|---|---|")
    for teachings in (1, 3):
        print(f"| {teachings} | {false_alarms(teachings, experiments, 3):.3f} |", flush=True)


def ceilings(seed: int) -> None:
    """Copying over all test facts of a world, in every language."""
    print("\n| language | " + " | ".join(f"{kind} names" for kind in NAME_KINDS) + " |\n|---|---|---|")
    worlds = [fictional.make_world(seed, names=kind) for kind in NAME_KINDS]
    copiers = [Copier([(f.place["en"], str(f.continent)) for f in world.facts]) for world in worlds]
    for tag in fictional.languages()[1:]:
        shares = []
        for world, copier in zip(worlds, copiers, strict=True):
            test = [fact for fact in world.facts if fact.type == 1]
            right = sum(copier.answer(fact.place[tag]) == str(fact.continent) for fact in test)
            shares.append(f"{right / len(test):.3f}")
        print(f"| {tag} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--deals", type=int, default=400)
    parser.add_argument("--no-ceilings", action="store_true")
    given = parser.parse_args()
    recovered(given.experiments, given.deals)
    elsewhere(given.experiments)
    forgotten(given.experiments)
    alarms(given.experiments)
    if not given.no_ceilings:
        ceilings(fictional.facts.SEED)
