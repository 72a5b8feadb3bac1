"""Leaves out the facts that would make a relation guessable, until no majority is right much more often than chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clika_client.sets.atlas.baselines import CIRCULAR, FOLDS, GROUPS, BlindItem, by_length, majority
from clika_client.sets.atlas.candidates import Candidate, ExcludedFact
from clika_client.sets.atlas.curated import CONTINENTS
from clika_client.sets.atlas.draw import FEW_ANSWERS, Filled, fill, hashed
from clika_client.sets.atlas.items import Sieve
from clika_client.sets.atlas.row import K, sides

BOUND = 0.33
"""No majority may be right more often than this, of four choices: chance is .25, and .35 is promised."""
UNFAIR = "its answer is right too often to be offered fairly"


LENGTH_BOUND = 0.34
"""Nor may the longest or the shortest choice be right more often than this, in any language."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The facts of one relation, shared out."""

    asked: list[Filled]
    examples: list[Filled]
    """Reserved for prompts; first of all what could not be asked fairly."""
    dropped: list[ExcludedFact]


def share_out(
    candidates: Sequence[Candidate], sieve: Sieve, never_together: frozenset[frozenset[str]], seed: str, reserve: int
) -> Shared:
    """The candidates of one relation with their wrong choices: asked, reserved as examples, or dropped."""
    fit = sorted(candidates, key=lambda one: one.item_id)
    kept = _without_excess(fit, seed) if fit[0].relation in FEW_ANSWERS else fit
    order = sorted(fit, key=lambda one: (one in kept, hashed(seed, "reserved", one.item_id)))
    shown = [one for one in fill(order[:reserve], sieve, never_together, seed) if isinstance(one, Filled)]
    kept = [one for one in kept if one not in order[:reserve]]
    while True:
        filled = [one for one in fill(kept, sieve, never_together, seed, K) if isinstance(one, Filled)]
        surplus = _surplus(filled, seed) or told_by_length(filled, sieve, seed)
        if surplus is None:
            break
        kept = [one for one in kept if one.item_id != surplus]
    done = list(fill(kept, sieve, never_together, seed))
    used = {one.item_id for one in kept} | {one.candidate.item_id for one in shown}
    dropped = [one for one in done if isinstance(one, ExcludedFact)]
    dropped += [ExcludedFact(one.item_id, UNFAIR) for one in fit if one.item_id not in used]
    return Shared([one for one in done if isinstance(one, Filled)], shown, dropped)


def told_by_length(filled: Sequence[Filled], sieve: Sieve, seed: str) -> str | None:
    """Id of an item whose answer is the longest or the shortest choice in the language where that tells most; None
    when it tells little in all languages."""
    worst, hits = LENGTH_BOUND * len(filled), list[float]()
    for wording in sieve.wordings:
        shown = sides(filled[0].candidate.relation, wording)[1]
        items = [
            BlindItem("", "", "", tuple(sieve.name(shown, key) or "" for key in (one.candidate.answer, *one.wrong)), 0)
            for one in filled
        ]
        for longest in (True, False):
            found = by_length(items, longest=longest)
            if sum(found) > worst:
                worst, hits = sum(found), found
    guilty = [one.candidate.item_id for one, hit in zip(filled, hits, strict=False) if hit > 1 / K]
    return min(guilty, key=lambda item_id: hashed(seed, "length", item_id), default=None)


def _without_excess(candidates: Sequence[Candidate], seed: str) -> list[Candidate]:
    """At most a quarter of a relation has one answer: more cannot be offered wrongly as often as fairness asks.

    What goes first is where the answer is commonest, so that no region has only one.
    """
    kept = list(candidates)
    while True:
        golds = Counter(one.answer for one in kept)
        answer, most = max(golds.items(), key=lambda pair: (pair[1], pair[0]))
        if most <= max(1, -(-len(kept) // K)):
            return kept
        there = Counter(one.place.continent for one in kept if one.answer == answer)
        sizes = Counter(one.place.continent for one in kept)
        share = {continent: there[continent] / sizes[continent] for continent in there}
        alike = [one for one in kept if one.answer == answer]
        kept.remove(max(alike, key=lambda one: (share[one.place.continent], hashed(seed, "keep", one.item_id))))


def _surplus(filled: Sequence[Filled], seed: str) -> str | None:
    """Id of an item that the best majority gets right, of the commonest answer; None when all is fair."""
    items = [asked(one) for one in filled]
    worst, hits = 0.0, list[float]()
    for name, group in GROUPS.items():
        if (items[0].relation, name) in CIRCULAR:
            continue
        for folds in FOLDS:
            found = majority(items, group, folds)
            if sum(found) > worst:
                worst, hits = sum(found), found
    if worst <= BOUND * len(items):
        return None
    golds = Counter(one.answer for one in items)
    guilty = [i for i, hit in enumerate(hits) if hit > 1 / K]
    first = max(guilty, key=lambda i: (golds[items[i].answer], hashed(seed, "surplus", filled[i].candidate.item_id)))
    return filled[first].candidate.item_id


def asked(one: Filled) -> BlindItem:
    """What a blind answerer sees of it; the place of the answer does not matter here."""
    candidate = one.candidate
    region, subregion = CONTINENTS[candidate.place.continent], candidate.place.subregion
    return BlindItem(candidate.relation, region, subregion, (candidate.answer, *one.wrong), 0)
