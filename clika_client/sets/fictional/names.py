"""Invented names: a few sounds, spelled by each language's table, unlike one another and unlike real places."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from clika_client.sets.fictional.language import Language, Spelling
from clika_client.sets.fictional.text import plain, skeleton

CONSONANTS = "bdfgklmnprstvz"
VOWELS = "aeiou"
CODAS = "nr"
CODA_SHARE = 0.3
SYLLABLES = 3
SHORTEST = 3
"""Shorter answers would be found by accident inside other words."""

Names = Mapping[str, str]
"""Language tag → the name in that language."""


def spell(sounds: str, spelling: Spelling, kind: str) -> str:
    """A name in one language; `sounds` are syllables joined by `-`, `kind` is `place` or `continent`."""
    letters = "".join(
        spelling.syllables[s[:2]] + (spelling.codas[s[2]] if len(s) == 3 else "") for s in sounds.split("-")
    )
    name = unicodedata.normalize("NFC", letters + spelling.endings[kind])
    return name[0].upper() + name[1:]


def _letters(syllable: str, spelling: Spelling) -> str:
    return spelling.syllables[syllable[:2]] + (spelling.codas[syllable[2]] if len(syllable) == 3 else "")


def unspell(name: str, spelling: Spelling, kind: str) -> tuple[str, ...]:
    """Every sequence of sounds that is spelled `name`: one for a reversible table, else possibly more."""
    # Hangul blocks have to be taken apart before their letters can be matched; other scripts match as they are.
    form: Literal["NFC", "NFD"] = "NFD" if spelling.script == "Hang" else "NFC"
    text = unicodedata.normalize(form, name.lower().removesuffix(spelling.endings[kind]))
    sounds = [syllable + coda for syllable in spelling.syllables for coda in ("", *spelling.codas)]
    units = [(sound, unicodedata.normalize(form, _letters(sound, spelling))) for sound in sounds]

    @lru_cache(None)
    def readings(start: int) -> tuple[str, ...]:
        if start == len(text):
            return ("",)
        return tuple(
            sound + ("-" + rest if rest else "")
            for sound, letters in units
            if text.startswith(letters, start)
            for rest in readings(start + len(letters))
        )

    return readings(0)


def invent(
    languages: Sequence[Language], kinds: Sequence[str], rng: random.Random, real: Collection[str]
) -> tuple[Names, ...]:
    """One name per entry of `kinds`, in all `languages`.

    Continents have to come first in `kinds`. No two names have the same skeleton, in or across languages; no
    name contains a continent's; none is in `real`, plain forms of real places.
    """
    taken: set[str] = set()
    answers: set[str] = set()
    invented: list[Names] = []
    for kind in kinds:
        while True:
            sounds = _sounds(rng)
            names = {x.tag: spell(sounds, x.spelling, kind) for x in languages}
            forms = [skeleton(name) for name in names.values()]
            known = any(plain(name) in real for name in names.values())
            if not known and _acceptable(forms, kind, taken, answers):
                break
        taken.update(forms)
        if kind == "continent":
            answers.update(forms)
        invented.append(names)
    return tuple(invented)


def _sounds(rng: random.Random) -> str:
    """Open syllables, some of the inner ones closed: `ke-lon-va`."""
    syllables = [rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(SYLLABLES)]
    closed = [s + rng.choice(CODAS) if rng.random() < CODA_SHARE else s for s in syllables[:-1]]
    return "-".join([*closed, syllables[-1]])


def _acceptable(forms: Sequence[str], kind: str, taken: set[str], answers: set[str]) -> bool:
    if len(set(forms)) < len(forms) or taken.intersection(forms) or min(map(len, forms)) < SHORTEST:
        return False
    if kind == "continent" and any(form in other for form in forms for other in answers.union(forms) if other != form):
        return False
    return not any(_contains(form, answers) for form in forms)


def _contains(form: str, answers: set[str]) -> bool:
    """Whether any answer stands inside `form`; by looking up its parts, because there are many answers."""
    n = len(form)
    return any(form[i:j] in answers for i in range(n) for j in range(i + SHORTEST, n + 1))


@lru_cache
def real_places() -> frozenset[str]:
    """Plain forms of the real places that atlas knows, in all its languages."""
    directory = Path(__file__).parents[2] / "data" / "atlas" / "names"
    lines = [line for path in sorted(directory.glob("*.tsv")) for line in path.read_text("utf-8").splitlines()[1:]]
    return frozenset(plain(line.partition("\t")[2]) for line in lines)
