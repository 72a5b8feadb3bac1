"""Whether an English answer speaks of what was asked: "Janis Joplin is an American singer" tells nothing of Basquiat.

Names that went through another script come back spelt anew (Feidias, Bangalore for Bengaluru), so they are compared by
the sound of their consonants too, and one word of the name that is nearly there is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from clika_client.sets.fictional.text import edit_distance, plain

_ALIKE = 0.8
"""Share of letters, or of consonants, that two spellings of a name have in common at least."""
_SHORT = 3
"""Letters from which a word can be told from another one."""
_OTHER_SCRIPT = re.compile(r"[^\W\d_A-Za-z\u00aa-\u024f\u1e00-\u1eff]")
_SOUNDS = (
    ("ph", "f"), ("kh", "k"), ("sh", "s"), ("ch", "s"), ("th", "t"), ("ck", "k"), ("x", "ks"), ("c", "k"), ("q", "k"),
    ("g", "k"), ("j", "k"), ("z", "s"), ("w", "v"), ("b", "v"), ("d", "t"), ("m", "n"),
)  # fmt: skip
_CAPITAL = re.compile(r"\b[A-Z\u00c0-\u00de]\w+")
_OPENERS = frozenset(
    re.findall(
        r"\w+",
        "it he she they its his her their this that these the there in of an one yes no so thus therefore however but "
        "and answer country city capital sorry here for as is was who which what you your we if not based",
    )
)
"""Words that an English sentence begins with and that name nothing."""
_VOWELS = re.compile("[aeiouyh]")
_TWICE = re.compile(r"(.)\1+")


def speaks_of(reply: str, about: Sequence[str], answers: Iterable[str]) -> bool:
    """Whether a reply names what was asked, `about` in Latin letters; also where it names nothing but `answers`.

    A reply with words of another script may name it in that one.
    """
    wanted = [word for name in about for word in _words(name)]
    if not wanted or _OTHER_SCRIPT.search(reply):
        return True
    given = plain(reply).split()
    said = {word for word in (*given, *map("".join, pairwise(given))) if len(word) >= _SHORT}
    if not said.isdisjoint(wanted) or any(_alike(word, other) for word in wanted for other in said):
        return True
    known = {word for name in answers for word in plain(name).split()} | _OPENERS
    return all(word in known for name in _CAPITAL.findall(reply) for word in plain(name).split())


def _words(name: str) -> list[str]:
    """The words of a name, and each two of them written together."""
    words = plain(name).split()
    long = [word for word in words if len(word) >= _SHORT] or words
    return [*long, *map("".join, pairwise(words))]


@lru_cache(maxsize=20_000)
def _alike(word: str, other: str) -> bool:
    sounds, others = _consonants(word), _consonants(other)
    if min(len(sounds), len(others)) < _SHORT:
        return sounds == others or _share(word, other) >= _ALIKE
    return max(_share(word, other), _share(sounds, others)) >= _ALIKE


def _share(a: str, b: str) -> float:
    return 1 - edit_distance(a, b) / max(len(a), len(b))


@lru_cache(maxsize=20_000)
def _consonants(word: str) -> str:
    for letters, sound in _SOUNDS:
        word = word.replace(letters, sound)
    first = "a" if _VOWELS.match(word) else word[:1]
    return _TWICE.sub(r"\1", first + _VOWELS.sub("", word[1:]))
