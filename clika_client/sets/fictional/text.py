"""The plain form in which invented names are compared: without case, diacritics, points and punctuation."""

from __future__ import annotations

import re
import unicodedata

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


def plain(text: str) -> str:
    """`text` for comparison: words separated by single spaces, nothing else but letters and digits."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    folded = unicodedata.normalize("NFC", _MARKS.sub("", folded)).translate(_FOLDS)
    return " ".join("".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded).split())


def skeleton(text: str) -> str:
    """`plain` without any combining sign and without spaces: names that differ here differ however one normalises."""
    return "".join(c for c in unicodedata.normalize("NFKD", plain(text)) if unicodedata.category(c)[0] in "LN")


def similarity(name: str, other: str) -> float:
    """1 for names equal in plain form, 0 for names with nothing in common: 1 - edit distance / longer length."""
    a, b = plain(name), plain(other)
    if not a and not b:
        return 1.0
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return 1 - row[-1] / max(len(a), len(b))
