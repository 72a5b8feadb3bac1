"""Lists the relations that state facts, in the order in which they are built."""

from __future__ import annotations

from collections.abc import Callable

from clika_client.sets.atlas import customs, places, tongues
from clika_client.sets.atlas.candidates import Found, Known

OF_CITIES = ("city-country", "utc-offset", "city-language", "city-currency", "city-code")
"""Relations that ask about a city: a country has a few of them at most."""

STATED: tuple[Callable[[Known], Found], ...] = (
    places.city_country,
    places.country_continent,
    customs.shared_currency,
    tongues.official_language,
    tongues.language_script,
    places.country_border,
    tongues.language_home,
    customs.calling_code,
    customs.utc_offset,
    customs.national_day,
    tongues.city_language,
    customs.city_currency,
    customs.city_code,
)
"""Comparisons and controls are made from what these keep."""
