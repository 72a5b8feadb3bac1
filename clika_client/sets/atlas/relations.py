"""States the facts atlas may ask about: per relation, the candidates with their answer and possible wrong choices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clika_client.sets.atlas.curated import CONTINENTS, Curated, Place
from clika_client.sets.atlas.sources import Facts

CITY_SECTIONS = ("zones", "not_cities", "homonyms", "small_cities")
"""Sections of excluded.toml that name time zones."""

NEIGHBOURS = {"Central America": "005", "Caribbean": "005"}
"""Subregion → continent never offered as a wrong choice: schools draw this border differently."""

ONE_NAME = {"XOF": "XAF", "XAF": "XOF"}
"""Currency → currency never offered against it: both are called CFA franc."""

SIBLINGS = {"fa": {"tg"}, "ms": {"id"}, "id": {"ms"}, "hi": {"ur"}, "ur": {"hi"}}
"""Language → languages never offered against it: one language to many linguists."""

HOME_SHARE = 0.6
"""A language is at home in a country if at least this share of its speakers lives there."""
HOME_FROM = 2_000_000
"""Languages with fewer speakers in their country are not asked about: other languages seldom name them."""

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
class Dropped:
    """One fact left out, for excluded.tsv."""

    item_id: str
    reason: str


Found = Iterator[Candidate | Dropped]


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


def city_country(known: Known) -> Found:
    """Time-zone exemplar cities of member states."""
    for zone, code, reason in cities(known):
        item_id = f"city-country:{zone}"
        if reason:
            yield Dropped(item_id, reason)
        else:
            yield _of_country(known, "city-country", f"zone:{zone}", code, f"territory:{code}", known.countries(code))


def country_continent(known: Known) -> Found:
    """Continents of member states, where schoolbooks agree."""
    for code, place in sorted(known.curated.countries.items()):
        if reason := known.reason(code, "countries", "continents"):
            yield Dropped(f"country-continent:{code}", reason)
            continue
        barred = {place.continent, NEIGHBOURS.get(place.subregion)}
        ring = tuple(f"territory:{continent}" for continent in CONTINENTS if continent not in barred)
        yield _of_country(
            known, "country-continent", f"territory:{code}", code, f"territory:{place.continent}", (ring,)
        )


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
        yield _of_country(known, "country-border", f"territory:{code}", code, f"territory:{answer}", kept)


def shared_currency(known: Known) -> Found:
    """Two countries with one currency, among countries nearby with another.

    Asking for a country, not for the currency's name, keeps the answer from being read off the
    question: most currencies are named after their country.
    """
    for code, answer, rings in _partners(known):
        yield _of_country(
            known, "shared-currency", f"territory:{code}", code, f"territory:{answer}", rings, _union(known, code)
        )


def _union(known: Known, code: str) -> str:
    return f"currency:{known.facts[f'currency:{code}']}"


def _partners(known: Known) -> Iterator[tuple[str, str, Rings]]:
    """(country, another with its currency, countries with other currencies)."""
    single = {
        code: known.words("currency", code)[0]
        for code in known.codes
        if not known.reason(code, "currencies") and len(known.words("currency", code)) == 1
    }
    for code, currency in single.items():
        near, far, _rest = known.rings(code)
        partners = [other for other in sorted((*near, *far)) if single.get(other) == currency]
        if not partners:
            continue
        # The partner is the next country in the alphabet, so that every member is an answer once.
        answer = next((other for other in partners if other > code), partners[0])
        barred = {currency, ONE_NAME.get(currency)}
        wrong = {other for ring in known.rings(answer) for other in ring if other in single}
        rings = tuple(
            tuple(f"territory:{other}" for other in ring if other in wrong and single[other] not in barred)
            for ring in known.rings(code)
        )
        yield code, answer, rings


def official_language(known: Known) -> Found:
    """Countries with exactly one official language, against languages that CLDR does not know to be spoken there."""
    for code, answer, rings in _official(known):
        item_id = f"official-language:{code}"
        if reason := known.reason(code, "countries", "official_languages"):
            yield Dropped(item_id, reason)
        else:
            yield _of_country(known, "official-language", f"territory:{code}", code, answer, rings)


def _official(known: Known) -> Iterator[tuple[str, str, Rings]]:
    """(country, its one official language, others that are official nearby)."""
    for code in sorted(known.curated.countries):
        official = known.words("official", code)
        if len(official) != 1 or known.words("de-facto-official", code):
            continue
        (answer,) = official
        if code not in known.codes:
            yield code, f"language:{answer}", ()
            continue
        barred = {answer, *known.words("spoken", code), *SIBLINGS.get(answer, ())}
        barred |= set(known.curated.excluded["languages"])
        rings = []
        for ring in known.rings(code):
            tags = dict.fromkeys(tag for other in ring for tag in known.words("official", other))
            rings.append(tuple(f"language:{tag}" for tag in tags if tag not in barred))
            barred.update(tags)
        yield code, f"language:{answer}", tuple(rings)


def language_script(known: Known) -> Found:
    """Languages written in one script."""
    for tag, place in sorted(known.curated.languages.items()):
        if reason := known.reason(tag, "languages"):
            yield Dropped(f"language-script:{tag}", reason)
            continue
        script = known.facts[f"script:{tag}"]
        barred = {script, *known.curated.second_scripts.get(tag, ())}
        here = known.curated.scripts[place.continent]
        rest = dict.fromkeys(code for codes in known.curated.scripts.values() for code in codes)
        rings = (
            tuple(f"script:{code}" for code in here if code not in barred),
            tuple(f"script:{code}" for code in rest if code not in barred and code not in here),
        )
        home = known.words("speakers", tag)
        country = home[0].partition("=")[0] if home else ""
        yield Candidate(
            f"language-script:{tag}",
            "language-script",
            f"language:{tag}",
            f"script:{script}",
            rings,
            place,
            country,
            f"language:{tag}",
        )


def language_home(known: Known) -> Found:
    """Languages that have most of their speakers in one country, among countries nearby where they have few."""
    for key in sorted(known.facts):
        kind, _, tag = key.partition(":")
        if kind != "speakers" or "-" in tag:
            continue
        people = {code: int(n) for code, _, n in (word.partition("=") for word in known.words(kind, tag))}
        home, most = next(iter(people.items()))
        if most < HOME_FROM or home not in known.codes:
            continue
        item_id = f"language-home:{tag}"
        if reason := known.reason(tag, "languages", "homes"):
            yield Dropped(item_id, reason)
        elif most < HOME_SHARE * sum(people.values()):
            yield Dropped(item_id, f"less than {HOME_SHARE:.0%} of its speakers live in one country")
        else:
            # A country where it is spoken at all is no wrong choice: emigrants are counted unevenly.
            spoken = [code for code in known.codes if tag in known.words("spoken", code)]
            rings = known.countries(home, apart_from=spoken)
            yield _of_country(
                known, "language-home", f"language:{tag}", home, f"territory:{home}", rings, f"language:{tag}"
            )


def calling_code(known: Known) -> Found:
    """Calling codes that one country has to itself, among those of its neighbours."""
    codes = {code: f"code:{known.facts[f'calling-code:{code}']}" for code in _with(known, "calling-code")}
    for code, answer in codes.items():
        yield _of_country(known, "calling-code", f"territory:{code}", code, answer, known.valued(code, codes))


def national_day(known: Known) -> Found:
    """The one date of a country's national or independence day, among those of its neighbours."""
    days = {code: f"day:{known.facts[f'national-day:{code}']}" for code in _with(known, "national-day")}
    for code in list(days):
        if reason := known.reason(code, "national_days"):
            yield Dropped(f"national-day:{code}", reason)
            del days[code]
    for code, answer in days.items():
        # Another holiday of the country is no wrong choice: it may be a national day to some.
        other = [f"day:{date}" for date in known.words("holidays", code)]
        yield _of_country(
            known, "national-day", f"territory:{code}", code, answer, known.valued(code, days, barred=other)
        )


