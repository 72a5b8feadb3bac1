"""The controls of atlas, a set of their own: is the name known at all, and is the prompt understood?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from clika_client.sets.atlas.candidates import Candidate
from clika_client.sets.atlas.curated import Curated, Place
from clika_client.sets.atlas.draw import Filled, fill, hashed
from clika_client.sets.atlas.items import Sieve, screen

TRANSLATIONS = ("translate-out", "translate-in")
OF_A_KIND = 30
"""So many countries and so many cities are translated, each in both directions."""
NEVER = {"territory:CN", "territory:GB", "territory:OM", "zone:Asia/Amman"}
"""China and Britain, whose names the questions bring to mind by naming their languages; Oman and Amman, whose names are
letters within a word of the Romanian and the Portuguese question."""
ELEMENTS = 60
"""So many of the chemical elements are asked for."""
NEAREST = 12
"""Wrong atomic numbers lie at most so far from the right one."""
NOWHERE = Place("", "")


def controls(kept: Iterable[Filled], sieve: Sieve, tables: Curated, seed: str) -> Iterator[list[Filled]]:
    """The relations of `atlas-names`, one list each: names of places of city-country, and chemical symbols."""
    fit = {relation: _translations(kept, sieve, tables, relation, seed) for relation in TRANSLATIONS}
    both = set.intersection(*({one.candidate.subject for one in rows} for rows in fit.values()))
    chosen = {
        key
        for kind in ("territory:", "zone:")
        for key in sorted((key for key in both if key.startswith(kind)), key=lambda key: hashed(seed, "control", key))[
            :OF_A_KIND
        ]
    }
    for rows in fit.values():
        yield [one for one in rows if one.candidate.subject in chosen]
    yield [one for one in fill(list(_symbols(tables, seed)), sieve, frozenset(), seed) if isinstance(one, Filled)]


def _translations(kept: Iterable[Filled], sieve: Sieve, tables: Curated, relation: str, seed: str) -> Sequence[Filled]:
    """What a place is called in the partner's language, or here; among names of its kind and continent."""
    places: dict[str, Candidate] = {}
    for one in kept:
        if one.candidate.relation == "city-country":
            places[one.candidate.subject] = places[one.candidate.answer] = one.candidate
    named = sorted(places.keys() - NEVER)
    facts = []
    for key in named:
        kind, _, code = key.partition(":")
        ring = tuple(
            other
            for other in named
            if other != key and other.startswith(kind) and places[other].place.continent == places[key].place.continent
        )
        here = places[key]
        item_id = f"{relation}:{code}"
        facts.append(Candidate(item_id, relation, key, key, (ring,), here.place, here.country, here.cluster))
    screened = [one for one in screen(facts, sieve) if isinstance(one, Candidate)]
    return [one for one in fill(screened, sieve, tables.never_together, seed) if isinstance(one, Filled)]


def _symbols(tables: Curated, seed: str) -> Iterator[Candidate]:
    """Atomic numbers of chemical symbols: nothing but the question's frame is in the language."""
    numbers = range(1, len(tables.elements) + 1)
    drawn = sorted(numbers, key=lambda number: hashed(seed, "element", str(number)))[:ELEMENTS]
    for number in sorted(drawn):
        near = sorted((n for n in numbers if 0 < abs(n - number) <= NEAREST), key=lambda n: (abs(n - number), n))
        symbol = tables.elements[number - 1]
        yield Candidate(
            f"symbol-number:{symbol}",
            "symbol-number",
            f"symbol:{symbol}",
            f"number:{number}",
            (tuple(f"number:{n}" for n in near),),
            NOWHERE,
            "",
            f"element:{symbol}",
        )
