"""Decides whether a name may be shown and whether an answer can be read off its question."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from functools import cache

SIMILAR = 0.8
"""Two words whose matching letters make up this share of both (Ratcliff-Obershelp) count as one name,"""
SIMILAR_FROM_THE_START = 0.7
"""and so do two that begin with the same two letters and share this much: names are read from the start."""
SIMILAR_FROM_ELSEWHERE = 0.85
"""Two that begin with different letters must share more."""
LONG = 6
"""So many letters in a row are a name wherever they stand."""
PREFIX = 4
"""So many letters at the start of two words, and most of the shorter one, count as one name."""

_BREAK = re.compile(r"[^\w\u0300-\u036f\u0900-\u0dff]+")
_NOT_PLAIN = re.compile(r"[()\[\]（）［］,،、，;；/]")


@cache
def normalise(text: str) -> str:
    """Letters and digits only, folded: no case, no accents, no tone or vowel points, no spaces, no punctuation.

    Vowel signs of Indic scripts stay (combining class 0): they are letters there, not marks on letters.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(c for c in folded if not unicodedata.combining(c) and unicodedata.category(c)[0] in "LNM")


def name_problem(name: str | None, script: str) -> str | None:
    """Why a name cannot be shown in a language of this script, or None if it can."""
    if not name or not normalise(name):
        return "CLDR has no name"
    if _NOT_PLAIN.search(name):
        return "the name holds a parenthesis, a comma or a slash"
    latin = any("LATIN" in unicodedata.name(c, "") for c in name)
    if latin != (script == "Latn"):
        return "the name is not in the language's script"
    return None


def readable(subject: str, answer: str) -> bool:
    """Whether the answer can be read off the subject's name: one holds the other, or words of the two are alike."""
    whole_subject, whole_answer = normalise(subject), normalise(answer)
    if not whole_subject or not whole_answer:
        return False
    if _holds(whole_subject, whole_answer) or _holds(whole_answer, whole_subject):
        return True
    there = _parts(answer)
    for a in _parts(subject):
        for b in there:
            if _alike(a, b):
                return True
    return False


def borrowed(name: str, own: str) -> bool:
    """Whether a name of several words is that of another language, unchanged: every word is one of that language's."""
    mine, theirs = ({word for word in map(normalise, _BREAK.split(text)) if len(word) > 1} for text in (name, own))
    return len(mine) > 1 and mine <= theirs


def given_away(question: str, answer: str) -> bool:
    """Whether the question, wording included, spells the answer out: its words in a row, or its letters in a script
    that puts no spaces between words."""
    if _unspaced(answer):
        return normalise(answer) in normalise(question)
    return f" {_spaced(answer)} " in f" {_spaced(question)} "


@cache
def _spaced(text: str) -> str:
    return " ".join(filter(None, map(normalise, _BREAK.split(text))))


@cache
def _unspaced(text: str) -> bool:
    """Whether it holds a character of a script that puts no spaces between words."""
    return any(unicodedata.name(c, "").startswith(("CJK", "HIRAGANA", "KATAKANA", "THAI")) for c in text)


def _holds(text: str, part: str) -> bool:
    """Whether a name stands inside another: at its beginning, or at its end as in Südafrika.

    Short endings do not count: Malasia does not tell of Asia. In scripts without spaces a name may stand anywhere.
    """
    if part not in text:
        return False
    if _unspaced(part):
        return len(part) >= (1 if _is_han(part) else 3)
    if len(part) >= LONG:
        return True
    return (len(part) >= 3 and text.startswith(part)) or (len(part) > PREFIX and text.endswith(part))


@cache
def _is_han(text: str) -> bool:
    return any("CJK UNIFIED" in unicodedata.name(c, "") for c in text)


@cache
def _parts(text: str) -> frozenset[str]:
    """A name as a whole and its longer words."""
    return frozenset((normalise(text), *(word for word in map(normalise, _BREAK.split(text)) if len(word) >= PREFIX)))


@cache
def _alike(a: str, b: str) -> bool:
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    if _is_han(short):
        # One Han character is a syllable and often a word: two in a row are a shared name.
        return any(short[i : i + 2] in long for i in range(len(short) - 1))
    if len(short) < PREFIX:
        return False
    if _holds(long, short):
        return True
    needed = SIMILAR_FROM_ELSEWHERE
    if a[0] == b[0]:
        shared = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(short))
        if shared >= PREFIX and shared >= 0.6 * len(short):
            return True
        # Names are read from the start: Mexique and Amérique share an ending, not a name.
        needed = SIMILAR_FROM_THE_START if len(short) > PREFIX and shared >= 2 else SIMILAR
    # No two words are more alike than their letters are shared; most pairs end here, before the costly comparison.
    if 2 * sum(map(_letters(long).__contains__, short)) < needed * (len(short) + len(long)):
        return False
    matcher = SequenceMatcher(None, short, long, autojunk=False)
    return matcher.quick_ratio() >= needed and matcher.ratio() >= needed


@cache
def _letters(word: str) -> frozenset[str]:
    return frozenset(word)