def utc_offset(known: Known) -> Found:
    """The offset of a city's clocks in January, among those that other cities nearby have."""
    offset = {zone: f"utc:{known.facts[f'offset:{zone}']}" for zone, _, reason in cities(known) if not reason}
    by_country: dict[str, list[str]] = {}
    for zone, code, reason in cities(known):
        if not reason:
            by_country.setdefault(code, []).append(offset[zone])
    for zone, code, reason in cities(known):
        if reason:
            continue
        answer = offset[zone]
        # The sign aside, +3 and -3 are one number: a reader of replies could not tell them apart.
        seen = {answer, _mirrored(answer)}
        rings = []
        for ring in ([code], *known.rings(code)):
            values = dict.fromkeys(value for other in ring for value in by_country.get(other, ()))
            rings.append(tuple(value for value in values if value not in seen))
            seen.update(values)
        yield _of_country(known, "utc-offset", f"zone:{zone}", code, answer, tuple(rings))


def _mirrored(key: str) -> str:
    return key.replace("+", "~").replace("-", "+").replace("~", "-")


def city_language(known: Known) -> Found:
    """Two steps: the official language of the country that a city lies in."""
    official = {code: (answer, rings) for code, answer, rings in _official(known)}
    for zone, code, reason in cities(known):
        if code in official and not (reason or known.reason(code, "official_languages")):
            answer, rings = official[code]
            if known.reason(answer.partition(":")[2], "languages"):
                continue
            yield _of_country(known, "city-language", f"zone:{zone}", code, answer, rings)


def city_currency(known: Known) -> Found:
    """Two steps: a country with the currency of the country that a city lies in."""
    partners = {code: (answer, rings) for code, answer, rings in _partners(known)}
    for zone, code, reason in cities(known):
        if code in partners and not reason:
            answer, rings = partners[code]
            cluster = _union(known, code)
            yield _of_country(known, "city-currency", f"zone:{zone}", code, f"territory:{answer}", rings, cluster)


def city_code(known: Known) -> Found:
    """Two steps: the calling code of the country that a city lies in."""
    codes = {code: f"code:{known.facts[f'calling-code:{code}']}" for code in _with(known, "calling-code")}
    for zone, code, reason in cities(known):
        if code in codes and not reason:
            yield _of_country(known, "city-code", f"zone:{zone}", code, codes[code], known.valued(code, codes))


def _with(known: Known, kind: str) -> list[str]:
    return [code for code in known.codes if f"{kind}:{code}" in known.facts]


def _of_country(
    known: Known, relation: str, subject: str, code: str, answer: str, rings: Rings, cluster: str = ""
) -> Candidate:
    place = known.curated.countries[code]
    item_id = f"{relation}:{subject.partition(':')[2]}"
    return Candidate(item_id, relation, subject, answer, rings, place, code, cluster or code)
