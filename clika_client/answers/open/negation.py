"""Which names of a clause are asserted: not those under a negation or of a language; of "not X but Y" only Y."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources

from clika_client.answers.open.names import NameMention
from clika_client.answers.rules.words import tables
from clika_client.sets.fictional.text import plain

_REACH = 3
"""Words between a negation and the name it denies: "is not located in France"."""
_REACH_UNSPACED = 6
"""The same in characters, where words are not set apart."""
_NEAR = 2
"""Words between two names that are given as alternatives: "France or the Netherlands"."""


def asserted(clause: str, found: Sequence[NameMention], language: str, *, unspaced: bool) -> list[NameMention]:
    """The names that the clause does not deny; `found` in the order of the text."""
    if not found:
        return []
    before, after = _negations(language)
    text: Sequence[str] = clause.replace(" ", "") if unspaced else clause.split()
    reach = _REACH_UNSPACED if unspaced else _REACH
    kept, passed = [], 0
    for number, one in enumerate(found):
        # A negation denies the name beside it, never one beyond: 不是希腊，是土耳其.
        following = found[number + 1].start if number + 1 < len(found) else len(text)
        ahead = text[max(passed, one.start - reach) : one.start]
        behind = text[one.end : min(following, one.end + reach)]
        verbs = text[one.end : min(following, one.end + 2 * reach)]
        if _of_a_language(text, one, language, unspaced=unspaced):
            passed = one.end
            continue
        far = text[max(passed, one.start - _FAR) : one.start] if not unspaced else ()
        if _far_denied(far) or _of_a_word(behind[:1]) or (not unspaced and any(map(_negative_verb(language), verbs))):
            passed = one.end
            continue
        if not any(word in ahead for word in before) and not any(word in behind for word in after):
            kept.append(one)
        passed = one.end
    return kept


_FAR = 10
_TURNS = frozenset(["but", "rather", "instead", "it", "he", "she", "they", "which", "is", "was", "only", "however"])
"""English words after which a denial reaches no further: "not a country but a city in Italy"."""


_WORDS = frozenset(["name", "names", "surname", "surnames", "word", "words", "phrase", "language", "term"])


def _of_a_word(behind: Sequence[str]) -> bool:
    """Whether English speaks of a word, not of who bears it: "is a Japanese name"."""
    return bool(behind) and behind[0] in _WORDS


def _of_a_language(text: Sequence[str], one: NameMention, language: str, *, unspaced: bool) -> bool:
    """Whether a name is that of a language: 日本語, ภาษาไทย, "tiếng Pháp"."""
    after, before = _language_words(language)
    if unspaced:
        written = str(text)
        return written.startswith(after, one.end) or written.endswith(before, 0, one.start)
    ahead, behind = text[max(0, one.start - 1) : one.start], text[one.end : one.end + 1]
    return any(word.startswith(after) for word in behind) or any(word.startswith(before) for word in ahead)


@cache
def _language_words(language: str) -> tuple[tuple[str, ...], ...]:
    """What stands after and before a language's name, in plain form."""
    table = tomllib.loads(resources.files(__package__).joinpath("language_words.toml").read_text("utf-8"))
    row = table.get(language.split("-")[0], {})
    return tuple(tuple(map(plain, row.get(place, ()))) for place in ("after", "before"))


def _far_denied(ahead: Sequence[str]) -> bool:
    """Whether English denies a name over a longer stretch: "is not a well-known figure in Nepal"."""
    at = max((i for i, word in enumerate(ahead) if word == "not"), default=None)
    return at is not None and "in" in ahead[at:] and not _TURNS & set(ahead[at + 1 :])


@cache
def _negative_verb(language: str) -> Callable[[str], bool]:
    """Whether a word is a verb that denies: Turkish puts the denial inside (bulunmamaktadır)."""
    ending = {"tr": re.compile(r"m[ae](?:makta|mekte|z)(?:d[iıu]r)?$|^degil")}.get(language.split("-")[0])
    return (lambda word: ending.search(word) is not None) if ending else (lambda _: False)


def coordinated(clause: str, first: NameMention, second: NameMention, language: str, *, unspaced: bool) -> bool:
    """Whether two names stand side by side as alternatives or a list, as in "France or Italy"."""
    if unspaced:
        between = clause.replace(" ", "")[first.end : second.start]
        return len(between) <= 2 and (not between or between in _joiners(language))
    between_words = clause.split()[first.end : second.start]
    return len(between_words) <= _NEAR and (
        not between_words or any(word in _joiners(language) for word in between_words)
    )


@cache
def _joiners(language: str) -> frozenset[str]:
    """Plain words for "or" and "and"."""
    found = set()
    for tag in (language.split("-")[0], "en"):
        for role in ("or", "and"):
            found |= {plain(word) for word in tables().get(tag, {}).get(role, ())}
    return frozenset(found)


@cache
def _negations(language: str) -> tuple[frozenset[str], frozenset[str]]:
    """(words that deny what follows, words that deny what precedes) in a language and in English."""
    table = tomllib.loads(resources.files(__package__).joinpath("negations.toml").read_text("utf-8"))
    tags = dict.fromkeys((language.split("-")[0], "en"))
    before, after = set[str](), set[str]()
    for tag in tags:
        row = table.get(tag, {})
        before |= {plain(word) for word in row.get("before", ())}
        after |= {plain(word) for word in row.get("after", ())}
    return frozenset(before), frozenset(after)
