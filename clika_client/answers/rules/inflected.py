"""An option's name in another grammatical case: `в Париже` for Париж, `Turussa` for Turku, `بالقاهرة` for القاهرة.

What counts as a form is bounded by the table that free-text answers about invented facts are matched with. A word
that two options could meet in names neither, and so does a reply that denies anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from clika_client.answers.rules.clauses import REJECT
from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.reply import Reply
from clika_client.answers.rules.words import Role
from clika_client.sets.fictional.inflection import Inflection, inflection, kept
from clika_client.sets.fictional.text import plain

_FEWEST = 4
"""Letters of an inflected form: shorter words are like too many others."""
_STEMS = frozenset(("fi", "cs", "sk"))
"""Languages in which a name's stem changes before its ending."""
_PREFIX = 3
"""Letters that prepositions and articles written together with a name have at most."""
_SCRIPTS = (
    ("\u0400", "\u04ff", "ru uk"),
    ("\u0370", "\u03ff", "el"),
    ("\u0590", "\u05ff", "he"),
    ("\u0600", "\u06ff", "ar"),
    ("\u10a0", "\u10ff", "ka"),
    ("\u0b80", "\u0bff", "ta"),
    ("\u0c00", "\u0c7f", "te"),
    ("\u0980", "\u09ff", "bn"),
    ("\u1200", "\u137f", "am"),
    ("\u0530", "\u058f", "hy"),
)
"""First and last letter of a script, and the languages whose forms are tried when no word tells the language."""
_LATIN = Inflection(gained=2, stems=tuple((vowel, "") for vowel in "aeiouy"))
"""For Latin letters in words that tell no language: less than any language's own rule, for `Parisian` is not Paris
and `Hunai` not Hunan."""


def inflected(reply: Reply, question: Question) -> int | None:
    """The option whose name the reply inflects; AMBIGUOUS for several; None for none."""
    denying = REJECT | Role.NOT_BEFORE | Role.NOT_AFTER
    if any(token.is_label and token.strict and (token.choice or 0) >= 0 for token in reply.tokens):
        return None  # `В Париже`: the preposition, or the label B?
    if len(reply.tokens) > 200 or any(token.role & denying and not token.role & Role.FILL for token in reply.tokens):
        return None
    spoken = [token.text for token in reply.tokens if token.kind == "word"]
    words = tuple(map(plain, spoken))
    found: set[int] = set()
    for rule in _rules(reply):
        found |= {
            i
            for i, at in _forms(words, question, rule)
            if _like(spoken[at], _names(question.cores)[i][0], rule, reply.languages)
        }
    if len(found) > 1:
        return AMBIGUOUS
    return found.pop() if found else None


def _like(word: str, name: str, rule: Inflection, languages: frozenset[str]) -> bool:
    """Whether enough of a name is kept: `Кеннеді` has three letters of Кенія, small `state` three of Polish `stan`.

    `Turussa` and `Praze` have three of Turku and Praha. `בחיפה` has a preposition before it.
    """
    low = plain(word)
    same = max(kept(stem, low[start:]) for stem in rule.stems_of(name) for start in range(_PREFIX + 1))
    if same >= _FEWEST:
        return True
    capital = word[:1] == word[:1].upper()
    return capital and (bool(languages & _STEMS) or same >= len(name) - 1)


def _rules(reply: Reply) -> list[Inflection]:
    """The rules of the reply's languages, or, where no word tells them, of its script's."""
    known = [inflection(language) for language in sorted(reply.languages)]
    if known:
        return list({rule for rule in known if rule.inflects})
    letters = "".join(token.text for token in reply.tokens if token.kind == "word")
    names = next((names for first, last, names in _SCRIPTS if first <= letters[:1] <= last), "")
    return [inflection(language) for language in names.split()] or [_LATIN]


def _forms(words: tuple[str, ...], question: Question, rule: Inflection) -> Iterator[tuple[int, int]]:
    """(option, position of the first word) for words in a row that are forms of that option's name alone."""
    names = _names(question.cores)
    for length in {len(name) for name in names if name}:
        for start in range(len(words) - length + 1):
            part = words[start : start + length]
            if max(map(len, part)) < _FEWEST:
                continue
            fits = [i for i, name in enumerate(names) if len(name) == length and all(map(rule.form_of, name, part))]
            if len(fits) == 1:
                yield fits[0], start


@lru_cache(maxsize=4_096)
def _names(cores: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(plain(core).split()) for core in cores)
