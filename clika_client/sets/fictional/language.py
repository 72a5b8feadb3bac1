"""Reads how one language spells invented names and words its questions: two small TOML tables, no code."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError

DATA = Path(__file__).parents[2] / "data" / "fictional"
VOWELS = "aeiou"
FRONT = "ei"


@dataclass(frozen=True, slots=True)
class Spelling:
    """One language's transliteration table, written out: sounds → letters."""

    script: str
    """ISO 15924 code; `Hang`, `Jpan` and `Hans` stand for Hangul, katakana and Han."""
    syllables: Mapping[str, str]
    """Consonant and vowel, such as `ka` → letters."""
    codas: Mapping[str, str]
    """Consonants that may close a syllable inside a name → letters."""
    endings: Mapping[str, str]
    """`place` and `continent` → what this language's invented names end with."""
    reversible: bool
    """Whether the sounds can always be read back from the letters."""
    final: Mapping[str, Mapping[str, str]]
    """Kind → syllable → letters, where the last syllable before the ending is spelled otherwise (Greek stress)."""
    rewrite: tuple[tuple[str, str], ...]
    """(pattern, replacement) in turn, for what depends on neighbours: no three vavs in a row."""
    joint: str
    """What stands between syllables: a space in Vietnamese, which writes each as a word; else nothing."""


@dataclass(frozen=True, slots=True)
class Language:
    """All that `fictional` knows of a language."""

    tag: str
    """BCP 47 tag."""
    name: str
    """English name of the language."""
    spelling: Spelling
    teach: tuple[str, ...]
    """Question wordings for teaching, each with `{place}`."""
    test: tuple[str, ...]
    """Question wordings for testing; none of them is taught."""
    answer: str
    """The answer that is taught, with `{continent}`."""


@dataclass(frozen=True, slots=True)
class NameWording:
    """How names are asked for, in English, with `{name}` and `{language}`."""

    to_english: tuple[str, ...]
    from_english: tuple[str, ...]


@lru_cache
def languages() -> tuple[str, ...]:
    """Tags of all languages that have a table: English first, then alphabetically."""
    return tuple(sorted((p.stem for p in (DATA / "languages").glob("*.toml")), key=lambda tag: (tag != "en", tag)))


@lru_cache
def read(tag: str) -> Language:
    """The tables of one language; raises UserError naming the file and what is missing in it."""
    path = DATA / "languages" / f"{tag}.toml"
    if tag not in languages():
        raise UserError(f"fictional has no language {tag!r}; it has: {', '.join(languages())}")
    doc = _toml(path)
    try:
        wording = doc["wording"]
        return Language(
            tag,
            doc["name"],
            _spelling(doc),
            _frames(path, wording["teach"], "{place}"),
            _frames(path, wording["test"], "{place}"),
            _frames(path, [wording["answer"]], "{continent}")[0],
        )
    except KeyError as error:
        raise UserError(f"{path}: the key {error.args[0]!r} is missing; see en.toml for the whole table") from None


@lru_cache
def name_wording(use: str) -> NameWording:
    """The wordings for names; `use` is `teach` or `test`."""
    doc = _toml(DATA / "names.toml")
    return NameWording(tuple(doc["to_english"][use]), tuple(doc["from_english"][use]))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None


def _frames(path: Path, texts: list[str], slot: str) -> tuple[str, ...]:
    for text in texts:
        if text.count(slot) != 1:
            raise UserError(f"{path}: the wording {text!r} must hold {slot} exactly once")
    return tuple(texts)


def _spelling(doc: Mapping[str, Any]) -> Spelling:
    """The script's table with the language's own habits laid over it."""
    script = _toml(DATA / "scripts" / f"{doc['script']}.toml")
    own = doc.get("spelling", {})
    codas = {**script["codas"], **own.get("codas", {})}
    return Spelling(
        script=doc["script"],
        syllables=_syllables(script, own),
        codas=codas,
        endings=doc["endings"],
        reversible=bool(doc.get("reversible", script["reversible"])),
        final={kind: _syllables(script, own, vowels) for kind, vowels in doc.get("final", {}).items()},
        rewrite=tuple((pattern, to) for pattern, to in script.get("rewrite", ())),
        joint=doc.get("joint", ""),
    )


def _syllables(
    script: Mapping[str, Any], own: Mapping[str, Any], last: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """Syllable → letters; `last` are vowels that are written otherwise at the end of a name."""
    if "rows" in script:
        return {c + v: s for c, row in script["rows"].items() for v, s in zip(VOWELS, row.split(), strict=True)}
    consonants = {**script["consonants"], **own.get("consonants", {})}
    front = {**consonants, **own.get("before_front", {})}
    vowels = {**script["vowels"], **own.get("vowels", {}), **(last or {})}
    return {c + v: vowels[v].replace("C", (front if v in FRONT else consonants)[c]) for c in consonants for v in VOWELS}
