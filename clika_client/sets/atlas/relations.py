"""States the facts atlas may ask about: per relation, the candidates with their answer and possible wrong choices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clika_client.sets.atlas import cldr
from clika_client.sets.atlas.curated import CONTINENTS, Curated, Place

CITY_SECTIONS = ("zones", "not_cities", "homonyms", "small_cities")
"""Sections of excluded.toml that name time zones."""

NEIGHBOURS = {"Central America": "005", "Caribbean": "005"}
"""Subregion → continent never offered as a wrong choice: schools draw this border differently."""

AMERICAS = ("003", "005")
"""One pool of official languages: North America alone has too few."""

ONE_NAME = {"XOF": "XAF", "XAF": "XOF"}
"""Currency → currency never offered against it: both are called CFA franc."""

SIBLINGS = {"fa": {"tg"}, "ms": {"id"}}
"""Official language → languages never offered against it: one language to many linguists."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One fact that may become an item."""

    item_id: str
    relation: str
    subject: str
    """Entity key, `zone:Europe/Paris`."""
    answer: str
    pool: tuple[str, ...]
    """Entity keys that would be wrong answers of the same kind and continent."""
    place: Place
    cluster: str
    """Facts about one country (or language) stand or fall together."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """One fact left out, for excluded.tsv."""

    item_id: str
    reason: str


Facts = Iterator[Candidate | Dropped]


def facts(curated: Curated) -> Facts:
    """Every candidate of every fact relation, and what judgement left out, in a stable order."""
    yield from city_country(curated)
    yield from country_continent(curated)
    yield from shared_currency(curated)
    yield from official_language(curated)
    yield from language_script(curated)


def city_country(curated: Curated) -> Facts:
    """Time-zone exemplar cities of member states."""
    zones = sorted((zone, code) for code in curated.countries for zone in cldr.zones_of(code))
    for zone, code in zones:
        item_id = f"city-country:{zone}"
        reason = _reason(curated, code, "countries") or _reason(curated, zone, *CITY_SECTIONS)
        if "/Indiana/" in zone or "/Kentucky/" in zone or "/North_Dakota/" in zone:
            reason = "small town, written with its state"
        if reason:
            yield Dropped(item_id, reason)
            continue
        place = curated.countries[code]
        pool = _others(curated, code, _on(curated, place.continent))
        yield Candidate(item_id, "city-country", f"zone:{zone}", f"territory:{code}", pool, place, code)


def country_continent(curated: Curated) -> Facts:
    """Continents of member states, where schoolbooks agree."""
    for code, place in sorted(curated.countries.items()):
        item_id = f"country-continent:{code}"
        reason = _reason(curated, code, "countries", "continents")
        if reason:
            yield Dropped(item_id, reason)
            continue
        barred = {place.continent, NEIGHBOURS.get(place.subregion)}
        pool = tuple(f"territory:{continent}" for continent in CONTINENTS if continent not in barred)
        yield Candidate(
            item_id, "country-continent", f"territory:{code}", f"territory:{place.continent}", pool, place, code
        )


def shared_currency(curated: Curated) -> Facts:
    """Two countries with one currency, among countries of the continent with another.

    Asking for a country, not for the currency's name, keeps the answer from being read off the
    question: most currencies are named after their country.
    """
    money = {
        code: tuple(cldr.currencies_of(code))
        for code in sorted(curated.countries)
        if not _reason(curated, code, "countries", "currencies")
    }
    single = {code: found[0] for code, found in money.items() if len(found) == 1}
    for code, currency in single.items():
        place = curated.countries[code]
        near = [other for other in single if curated.countries[other].continent == place.continent and other != code]
        partners = [other for other in near if single[other] == currency]
        if not partners:
            continue
        item_id = f"shared-currency:{code}"
        # The partner is the next country in the alphabet, so that every member is an answer once.
        answer = next((other for other in partners if other > code), partners[0])
        barred = {currency, ONE_NAME.get(currency)}
        pool = _others(curated, answer, [other for other in near if single[other] not in barred])
        pool = tuple(key for key in pool if key in _others(curated, code, near))
        yield Candidate(item_id, "shared-currency", f"territory:{code}", f"territory:{answer}", pool, place, code)


def official_language(curated: Curated) -> Facts:
    """Countries with exactly one official language, against languages that CLDR does not know to be spoken there."""
    spoken = {code: cldr.languages_of(code) for code in sorted(curated.countries)}
    for code, rows in spoken.items():
        official = [tag for tag, status in rows.items() if status in ("official", "de_facto_official")]
        if len(official) != 1 or rows[official[0]] != "official":
            continue
        item_id, (answer,) = f"official-language:{code}", official
        reason = _reason(curated, code, "countries", "official_languages")
        if reason:
            yield Dropped(item_id, reason)
            continue
        place = curated.countries[code]
        nearby = {
            tag
            for continent in (AMERICAS if place.continent in AMERICAS else (place.continent,))
            for other in _on(curated, continent)
            for tag, status in spoken[other].items()
            if status == "official" and not _reason(curated, tag, "languages")
        }
        pool = tuple(f"language:{tag}" for tag in sorted(nearby - rows.keys() - SIBLINGS.get(answer, set())))
        yield Candidate(item_id, "official-language", f"territory:{code}", f"language:{answer}", pool, place, code)


def language_script(curated: Curated) -> Facts:
    """Languages written in one script."""
    for tag, place in sorted(curated.languages.items()):
        if reason := _reason(curated, tag, "languages"):
            yield Dropped(f"language-script:{tag}", reason)
            continue
        script = cldr.script_of(tag)
        pool = tuple(f"script:{code}" for code in curated.scripts[place.continent] if code != script)
        yield Candidate(
            f"language-script:{tag}",
            "language-script",
            f"language:{tag}",
            f"script:{script}",
            pool,
            place,
            f"language:{tag}",
        )


def translations(subjects: Iterable[tuple[str, Place, str]], kinds: Sequence[str]) -> Iterator[Candidate]:
    """The control task, in both directions: the name of an entity here, among names of its kind and continent.

    `subjects` are (entity key, place, cluster); `kinds` the two relation names.
    """
    known = list(subjects)
    for key, place, cluster in known:
        kind, _, code = key.partition(":")
        pool = tuple(
            other
            for other, where, _ in known
            if other != key and other.startswith(kind + ":") and where.continent == place.continent
        )
        for relation in kinds:
            yield Candidate(f"{relation}:{code}", relation, key, key, pool, place, cluster)


def _reason(curated: Curated, code: str, *sections: str) -> str | None:
    return next((curated.excluded[section][code] for section in sections if code in curated.excluded[section]), None)


def _on(curated: Curated, continent: str) -> list[str]:
    """Countries of a continent that may be shown, by code."""
    return [
        code
        for code, place in sorted(curated.countries.items())
        if place.continent == continent and not _reason(curated, code, "countries")
    ]


def _others(curated: Curated, answer: str, codes: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"territory:{code}"
        for code in codes
        if code != answer and frozenset((answer, code)) not in curated.never_together
    )
