"""States facts about languages: where one is official or at home, and how it is written."""

from __future__ import annotations

from collections.abc import Iterator

from clika_client.sets.atlas.candidates import Candidate, ExcludedFact, Found, Known, Rings, cities, of_country

SIBLINGS = {"fa": {"tg"}, "ms": {"id"}, "id": {"ms"}, "hi": {"ur"}, "ur": {"hi"}}
"""Language → languages never offered against it: one language to many linguists."""

HOME_SHARE = 0.6
"""A language is at home in a country if at least this share of its speakers lives there."""
HOME_FROM = 2_000_000
"""Languages with fewer speakers in their country are not asked about: other languages seldom name them."""


def official_language(known: Known) -> Found:
    """Countries with exactly one official language, against languages that CLDR does not know to be spoken there."""
    for code, answer, rings in _official(known):
        item_id = f"official-language:{code}"
        if reason := known.reason(code, "countries", "official_languages"):
            yield ExcludedFact(item_id, reason)
        else:
            yield of_country(known, "official-language", f"territory:{code}", code, answer, rings)


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


def city_language(known: Known) -> Found:
    """Two steps: the official language of the country that a city lies in."""
    official = {code: (answer, rings) for code, answer, rings in _official(known)}
    for zone, code, reason in cities(known):
        if code in official and not (reason or known.reason(code, "official_languages")):
            answer, rings = official[code]
            if known.reason(answer.partition(":")[2], "languages"):
                continue
            yield of_country(known, "city-language", f"zone:{zone}", code, answer, rings)


def language_script(known: Known) -> Found:
    """Languages written in one script."""
    for tag, place in sorted(known.curated.languages.items()):
        if reason := known.reason(tag, "languages"):
            yield ExcludedFact(f"language-script:{tag}", reason)
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
            yield ExcludedFact(item_id, reason)
        elif most < HOME_SHARE * sum(people.values()):
            yield ExcludedFact(item_id, f"less than {HOME_SHARE:.0%} of its speakers live in one country")
        else:
            # A country where it is spoken at all is no wrong choice: emigrants are counted unevenly.
            spoken = [code for code in known.codes if tag in known.words("spoken", code)]
            rings = known.countries(home, apart_from=spoken)
            yield of_country(
                known, "language-home", f"language:{tag}", home, f"territory:{home}", rings, f"language:{tag}"
            )
