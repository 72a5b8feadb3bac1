"""States facts about where places lie: the country of a city, the continent and a neighbour of a country."""

from __future__ import annotations

from clika_client.sets.atlas.candidates import ExcludedFact, Found, Known, cities, of_country
from clika_client.sets.atlas.curated import CONTINENTS

NEIGHBOURS = {"Central America": "005", "Caribbean": "005"}
"""Subregion → continent never offered as a wrong choice: schools draw this border differently."""


def city_country(known: Known) -> Found:
    """Time-zone exemplar cities of member states."""
    for zone, code, reason in cities(known):
        item_id = f"city-country:{zone}"
        if reason:
            yield ExcludedFact(item_id, reason)
        else:
            yield of_country(known, "city-country", f"zone:{zone}", code, f"territory:{code}", known.countries(code))


def country_continent(known: Known) -> Found:
    """Continents of member states, where schoolbooks agree."""
    for code, place in sorted(known.curated.countries.items()):
        if reason := known.reason(code, "countries", "continents"):
            yield ExcludedFact(f"country-continent:{code}", reason)
            continue
        barred = {place.continent, NEIGHBOURS.get(place.subregion)}
        ring = tuple(f"territory:{continent}" for continent in CONTINENTS if continent not in barred)
        yield of_country(known, "country-continent", f"territory:{code}", code, f"territory:{place.continent}", (ring,))


def country_border(known: Known) -> Found:
    """A country and one of its land neighbours, among countries of the subregion that are not."""
    asked = dict[str, int]()
    for code in sorted(known.codes, key=lambda code: (len(known.words("neighbours", code)), code)):
        near = [other for other in known.words("neighbours", code) if other in known.codes]
        apart = {code, *known.words("neighbours", code), *known.curated.no_border.get(code, ())}
        fit = [
            other
            for other in near
            if other not in known.curated.no_border.get(code, ())
            and frozenset((code, other)) not in known.curated.never_together
        ]
        if not fit:
            continue
        # The neighbour that has been an answer least often, so that no country is right in many items.
        answer = min(fit, key=lambda other: (asked.get(other, 0), other))
        asked[answer] = asked.get(answer, 0) + 1
        rings = known.countries(code, apart_from=apart)
        allowed = {f"territory:{other}" for ring in known.rings(answer) for other in ring}
        kept = tuple(tuple(key for key in ring if key in allowed) for ring in rings)
        yield of_country(known, "country-border", f"territory:{code}", code, f"territory:{answer}", kept)
