"""Tells a reply that gives no answer: it declines, says that it does not know, or that there is nothing to say."""

from __future__ import annotations

from functools import lru_cache

from clika_client.answers.open.answer import Verdict
from clika_client.answers.rules.words import tables
from clika_client.sets.fictional.inflection import inflection
from clika_client.sets.fictional.text import plain

_NOTHING = frozenset(("", "no answer", "none", "unanswerable", "unknown"))


def abstains(text: str, language: str) -> bool:
    """Whether a reply gives no answer: it is empty, declines, or says that there is none."""
    return plain(text) in _NOTHING or declines(text, language) is not None


def declines(text: str, language: str) -> Verdict | None:
    """`unknown` for a reply that says it does not know, `refusal` for one that will not answer."""
    return _told(text[:400], language)


@lru_cache(maxsize=4096)
def _told(text: str, language: str) -> Verdict | None:
    words = f" {plain(text)} "
    closed = words.replace(" ", "")
    kinds: tuple[Verdict, ...] = ("unknown", "refusal")
    for verdict in kinds:
        for phrase, unspaced in _phrases(verdict, language):
            if phrase in (closed if unspaced else words):
                return verdict
    return None


@lru_cache(maxsize=256)
def _phrases(kind: str, language: str) -> tuple[tuple[str, bool], ...]:
    """Plain phrases of one kind in a language and in English, with whether its script sets no spaces.

    Phrases of a script with spaces stand between two, as words do.
    """
    found = []
    for tag in dict.fromkeys((language.split("-")[0], "en")):
        for phrase in tables().get(tag, {}).get(kind, ()):
            words = plain(phrase)
            unspaced = inflection(tag).unspaced
            if words:
                found.append((words.replace(" ", "") if unspaced else f" {words} ", unspaced))
    return tuple(found)
