"""Says how hard an item is: by what was measured on its relation, and by how well known is what it asks about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from clika_client.sets.atlas.candidates import Candidate
from clika_client.sets.atlas.sources import Facts

TIERS = ("easy", "medium", "hard")


def prominence(candidate: Candidate, facts: Facts) -> float:
    """How well known the subject is: inhabitants of a city or country, speakers of a language, lightness of an atom.

    Only compared within a relation.
    """
    kind, _, code = candidate.subject.partition(":")
    if kind == "zone":
        people = float(facts.get(f"inhabitants:{code}", 0))
        capital = facts.get(f"capital:{candidate.country}") == code
        return people + (CAPITAL if capital else 0)
    if kind == "territory":
        return float(facts.get(f"population:{code}", 0))
    if kind == "language":
        return sum(float(word.partition("=")[2]) for word in facts.get(f"speakers:{code}", "").split())
    return -float(candidate.answer.partition(":")[2])


CAPITAL = 2_000_000
"""A capital is as well known as another city with so many more inhabitants."""


EASY_FROM, MEDIUM_FROM = 0.75, 0.45
"""Shares right, of four choices, from which a relation counts as easy and as medium."""


def base(relation: str, measured: Mapping[str, float], unmeasured: Mapping[str, str]) -> str:
    """The tier of a relation's middle third."""
    if relation in unmeasured:
        return unmeasured[relation]
    share = measured[relation]
    return "easy" if share >= EASY_FROM else "medium" if share >= MEDIUM_FROM else "hard"


def tiers(candidates: Sequence[Candidate], middle: str, facts: Facts) -> Mapping[str, str]:
    """Item id → tier: the relation's own, but one step easier for its best known third, one harder for the least."""
    order = sorted(candidates, key=lambda one: (-prominence(one, facts), one.item_id))
    level = TIERS.index(middle)
    found = {}
    for rank, candidate in enumerate(order):
        step = 3 * rank // len(order) - 1
        found[candidate.item_id] = TIERS[min(max(level + step, 0), len(TIERS) - 1)]
    return found


def counts(tiers: Iterable[str]) -> dict[str, int]:
    """Tier → items, easy first."""
    known = list(tiers)
    return {tier: known.count(tier) for tier in TIERS}
