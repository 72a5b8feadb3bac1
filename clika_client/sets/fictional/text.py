"""The plain form in which invented names are compared: without case, diacritics, points and punctuation."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0640\u200b-\u200f\u2060]"
)
"""Accents of alphabets, Hebrew points, Arabic vowel signs and tatweel, invisible characters.

Vowel signs of Indic scripts and the voicing marks of kana are combining characters too, but they are
letters to their readers and stay.
"""
_FOLDS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ی": "ي", "ى": "ي", "ک": "ك", "ہ": "ه", "ة": "ه"}
)
"""Letters that Unicode does not decompose and that readers write plainly, and Arabic letters with two code points."""


class _Letters(dict[int, int]):
    """Code point → itself, or a space for what is no letter, digit or combining sign; each is looked up once."""

    def __missing__(self, code: int) -> int:
        self[code] = code if unicodedata.category(chr(code))[0] in "LNM" else ord(" ")
        return self[code]


_LETTERS = _Letters()


def plain(text: str) -> str:
    """`text` for comparison: words separated by single spaces, nothing else but letters and digits."""
    folded = text.casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFKD", folded)
        folded = unicodedata.normalize("NFC", _MARKS.sub("", folded)).translate(_FOLDS)
    return " ".join(folded.translate(_LETTERS).split())


def skeleton(text: str) -> str:
    """`plain` without any combining sign and without spaces: names that differ here differ however one normalises."""
    return "".join(c for c in unicodedata.normalize("NFKD", plain(text)) if unicodedata.category(c)[0] in "LN")


def similarity(name: str, other: str) -> float:
    """1 for names equal in plain form, 0 for names with nothing in common: 1 - edit distance / longer length."""
    a, b = _plain(name), _plain(other)
    longer = max(len(a), len(b))
    return 1 - edit_distance(a, b) / longer if longer else 1.0


def edit_distance(a: str, b: str) -> int:
    """Letters to insert, delete or replace to make `b` of `a` (Levenshtein).

    A column of the usual table is two whole numbers, one bit per letter of `a`: where it goes up by one and where down.
    Myers (1999), A fast bit-vector algorithm for approximate string matching, JACM 46(3); Hyyrö (2003) for this form.
    """
    if not a:
        return len(b)
    at: dict[str, int] = {}
    for i, letter in enumerate(a):
        at[letter] = at.get(letter, 0) | 1 << i
    distance, last, every = len(a), 1 << len(a) - 1, (1 << len(a)) - 1
    up, down = every, 0
    for letter in b:
        same = at.get(letter, 0)
        diagonal = ((same & up) + up ^ up) | same | down
        right_up, right_down = down | ~(diagonal | up), up & diagonal
        distance += bool(right_up & last) - bool(right_down & last)
        right_up = right_up << 1 | 1
        up = (right_down << 1 | ~(diagonal | right_up)) & every
        down = right_up & diagonal & every
    return distance


_plain = lru_cache(50_000)(plain)
"""A name is compared with its like in forty languages."""
