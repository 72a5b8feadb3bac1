"""States facts that countries agree upon or set for themselves: currencies, calling codes, clocks, national days."""

from __future__ import annotations

from collections.abc import Iterator

from clika_client.sets.atlas.candidates import ExcludedFact, Found, Known, Rings, cities, of_country, with_fact

ONE_NAME = {"XOF": "XAF", "XAF": "XOF"}
"""Currency → currency never offered against it: both are called CFA franc."""


def shared_currency(known: Known) -> Found:
    """Two countries with one currency, among countries nearby with another.

    Asking for a country, not for the currency's name, keeps the answer from being read off the
    question: most currencies are named after their country.
    """
    for code, answer, rings in _partners(known):
        yield of_country(
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


def city_currency(known: Known) -> Found:
    """Two steps: a country with the currency of the country that a city lies in."""
    partners = {code: (answer, rings) for code, answer, rings in _partners(known)}
    for zone, code, reason in cities(known):
        if code in partners and not reason:
            answer, rings = partners[code]
            cluster = _union(known, code)
            yield of_country(known, "city-currency", f"zone:{zone}", code, f"territory:{answer}", rings, cluster)


def calling_code(known: Known) -> Found:
    """Calling codes that one country has to itself, among those of its neighbours."""
    codes = {code: f"code:{known.facts[f'calling-code:{code}']}" for code in with_fact(known, "calling-code")}
    for code, answer in codes.items():
        yield of_country(known, "calling-code", f"territory:{code}", code, answer, known.valued(code, codes))


def city_code(known: Known) -> Found:
    """Two steps: the calling code of the country that a city lies in."""
    codes = {code: f"code:{known.facts[f'calling-code:{code}']}" for code in with_fact(known, "calling-code")}
    for zone, code, reason in cities(known):
        if code in codes and not reason:
            yield of_country(known, "city-code", f"zone:{zone}", code, codes[code], known.valued(code, codes))


def national_day(known: Known) -> Found:
    """The one date of a country's national or independence day, among those of its neighbours."""
    days = {code: f"day:{known.facts[f'national-day:{code}']}" for code in with_fact(known, "national-day")}
    for code in list(days):
        if reason := known.reason(code, "national_days"):
            yield ExcludedFact(f"national-day:{code}", reason)
            del days[code]
    for code, answer in days.items():
        # Another holiday of the country is no wrong choice: it may be a national day to some.
        other = [f"day:{date}" for date in known.words("holidays", code)]
        yield of_country(
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
        yield of_country(known, "utc-offset", f"zone:{zone}", code, answer, tuple(rings))


def _mirrored(key: str) -> str:
    return key.replace("+", "~").replace("-", "+").replace("~", "-")
