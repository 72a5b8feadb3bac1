"""Reads the hand-kept tables of atlas: which countries, cities and languages it may speak of, and which not."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "atlas"

CONTINENTS = {
    "002": "Africa",
    "003": "North America",
    "005": "South America",
    "009": "Oceania",
    "142": "Asia",
    "150": "Europe",
}
"""M49 code → English name, as in the tag `region`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a country lies: M49 continent code and subregion name."""

    continent: str
    subregion: str


@dataclass(frozen=True, slots=True)
class Curated:
    """The tables under `data/atlas/curated`, as read."""

    countries: Mapping[str, Place]
    """Every member state of the United Nations, by ISO 3166-1 code."""
    excluded: Mapping[str, Mapping[str, str]]
    """Section of excluded.toml → code → reason."""
    never_together: frozenset[frozenset[str]]
    """Pairs of countries that are never choices of one question."""
    city_cap: int
    city_preference: Mapping[str, tuple[str, ...]]
    """Country → its zones in the order in which they are taken."""
    languages: Mapping[str, Place]
    """Language → where most of its speakers live."""
    scripts: Mapping[str, tuple[str, ...]]
    """Continent → scripts offered there."""
    second_scripts: Mapping[str, tuple[str, ...]]
    """Language → scripts never offered against it: some write it so."""
    elements: tuple[str, ...]
    """Chemical symbols in the order of their atomic numbers."""
    measured: Mapping[str, float]
    """Relation → what share of it a small model knew."""
    unmeasured: Mapping[str, str]
    """Relation → its tier, where nothing was measured."""
    draws: Mapping[str, int]
    """Relation → number of its draw, 0 by default."""
    no_border: Mapping[str, tuple[str, ...]]
    """Country → countries that are neither right nor wrong as its neighbour."""


def read(directory: Path = DATA / "curated") -> Curated:
    """All curated tables; the files are ours, so a broken one raises as tomllib does."""
    countries: dict[str, Place] = {}
    subregions: dict[str, Place] = {}
    for row in _toml(directory / "countries.toml")["subregion"]:
        place = Place(row["continent"], row["name"])
        subregions[row["name"]] = place
        countries |= dict.fromkeys(row["countries"].split(), place)
    excluded = _toml(directory / "excluded.toml")
    pairs = excluded.pop("never_together")["pairs"]
    unclear: dict[str, tuple[str, ...]] = {}
    for one, other in excluded.pop("border_unclear")["pairs"]:
        unclear[one] = (*unclear.get(one, ()), other)
        unclear[other] = (*unclear.get(other, ()), one)
    cities = _toml(directory / "cities.toml")
    difficulty = _toml(directory / "difficulty.toml")
    tongues = _toml(directory / "languages.toml")
    return Curated(
        countries=countries,
        excluded=excluded,
        never_together=frozenset(map(frozenset, pairs)),
        city_cap=cities["cap"],
        city_preference={code: tuple(zones) for code, zones in cities["prefer"].items()},
        languages={
            tag: subregions[subregion] for subregion, tags in tongues["languages"].items() for tag in tags.split()
        },
        scripts={continent: tuple(codes.split()) for continent, codes in tongues["choices"].items()},
        second_scripts={tag: tuple(codes.split()) for tag, codes in tongues["second_scripts"].items()},
        elements=tuple(_toml(directory / "elements.toml")["symbols"].split()),
        measured=difficulty["measured"],
        unmeasured=difficulty["unmeasured"],
        draws=_toml(directory / "draws.toml")["draw"],
        no_border=unclear,
    )


def _toml(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)
