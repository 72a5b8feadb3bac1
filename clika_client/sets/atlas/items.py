"""Turns facts into items: filters them in every language, draws wrong choices and places the right one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from clika_client.sets.atlas import filters
from clika_client.sets.atlas.relations import Candidate, Dropped
from clika_client.sets.atlas.row import K, Row, sides
from clika_client.sets.atlas.wording import Wording

SEED = "atlas 1"
"""Part of every draw; changing it makes another set."""

NameOf = Callable[[str, str], str | None]
"""(language, entity key) → name."""


@dataclass(frozen=True, slots=True)
class Sieve:
    """The filters, applied in every language; what fails in one fails everywhere."""

    wordings: Sequence[Wording]
    name: NameOf

    def unfit(self, key: str) -> str | None:
        """Why an entity cannot be shown, or None."""
        for wording in self.wordings:
            problem = filters.name_problem(self.name(wording.language, key), wording.script)
            if problem:
                return f"{problem} ({wording.language}: {self.name(wording.language, key)})"
        return None

    def leak(self, relation: str, subject: str, answer: str) -> str | None:
        """Where the answer can be read off the question, or None."""
        for wording in self.wordings:
            asked, shown = sides(relation, wording)
            here, there = self.name(asked, subject) or "", self.name(shown, answer) or ""
            question = wording.questions[relation].replace("{name}", here)
            if filters.readable(here, there) or filters.given_away(question, there):
                return f"the answer can be read off the question ({wording.language}: {here} – {there})"
        return None

    def distinct(self, relation: str, keys: Iterable[str]) -> bool:
        """Whether choices differ from each other after normalisation."""
        chosen = tuple(keys)
        return all(
            len({filters.normalise(self.name(sides(relation, wording)[1], key) or "") for key in chosen}) == len(chosen)
            for wording in self.wordings
        )


def screen(facts: Iterable[Candidate | Dropped], sieve: Sieve) -> Iterator[Candidate | Dropped]:
    """Candidates whose names are fit and whose answer is hidden in every language; the others with the reason."""
    for fact in facts:
        if isinstance(fact, Dropped):
            yield fact
            continue
        reason = sieve.unfit(fact.subject) or sieve.unfit(fact.answer)
        reason = reason or sieve.leak(fact.relation, fact.subject, fact.answer)
        yield Dropped(fact.item_id, reason) if reason else fact


def draw(candidate: Candidate, sieve: Sieve, never_together: frozenset[frozenset[str]]) -> tuple[str, ...] | None:
    """K - 1 wrong choices, the first fit ones in the order of a hash; None when there are not enough.

    A hash of the pair, not a shuffle of the pool, so that a new country changes few items.
    """
    chosen: list[str] = []
    for key in sorted(candidate.pool, key=lambda key: _hash(candidate.item_id, key)):
        codes = [other.partition(":")[2] for other in (*chosen, key, candidate.answer)]
        if any(frozenset(pair) in never_together for pair in combinations(codes, 2)):
            continue
        if sieve.unfit(key) or sieve.leak(candidate.relation, candidate.subject, key):
            continue
        if not sieve.distinct(candidate.relation, (candidate.answer, *chosen, key)):
            continue
        chosen.append(key)
        if len(chosen) == K - 1:
            return tuple(chosen)
    return None


def place(relation: Sequence[tuple[Candidate, tuple[str, ...]]], regions: Mapping[str, str]) -> list[Row]:
    """Rows of one relation, the right answer at each position equally often (within one)."""
    order = sorted(range(len(relation)), key=lambda i: _hash("gold", relation[i][0].item_id))
    position = {index: rank % K for rank, index in enumerate(order)}
    return [
        Row(
            candidate.item_id,
            candidate.relation,
            candidate.subject,
            (*wrong[: position[index]], candidate.answer, *wrong[position[index] :]),
            position[index],
            regions[candidate.place.continent],
            candidate.place.subregion,
            candidate.cluster,
        )
        for index, (candidate, wrong) in enumerate(relation)
    ]


def first(keys: Iterable[str], purpose: str, count: int) -> list[str]:
    """`count` of the keys, drawn by hash, in their own order."""
    known = list(keys)
    taken = set(sorted(known, key=lambda key: _hash(purpose, key))[:count])
    return [key for key in known if key in taken]


def _hash(*parts: str) -> bytes:
    return hashlib.blake2b("|".join((SEED, *parts)).encode(), digest_size=16).digest()
