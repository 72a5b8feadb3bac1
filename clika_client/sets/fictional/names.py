"""Invented names: a few sounds, spelled by each language's table, unlike one another and unlike real places.

There are two kinds. `coined`: every language has a word of its own for a thing, as in Germany, Deutschland, Allemagne;
only who was told that two names are one thing can tell. `transliterated`: one word, spelled by every language in its
own way, as in Makendania, Makendanien, Макендандия; who compares spellings can tell, without knowing anything.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, get_args

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

_SYLLABLES = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
Names = Mapping[str, str]
"""Language tag → the name in that language."""
NameKind = Literal["coined", "transliterated"]
NAME_KINDS: tuple[NameKind, ...] = get_args(NameKind)


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


class Coinages(Mapping[str, str]):
    """One thing's names in all languages; a language's words are coined when the first of them is asked for."""

    def __init__(self, number: int, languages: Sequence[str], words: Callable[[str], Sequence[str]]) -> None:
        self._number, self._languages, self._words = number, languages, words

    def __getitem__(self, tag: str) -> str:
        if tag not in self._languages:
            raise KeyError(tag)
        return self._words(tag)[self._number]

    def __iter__(self) -> Iterator[str]:
        return iter(self._languages)

    def __len__(self) -> int:
        return len(self._languages)


class Coiner:
    """Coins the words of one world, each language's by themselves: continents of all languages, then places.

    A language draws from a share of the sounds that is its own among the languages of its script, so that no word of
    one is a word of another. No place holds the name of a continent, of whatever language.
    """

    def __init__(self, seed: str, languages: Sequence[Language], real: Collection[str]) -> None:
        self.seed, self.real = seed, real
        self.languages = {language.tag: language for language in languages}
        by_script: dict[str, list[str]] = {}
        for language in languages:
            by_script.setdefault(language.spelling.script, []).append(language.tag)
        self.share = {tag: (n, len(tags)) for tags in by_script.values() for n, tag in enumerate(tags)}
        self.answers: set[str] = set()
        self.begun: dict[str, set[str]] = {}
        """Language → beginnings of its continents, of which no place is an inflected form."""

    def continents(self, number: int) -> dict[str, list[str]]:
        """Language → its continents' names; they begin unlike one another, whatever becomes of their ends."""
        words: dict[str, list[str]] = {}
        for tag in self.languages:
            begun = self.begun.setdefault(tag, set())
            words[tag] = []
            draw = self.words(tag, "continent")
            while len(words[tag]) < number:
                sounds, word, form = next(draw)
                beginning = _beginning(sounds)
                inside = any(form in other or other in form for other in self.answers)
                if beginning not in begun and not inside:
                    begun.add(beginning)
                    self.answers.add(form)
                    words[tag].append(word)
        return words

    def places(self, tag: str, number: int) -> list[str]:
        """So many places' names in one language; after `continents`."""
        draw = self.words(tag, "place")
        words: list[str] = []
        while len(words) < number:
            sounds, word, form = next(draw)
            if _beginning(sounds) not in self.begun[tag] and not _contains(form, self.answers):
                words.append(word)
        return words

    def words(self, tag: str, kind: str) -> Iterator[tuple[str, str, str]]:
        """Ever new words: sounds, spelling and skeleton."""
        rng = random.Random(f"{self.seed} {kind} {tag}")
        spelling, (own, of) = self.languages[tag].spelling, self.share[tag]
        seen: set[str] = set()
        while True:
            sounds = _own_sounds(rng, own, of)
            word = spell(sounds, spelling, kind)
            form = skeleton(word)
            if form not in seen and len(form) >= SHORTEST and plain(word) not in self.real:
                seen.add(form)
                yield sounds, word, form


def _own_sounds(rng: random.Random, own: int, of: int) -> str:
    """Sounds that only one of `of` languages draws: divided by that, the sum of its syllables' numbers leaves `own`."""
    first = [int(rng.random() * len(_SYLLABLES)) for _ in range(SYLLABLES - 1)]
    rest = (own - sum(first)) % of
    last = rest + of * int(rng.random() * ((len(_SYLLABLES) - rest - 1) // of + 1))
    closed = [_SYLLABLES[n] + (rng.choice(CODAS) if rng.random() < CODA_SHARE else "") for n in first]
    return "-".join([*closed, _SYLLABLES[last]])


def _beginning(sounds: str) -> str:
    """The first two syllables without what closes them."""
    return "".join(part[:2] for part in sounds.split("-")[:2])


def _sounds(rng: random.Random) -> str:
    """Open syllables, some of the inner ones closed: `ke-lon-va`."""
    syllables = [rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(SYLLABLES)]
    closed = [s + rng.choice(CODAS) if rng.random() < CODA_SHARE else s for s in syllables[:-1]]
    return "-".join([*closed, syllables[-1]])


def _acceptable(forms: Sequence[str], kind: str, taken: set[str], answers: set[str]) -> bool:
    if len(set(forms)) < len(forms) or taken.intersection(forms) or min(map(len, forms)) < SHORTEST:
        return False
    if kind == "continent":
        # Each form stands among them once as itself; once more, and it stands inside another.
        everyone = "\n".join(answers.union(forms))
        if any(everyone.count(form) > 1 for form in forms):
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
