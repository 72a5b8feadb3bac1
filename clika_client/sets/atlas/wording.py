"""Reads how atlas asks in each language: one TOML file per language, which a contributor can add without code."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.sets.atlas.curated import DATA

FACTS = (
    "city-country",
    "country-continent",
    "shared-currency",
    "official-language",
    "language-script",
    "country-border",
    "language-home",
    "calling-code",
    "utc-offset",
    "national-day",
    "largest-area",
    "largest-population",
    "farthest-north",
    "city-language",
    "city-currency",
    "city-code",
)
"""The relations of the set `atlas`."""

CONTROLS = ("translate-out", "translate-in", "symbol-number")
"""The relations of the set `atlas-names`: is the name known at all, is the prompt understood?"""

RELATIONS = FACTS + CONTROLS

NAMELESS = frozenset({"largest-area", "largest-population", "farthest-north"})
"""Relations whose question names nothing: all is in the choices."""

LANGUAGES_FIRST = ("en", "zh", "ja", "de", "fr", "it", "pl", "ru", "ar", "he")
"""The languages of the CLiKA paper; the others follow in alphabetical order."""

WORDING = DATA / "wording"


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's table."""

    language: str
    """BCP 47 tag."""
    name: str
    """English name of the language."""
    script: str
    """ISO 15924 code."""
    partner: str
    """The language that the control task translates to and from: one written in another script."""
    read_against: str
    """The references that a second reading compared the names with, and how many agree."""
    questions: Mapping[str, str]
    """Relation → question with `{name}` where the entity stands, if it names one."""
    instruction: str
    question_word: str
    answer_word: str
    spelling: Mapping[str, str]
    """Entity key → name to use in place of CLDR's."""


def languages(directory: Path = WORDING) -> tuple[str, ...]:
    """Tags of all languages that have a table: the paper's first, then alphabetically."""
    found = {path.stem for path in directory.glob("*.toml")}
    return tuple(tag for tag in LANGUAGES_FIRST if tag in found) + tuple(sorted(found.difference(LANGUAGES_FIRST)))


def read(language: str, directory: Path = WORDING) -> Wording:
    """The table of one language; raises UserError naming the file and what is missing or wrong in it."""
    path = directory / f"{language}.toml"
    try:
        doc = tomllib.loads(path.read_text("utf-8"))
        wording = Wording(
            language=doc["language"],
            name=doc["name"],
            script=doc["script"],
            partner=doc["partner"],
            read_against=doc["read_against"],
            questions={relation: doc["question"][relation] for relation in RELATIONS},
            instruction=doc["prompt"]["instruction"],
            question_word=doc["prompt"]["question"],
            answer_word=doc["prompt"]["answer"],
            spelling=doc.get("spelling", {}),
        )
    except FileNotFoundError:
        known = ", ".join(languages(directory))
        raise UserError(f"no wording table {path.name}; languages with one: {known}") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
    except KeyError as error:
        raise UserError(f"{path}: the key {error.args[0]!r} is missing; see en.toml for the whole table") from None
    if wording.language != language:
        raise UserError(f"{path}: `language` is {wording.language!r}; it must be the file's name, {language!r}")
    for relation, text in wording.questions.items():
        wanted = 0 if relation in NAMELESS else 1
        if text.count("{name}") != wanted:
            often = "exactly once" if wanted else "nowhere: it names nothing"
            raise UserError(f"{path}: the question for {relation!r} must hold {{name}} {often}, got {text!r}")
    return wording
