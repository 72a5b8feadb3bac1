"""Words written half in one alphabet and half in another, as small models write them: Уκραίνη, Thaїї, كеنيا.

Such a word is offered twice: in the alphabet of the language that was asked, and in Latin letters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_ALPHABETS: Mapping[str, re.Pattern[str]] = {
    "Latn": re.compile("[a-zß-ÿ]"),
    "Cyrl": re.compile("[\u0400-\u04ff]"),
    "Grek": re.compile("[\u0370-\u03ff]"),
    "Hebr": re.compile("[\u05d0-\u05ea]"),
    "Arab": re.compile("[\u0620-\u06ff]"),
    "Deva": re.compile("[\u0900-\u097f]"),
}
_OF_LANGUAGE = {
    **dict.fromkeys(("ru", "uk", "bg", "sr", "be", "mk", "kk", "ky", "mn"), "Cyrl"),
    **dict.fromkeys(("ar", "fa", "ur", "ps"), "Arab"),
    **dict.fromkeys(("hi", "ne", "mr"), "Deva"),
    "el": "Grek",
    "he": "Hebr",
}
_LATIN = str.maketrans(
    dict(zip("абвгґдеєзиіїйклмнопрстуфхэыё", "abvggdeeziiiiklmnoprstufheye", strict=True))
    | dict(zip("αβγδεζηικλνξοπρστυφχωμς", "abgdeziiklnxoprstifhoms", strict=True))
    | {"ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sh"}
    | {"ю": "iu", "я": "ia", "ь": "", "ъ": "", "θ": "th", "ψ": "ps"}
    | dict(zip("אבגדהוזחטיכלמנסעפצקרשת", "abgdhuzhtiklmnsapckrst", strict=True))
    | dict(zip("ابتجحدرزسشعفقكلمنهوي", "abtghdrzssafkklmnhui", strict=True))
)  # fmt: skip
"""Letters of other alphabets by their sound, one for one where there is one."""
# What looks alike goes before what sounds alike where a Cyrillic word was begun in Latin letters: p is р in Россия.
_LIKE: Mapping[str, Mapping[str, str]] = {
    "Cyrl": dict(zip("aeiokmtpcuyxbhnrsdlgvfzj", "аеиокмтрсуухвннрсдлгвфзй", strict=True)),
    "Grek": dict(zip("abgdezijklmnoprstfhuvycx", "αβγδεζιικλμνοπρστφχυβυκξ", strict=True)),
    "Arab": dict(zip("abpgderzsfklmnhuoi", "اببجديرزسفكلمنهووي", strict=True)),
    "Deva": dict(zip("aiuoe", "आइउओए", strict=True)),
}
_SOUNDS_GREEK = {"у": "ου", "ю": "ιου", "я": "ια", "п": "π", "т": "τ", "д": "δ", "ф": "φ", "л": "λ", "и": "ι"}


def mixed(words: str) -> list[str]:
    """The plain words that mix two alphabets."""
    if words.isascii():
        return []
    return [word for word in words.split() if not word.isascii() and _alphabets(word) > 1]


def one_script(words: str, language: str, found: list[str]) -> str:
    """Plain words with those `found` to be mixed written in the alphabet of the language."""
    script = _OF_LANGUAGE.get(language.split("-")[0], "Latn")
    if not found:
        return words
    like = _LIKE.get(script)
    if like is None:
        return " ".join(in_latin(word) if word in found else word for word in words.split())
    return " ".join(_written(word, script, like) if word in found else word for word in words.split())


def in_latin(word: str) -> str:
    """A word by its sound in Latin letters; letters of other writings stay."""
    return word.translate(_LATIN)


def _written(word: str, script: str, like: Mapping[str, str]) -> str:
    own = _ALPHABETS[script]
    return "".join(letter if own.match(letter) else _letter(letter, script, like) for letter in word)


def _letter(letter: str, script: str, like: Mapping[str, str]) -> str:
    if script == "Grek" and letter in _SOUNDS_GREEK:
        return _SOUNDS_GREEK[letter]
    return "".join(like.get(sound, sound) for sound in letter.translate(_LATIN))


@lru_cache(maxsize=20_000)
def _alphabets(word: str) -> int:
    return sum(1 for letters in _ALPHABETS.values() if letters.search(word))
