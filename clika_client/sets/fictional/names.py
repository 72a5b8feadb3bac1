"""Invented names: a few sounds, spelled by each language's table, unlike one another and unlike real places."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from clika_client.sets.atlas import frozen
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
    *others, last = sounds.split("-")
    parts = [_letters(syllable, spelling) for syllable in others]
    parts += [_letters(last, spelling, kind), spelling.endings[kind]]
    joint = spelling.joint
    # Where syllables are words, each begins with a capital, as in Hà Giang.
    shown = [part[0].upper() + part[1:] if joint else part for part in parts if part]
    name = unicodedata.normalize("NFC", joint.join(shown))
    for pattern, to in spelling.rewrite:
        name = re.sub(pattern, to, name)
    return name[0].upper() + name[1:]


def _letters(syllable: str, spelling: Spelling, last_of: str = "") -> str:
    table = spelling.final.get(last_of, spelling.syllables)
    return table[syllable[:2]] + (spelling.codas[syllable[2]] if len(syllable) == 3 else "")


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
    return frozenset(plain(name) for tag in frozen.languages() for name in frozen.names(tag)[0].values())
