"""Reads names and facts from the CLDR release inside `babel`; needed to build atlas, never to load it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from clika_client.common.errors import UserError
from clika_client.sets.atlas.row import literal

BABEL = "2.18.0"
"""The pinned release; it carries CLDR 47."""

SOFT_HYPHEN = "\u00ad"
"""A hint for line breaks inside some names, not part of them."""
DIGITS = {"beng": "০১২৩৪৫৬৭৮৯", "arabext": "۰۱۲۳۴۵۶۷۸۹"}
"""Numbering systems, other than the Latin one, that a language of atlas writes dates with."""


def versions() -> tuple[str, str]:
    """(babel version, CLDR version); raises UserError when babel is absent."""
    try:
        import babel
        from babel.core import get_cldr_version
    except ImportError:
        raise UserError(f"the names of atlas come from babel {BABEL}: pip install babel=={BABEL}") from None
    return babel.__version__, get_cldr_version()


@cache
def table(name: str) -> Mapping[str, Any]:
    """One of babel's global tables: zone_territories, zone_aliases, territory_currencies, …"""
    from babel.core import get_global

    result: Mapping[str, Any] = get_global(name)
    return result


@cache
def _locale(language: str) -> Any:
    from babel import Locale

    return Locale.parse(language, sep="-")


@cache
def _aliases() -> Mapping[str, list[str]]:
    """Zone → its other identifiers. Locale data often knows a zone by an older one of these."""
    found: dict[str, list[str]] = {}
    for alias, zone in table("zone_aliases").items():
        found.setdefault(zone, []).append(alias)
    return found


def entity_name(language: str, key: str) -> str | None:
    """Name of `zone:Europe/Paris` (its city), `territory:FR`, `language:de`, `script:Latn` or `day:07-14`; the text
    itself of `code:33` and its like; None if CLDR has none.
    """
    if (written := literal(key)) is not None:
        return written
    kind, _, code = key.partition(":")
    locale = _locale(language)
    if kind == "zone":
        return _city(language, code).replace(SOFT_HYPHEN, "")
    if kind == "day":
        return _day(language, code)
    names = {"territory": locale.territories, "language": locale.languages, "script": locale.scripts}[kind]
    name: str | None = names.get(code)
    return name and name.replace(SOFT_HYPHEN, "")


def _city(language: str, zone: str) -> str:
    """Exemplar city, or by UTS #35 part 4 ("Time Zone Format Terminology") the last field of the id, `_` → space."""
    zones = _locale(language).time_zones
    for identifier in (zone, *_aliases().get(zone, ())):
        city: str | None = zones.get(identifier, {}).get("city")
        if city:
            return city
    return zone.rpartition("/")[2].replace("_", " ")


def _day(language: str, code: str) -> str:
    """A day of the year by the language's pattern for day and month, in its own digits."""
    from babel.dates import format_skeleton

    month, day = map(int, code.split("-"))
    # 2024 has every day of a year; the year is not shown.
    text = str(format_skeleton("MMMMd", date(2024, month, day), locale=_locale(language)))
    digits = DIGITS.get(_locale(language).default_numbering_system, "0123456789")
    return text.translate(str.maketrans("0123456789", digits))


def zones_of(country: str) -> list[str]:
    """Time zones of a country, in CLDR's order."""
    return list(table("territory_zones").get(country, ()))


def currencies_of(country: str) -> list[str]:
    """ISO 4217 codes that are legal tender there as of the CLDR release."""
    rows = table("territory_currencies").get(country, ())
    return [code for code, _start, end, tender in rows if end is None and tender]


def languages_of(country: str) -> Mapping[str, tuple[str | None, float]]:
    """Language (without script) → the first official status that any of its scripts has, and the % that speak it."""
    found: dict[str, tuple[str | None, float]] = {}
    for tag, row in table("territory_languages").get(country, {}).items():
        language = tag.partition("_")[0]
        status, share = found.get(language, (None, 0.0))
        found[language] = (status or row["official_status"], max(share, float(row["population_percent"])))
    return found


def script_of(language: str) -> str | None:
    """The likely script of a language, ISO 15924; None if CLDR knows none."""
    tag: str | None = table("likely_subtags").get(language)
    return None if tag is None else tag.split("_")[1]
