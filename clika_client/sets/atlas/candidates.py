"""What a relation states: candidates with their answer and possible wrong choices, and the tables they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clika_client.sets.atlas.curated import Curated, Place
from clika_client.sets.atlas.sources import Facts

CITY_SECTIONS = ("zones", "not_cities", "homonyms", "small_cities")
"""Sections of excluded.toml that name time zones."""

Rings = tuple[tuple[str, ...], ...]
"""Entity keys that would be wrong answers of the same kind: nearest first (subregion, continent, elsewhere)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One fact that may become an item."""

    item_id: str
    relation: str
    subject: str
    """Entity key, `zone:Europe/Paris`; empty where the question names nothing."""
    answer: str
    rings: Rings
    place: Place
    country: str
    """ISO 3166-1 code of the country the fact is about; empty where it is about none."""
    cluster: str
    """Facts that stand or fall together."""


@dataclass(frozen=True, slots=True)
class ExcludedFact:
    """One fact left out, for excluded.tsv."""

    item_id: str
    reason: str


Found = Iterator[Candidate | ExcludedFact]


class Known:
    """The curated tables and the facts, with the questions that relations put to both."""

    def __init__(self, curated: Curated, facts: Facts) -> None:
        self.curated = curated
        self.facts = facts
        self.codes = [code for code in sorted(curated.countries) if not self.reason(code, "countries")]

    def words(self, kind: str, code: str) -> tuple[str, ...]:
        """The values of a fact that has several; none where it is not known."""
        return tuple(self.facts.get(f"{kind}:{code}", "").split())

    def reason(self, code: str, *sections: str) -> str | None:
        """Why judgement leaves it out, or None."""
        excluded = self.curated.excluded
        return next((excluded[section][code] for section in sections if code in excluded[section]), None)

    def rings(self, code: str) -> tuple[list[str], list[str], list[str]]:
        """The other countries: of its subregion, of its continent, of the world; none that is in dispute with it."""
        here = self.curated.countries[code]
        near, far, rest = list[str](), list[str](), list[str]()
        for other in self.codes:
            if other == code or frozenset((code, other)) in self.curated.never_together:
                continue
            place = self.curated.countries[other]
            ring = near if place.subregion == here.subregion else far if place.continent == here.continent else rest
            ring.append(other)
        return near, far, rest

    def countries(self, code: str, *, apart_from: Iterable[str] = ()) -> Rings:
        """`rings` as entity keys, without some."""
        barred = set(apart_from)
        return tuple(tuple(f"territory:{other}" for other in ring if other not in barred) for ring in self.rings(code))

    def valued(self, code: str, key: Mapping[str, str], *, barred: Iterable[str] = ()) -> Rings:
        """Answers of other countries as wrong ones for this: `key` maps country → entity key."""
        seen = {key[code], *barred}
        rings = []
        for ring in self.rings(code):
            values = dict.fromkeys(key[other] for other in ring if other in key)
            rings.append(tuple(value for value in values if value not in seen))
            seen.update(values)
        return tuple(rings)


def cities(known: Known) -> Iterator[tuple[str, str, str | None]]:
    """(zone, country, why it is left out) of every time zone of a member state."""
    zones = sorted((zone, code) for code in known.curated.countries for zone in zones_of(known, code))
    for zone, code in zones:
        reason = known.reason(code, "countries") or known.reason(zone, *CITY_SECTIONS)
        if "/Indiana/" in zone or "/Kentucky/" in zone or "/North_Dakota/" in zone:
            reason = "small town, written with its state"
        yield zone, code, reason


def zones_of(known: Known, code: str) -> Sequence[str]:
    """Time zones of a country."""
    return known.words("zones", code)


def with_fact(known: Known, kind: str) -> list[str]:
    """The countries that a fact is known of."""
    return [code for code in known.codes if f"{kind}:{code}" in known.facts]


def of_country(
    known: Known, relation: str, subject: str, code: str, answer: str, rings: Rings, cluster: str = ""
) -> Candidate:
    """A fact about a country or a city or language of it."""
    place = known.curated.countries[code]
    item_id = f"{relation}:{subject.partition(':')[2]}"
    return Candidate(item_id, relation, subject, answer, rings, place, code, cluster or code)
