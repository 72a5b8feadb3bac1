"""Reads names and facts from the CLDR release inside `babel`; needed to build atlas, never to load it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from clika_client.common.errors import UserError

BABEL = "2.18.0"
"""The pinned release; it carries CLDR 47."""

SOFT_HYPHEN = "\u00ad"
"""A hint for line breaks inside some names, not part of them."""


def versions() -> tuple[str, str]:
    """(babel version, CLDR version); raises UserError when babel is absent or not the pinned release."""
    try:
        import babel
        from babel.core import get_cldr_version
    except ImportError:
        raise UserError(f"building atlas needs babel {BABEL}: pip install babel=={BABEL}") from None
    if babel.__version__ != BABEL:
        raise UserError(
            f"atlas is built from the CLDR release of babel {BABEL}, but {babel.__version__} is installed: "
            f"pip install babel=={BABEL}"
        )
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
    """Name of `zone:Europe/Paris` (its city), `territory:FR`, `language:de` or `script:Latn`; None if CLDR has none."""
    kind, _, code = key.partition(":")
    locale = _locale(language)
    if kind == "zone":
        return _city(language, code).replace(SOFT_HYPHEN, "")
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


def zones_of(country: str) -> list[str]:
    """Time zones of a country, in CLDR's order."""
    return list(table("territory_zones").get(country, ()))


def currencies_of(country: str) -> list[str]:
    """ISO 4217 codes that are legal tender there as of the CLDR release."""
    rows = table("territory_currencies").get(country, ())
    return [code for code, _start, end, tender in rows if end is None and tender]


def languages_of(country: str) -> Mapping[str, str | None]:
    """Language (without script) → its official status, the first that any of its scripts has."""
    found: dict[str, str | None] = {}
    for tag, row in table("territory_languages").get(country, {}).items():
        language = tag.partition("_")[0]
        found[language] = found.get(language) or row["official_status"]
    return found


def script_of(language: str) -> str:
    """The likely script of a language, ISO 15924."""
    return str(table("likely_subtags")[language].split("_")[1])
