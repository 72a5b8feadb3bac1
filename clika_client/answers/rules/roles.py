"""What the words of a reply do in it, by the tables of the language that most of them belong to."""

from __future__ import annotations

from functools import lru_cache

from clika_client.answers.rules.normalise import fold_word
from clika_client.answers.rules.token import Token
from clika_client.answers.rules.words import HINTS, UNSPACED, Role, words

_DENIALS = Role.NOT | Role.NOT_BEFORE | Role.NOT_AFTER | Role.WRONG


def assign_roles(tokens: list[Token], language: str | None) -> frozenset[str]:
    """Give words their roles; returns the languages that most words belong to, the told one with a lead."""
    votes: dict[str, int] = {language: 3} if language else {}
    found: list[tuple[Token, tuple[tuple[str, int], ...]]] = []
    for token in tokens:
        if token.kind == "word":
            token.is_article, entries, weight = known_word(token.text)
            if entries:
                found.append((token, entries))
                for tag, _ in entries:
                    votes[tag] = votes.get(tag, 0) + weight
    chosen: set[str] = set()
    if votes:
        most = max(votes.values())
        chosen = {tag for tag, count in votes.items() if count == most}
        for token, entries in found:
            own = [role for tag, role in entries if tag in chosen]
            token.native = bool(own)
            role = _united(token, own or [role for _, role in entries])
            token.hint, token.role = role & HINTS, role & ~HINTS
    _assign_phrases(tokens)
    return frozenset(chosen) if votes and max(votes.values()) else frozenset()


@lru_cache(maxsize=32_768)
def known_word(word: str) -> tuple[bool, tuple[tuple[str, int], ...], int]:
    """(whether it is an article, its roles by language, its weight): long words tell languages apart."""
    index, folded = words(), fold_word(word)
    entries = index.exact.get(word.casefold()) or index.single.get(folded) or ()
    weight = min(len(word), 8) if len(word) > 1 or UNSPACED.match(word) else 0
    return folded in index.articles, entries, weight


def _united(token: Token, roles: list[int]) -> int:
    """The roles that languages give a word, united; a short word denies only where most of them say so.

    `en` is Finnish for "I do not" and "in" to all others; `né` is "nor" in Italian and "born" in French.
    """
    united = 0
    for role in roles:
        united |= role
    if united & _DENIALS and len(token.text) < 4 and not UNSPACED.match(token.text):
        denying = sum(1 for role in roles if role & _DENIALS)
        if 2 * denying <= len(roles) or (not token.native and not token.text.isascii()):
            united &= ~_DENIALS
    return united


def _assign_phrases(tokens: list[Token]) -> None:
    """Multi-word entries override their words: `go with`, `instead of`, `rule out`."""
    phrases = words().phrases
    at = 0
    while at < len(tokens):
        token = tokens[at]
        step = 1
        if token.kind == "word":
            for parts, role in phrases.get(fold_word(token.text), ()):
                following = [t for t in tokens[at : at + 2 * len(parts)] if t.text != "-"][: len(parts)]
                if all(t.kind == "word" for t in following) and [fold_word(t.text) for t in following] == [*parts]:
                    for one in following:
                        one.hint |= role & HINTS
                        one.role = role & ~HINTS or one.role
                    step = len(parts)
                    break
        at += step
