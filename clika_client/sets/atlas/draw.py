"""Draws wrong choices: from nearby first, and so that no answer is right more often than it is offered by chance."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from clika_client.sets.atlas.candidates import Candidate, ExcludedFact
from clika_client.sets.atlas.items import Sieve
from clika_client.sets.atlas.row import MOST, K

FEW_ANSWERS = ("country-continent", "official-language", "language-script", "utc-offset", "city-language")
"""Relations with few different answers: there balance comes before nearness."""


@cache
def hashed(*parts: str) -> bytes:
    """The draw: a fixed hash instead of a random generator, so that every build draws the same."""
    return hashlib.blake2b("|".join(parts).encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Filled:
    """A fact with its wrong choices: three, and up to six more for ten options."""

    candidate: Candidate
    wrong: tuple[str, ...]
    more: tuple[str, ...]


def fill(
    candidates: Sequence[Candidate],
    sieve: Sieve,
    never_together: frozenset[frozenset[str]],
    seed: str,
    most: int = MOST,
) -> Iterator[Filled | ExcludedFact]:
    """Candidates of one relation with wrong choices, in their order; up to `most` choices in all.

    Each answer is to be offered wrongly three times as often as it is right: then offering it tells nothing.
    """
    golds = Counter(candidate.answer for candidate in candidates)
    left = Counter({answer: (K - 1) * count for answer, count in golds.items()})
    scarce = sorted(
        range(len(candidates)),
        key=lambda i: (len(candidates[i].rings[0]), hashed(seed, "order", candidates[i].item_id)),
    )
    found: dict[int, Filled | ExcludedFact] = {}
    for index in scarce:
        candidate = candidates[index]
        chosen = _choose(candidate, sieve, never_together, left, seed, most)
        if len(chosen) < K - 1:
            found[index] = ExcludedFact(candidate.item_id, f"fewer than {K - 1} fit wrong choices")
            continue
        left.subtract(chosen[: K - 1])
        found[index] = Filled(candidate, chosen[: K - 1], chosen[K - 1 :])
    yield from (found[index] for index in range(len(candidates)))


def _choose(
    candidate: Candidate,
    sieve: Sieve,
    never_together: frozenset[frozenset[str]],
    left: Counter[str],
    seed: str,
    most: int,
) -> tuple[str, ...]:
    """Wrong choices, the best three first."""
    if candidate.relation in FEW_ANSWERS:

        def rank(one: tuple[int, str]) -> tuple[int, int, int]:
            ring, key = one
            return 0 if left[key] > 0 else 1, -left[key], ring
    else:

        def rank(one: tuple[int, str]) -> tuple[int, int, int]:
            ring, key = one
            return ring, -left[key], 0

    chosen = [candidate.answer]
    for _, key in sorted(_shuffled(candidate.rings, seed, candidate.item_id), key=rank):
        if key in chosen or any(_apart(key, one) in never_together for one in chosen):
            continue
        if sieve.unfit(key) or sieve.leak(candidate.relation, candidate.subject, key):
            continue
        if not sieve.differs(candidate.relation, key, chosen):
            continue
        chosen.append(key)
        if len(chosen) == most:
            break
    return tuple(chosen[1:])


@lru_cache(maxsize=10_000)
def _shuffled(rings: tuple[tuple[str, ...], ...], seed: str, item_id: str) -> tuple[tuple[int, str], ...]:
    """(ring, key) in the order of the draw; a relation is filled again and again until it is fair."""
    known = ((ring, key) for ring, keys in enumerate(rings) for key in keys)
    return tuple(sorted(known, key=lambda one: (hashed(seed, item_id, one[1]), one[1])))


def _apart(one: str, other: str) -> frozenset[str]:
    return frozenset((one.partition(":")[2], other.partition(":")[2]))
