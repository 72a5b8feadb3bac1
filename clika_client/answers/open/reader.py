"""Reads an open answer: one verdict per reply, by rules that are tried in order; the same reply, the same verdict.

The first passage that names anything decides: emphasised text before plain, an announced answer before both.
Names under a negation do not count, and of "not X but Y" only Y does. Two answers at once are `several`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial

from clika_client.answers.open.answer import ELSEWHERE, RIGHT, Accepted, Names, OpenAnswer, Verdict
from clika_client.answers.open.declining import abstains, declines
from clika_client.answers.open.names import NameFinder, NameMention, exactly, finder, may_hold, name_words
from clika_client.answers.open.negation import asserted, coordinated
from clika_client.answers.open.passages import SHOWN, Passage, Passages, cut
from clika_client.answers.open.subject import speaks_of
from clika_client.answers.open.values import numbers, same_date, yes_no
from clika_client.answers.rules.words import tables
from clika_client.sets.fictional.inflection import inflection
from clika_client.sets.fictional.text import plain

_Known = tuple[tuple[str, Names], ...]
"""(key, names)"""
_GOLD = "\0gold"
"""Key of the accepted names among all names that are looked for; no option is called like it."""


def read_open(reply: str | None, accepted: Accepted, finish: str | None = None) -> OpenAnswer:
    """What a reply says, held against what the question accepts; no text makes it fail.

    `finish` is the provider's finish reason: a reply cut at its length that names nothing is `truncated`.
    """
    text = reply or ""
    if accepted.kind == "none":
        shown = " ".join(text.split())[:SHOWN]
        return OpenAnswer(RIGHT if abstains(text, accepted.language) else "wrong", "no answer", shown)
    if not text.strip():
        return OpenAnswer("empty", "empty")
    said = cut(text, accepted.language)
    found = _BY_KIND[accepted.kind](said, accepted) or _mixed(said, accepted) or _elsewhere(said, accepted)
    if found is not None and found.language == "en" and not speaks_of(text, accepted.about, _english(accepted)):
        return OpenAnswer("wrong", "another subject", found.written)
    if found is not None:
        return found
    shown = said.by_weight[0].raw if said.by_weight else " ".join(text.split())[:SHOWN]
    told = declines(text, accepted.language)
    if told is not None:
        return OpenAnswer(told, told, shown)
    if finish == "length":
        return OpenAnswer("truncated", "truncated", shown)
    return OpenAnswer("wrong", "other", shown)


class _Way:
    """Names of one language to look for, and what it means to find them; the finder is made when it is first needed."""

    __slots__ = (
        "_finder",
        "_forgiven",
        "_gold",
        "_known",
        "_rivals",
        "_strict",
        "_tag",
        "language",
        "unspaced",
        "verdict",
    )

    def __init__(
        self, gold: Names, rivals: Callable[[], _Known], tag: str, verdict: Verdict, *, forgiven: bool, strict: bool
    ) -> None:
        self._gold: _Known = ((_GOLD, gold),)
        self._rivals, self._tag, self._strict = rivals, tag, strict
        self._forgiven = _GOLD if forgiven else None
        self._known: _Known | None = None
        self._finder: NameFinder | None = None
        self.verdict = verdict
        self.language = None if verdict == RIGHT else tag
        self.unspaced = inflection(tag).unspaced

    def find(self, clause: str, language: str) -> list[NameMention]:
        """The names that a plain clause asserts; one that is a name, or can hold none, needs no search."""
        key = exactly(self._gold, self._tag, clause)
        if key is None:
            if self._known is None:
                self._known = (*self._gold, *self._rivals())
            key = exactly(self._known, self._tag, clause)
        if key is not None:
            return [NameMention(key, 0, len(clause.replace(" ", "") if self.unspaced else clause.split()), 3)]
        known = self._known or self._gold
        if self._finder is None:
            if not may_hold(known, self._tag, clause):
                return []
            self._finder = finder(known, self._tag, self._forgiven, self._strict)
        return asserted(clause, self._finder.find(clause), language, unspaced=self.unspaced)


def _read_name(said: Passages, accepted: Accepted) -> OpenAnswer | None:
    """The name a reply gives, in the asked language or in English; a passage is read in both before the next one."""
    tag = accepted.language
    ways = [_Way(accepted.names, partial(_rivals, accepted, tag), tag, RIGHT, forgiven=True, strict=False)]
    english = accepted.elsewhere.get("en") if tag != "en" else None
    if english:
        rivals = partial(_rivals, accepted, "en")
        ways.append(_Way(english, rivals, "en", ELSEWHERE, forgiven=False, strict=True))
    return _decide(said, ways, accepted.language)


def _elsewhere(said: Passages, accepted: Accepted) -> OpenAnswer | None:
    """The accepted answer in a language that is neither the asked one nor English."""
    text = "\n".join(part.plain.replace(" ", "") for part in said.by_weight)
    for language, names in accepted.elsewhere.items():
        if language not in (accepted.language, "en") and names and _may_hold(text, names, language):
            # A stem or an ending of one language is a word of another in the same script, and in Latin script often of
            # English: only whole names count there.
            like = _script(names[0]) in ("LATIN", _script(accepted.names[0]))
            whole = tuple(name for name in names if not like or (len(name) >= _LONG and not name.endswith("*")))
            if not whole:
                continue
            rivals = partial(_rivals, accepted, language, stems=not like)
            way = _Way(whole, rivals, language, ELSEWHERE, forgiven=False, strict=like)
            found = _decide(said, [way], accepted.language)
            if found is not None and found.verdict == ELSEWHERE:
                return found
    return None


def _may_hold(text: str, names: Sequence[str], language: str) -> bool:
    """Whether a text without spaces can hold one of the names, however it is declined: most hold none."""
    if language in _HEARD:
        return True
    return any(words and words[0][:_BEGIN] in text for words in map(name_words, names))


_BEGIN = 3
"""Letters that no ending changes."""
_HEARD = ("el",)
"""Languages whose letters are compared by their sound."""
_SMALL = ("is", "article", "and", "or", "but", "relative")


@lru_cache(maxsize=256)
def _small_words(language: str) -> frozenset[str]:
    """Articles and words for "is", "and", "or" and "but" of a language, but those that are English too."""
    found: set[str] = set()
    for tag, sign in ((language.split("-")[0], 1), ("en", -1)):
        words = {plain(word) for role in _SMALL for word in tables().get(tag, {}).get(role, ())}
        found = found | words if sign > 0 else found - words
    return frozenset(found) - _ENGLISH


_LONG = 5
"""Letters from which a name of a third language is no other word of the same script: Hint is India in Turkish."""


@lru_cache(maxsize=20_000)
def _script(name: str) -> str:
    """The script of a name's first letter, by its Unicode name: LATIN, CYRILLIC, …"""
    letter = next(filter(str.isalpha, name), " ")
    return unicodedata.name(letter, "").split(" ")[0]


def _mixed(said: Passages, accepted: Accepted) -> OpenAnswer | None:
    """An English name in a word that mixes two alphabets, whatever ends it: Thaїї, kenyанець."""
    names = accepted.elsewhere.get("en", ())
    parts = [(rule, part) for rule, part in _weighed(said) if part.mixed]
    if not names or not parts:
        return None
    known = [(_GOLD, names), *_rivals(accepted, "en")]
    find = finder(tuple((key, _begun(given)) for key, given in known), "en", strict=True).find
    for rule, part in parts:
        found = find(part.mixed)
        if found and found[0].name == _GOLD:
            return OpenAnswer(ELSEWHERE, f"{rule} mixed", part.raw, "en")
        if found:
            return OpenAnswer("wrong", f"{rule} mixed rival", part.raw, rival=found[0].name)
    return None


def _english(accepted: Accepted) -> Iterator[str]:
    """The English names of all known answers."""
    yield from accepted.elsewhere.get("en", ())
    for names in accepted.rivals.get("en", {}).values():
        yield from names


def _begun(names: Names) -> Names:
    """The names of one word as stems."""
    return tuple(name.rstrip("*") + "*" for name in names if len(name) >= _BEGUN and " " not in name)


_BEGUN = 4
"""Letters by which a word that mixes two alphabets is known."""


def _rivals(accepted: Accepted, language: str, *, stems: bool = True) -> _Known:
    found = accepted.rivals.get(language, {}).items()
    if stems:
        return tuple((key, tuple(given)) for key, given in found)
    return tuple((key, tuple(name for name in given if not name.endswith("*"))) for key, given in found)


def _weighed(said: Passages) -> Iterator[tuple[str, Passage]]:
    """The passages in the order in which they are believed, each with its rule."""
    for clause in said.clauses:
        if clause.announced:
            yield "announced", clause
    for part in said.emphasised:
        yield "emphasised", part
    for clause in said.clauses:
        yield "clause", clause


def _decide(said: Passages, ways: Sequence[_Way], language: str) -> OpenAnswer | None:
    for rule, part in _weighed(said):
        for way in ways:
            found = way.find(part.plain, language)
            if found and rule == "clause" and _excuses(part, language):
                break
            if found:
                return _verdict(rule, part, found, _spoken(way, part, ways, language), language)
    return None


_ENGLISH = frozenset(["the", "of", "and", "from", "located", "which", "country", "city", "born", "who", "is", "was"])
"""Words that make a passage English, two of them, where none is a word of the language that was asked."""


def _spoken(way: _Way, part: Passage, ways: Sequence[_Way], language: str) -> _Way:
    """The way itself, or the English one: `Paris is located in France` answers no French question in French."""
    if way.verdict != RIGHT or len(ways) < 2 or way.unspaced:
        return way
    words = set(part.plain.split())
    return ways[1] if len(words & _ENGLISH) >= 2 and not words & _small_words(language) else way


def _excuses(part: Passage, language: str) -> bool:
    """Whether a clause says why there is no answer: what it names ("anywhere, including France") is none."""
    return declines(part.plain, language) is not None or " an artificial intelligence " in f" {part.plain} "


def _verdict(rule: str, part: Passage, found: Sequence[NameMention], way: _Way, language: str) -> OpenAnswer:
    first = found[0]
    others = [one for one in found[1:] if one.name != first.name]
    if others and coordinated(part.plain, first, others[0], language, unspaced=way.unspaced):
        return OpenAnswer("several", f"{rule} several", part.raw)
    if first.name == _GOLD:
        return OpenAnswer(way.verdict, rule, part.raw, way.language)
    return OpenAnswer("wrong", f"{rule} rival", part.raw, rival=first.name)


def _read_number(said: Passages, accepted: Accepted) -> OpenAnswer | None:
    """A number is right when it is equal; the first passage with a number decides."""
    golds = {value for name in accepted.names for value in numbers(name)}
    for part in said.by_weight:
        given = numbers(part.raw)
        if given:
            right = [value in golds for value in given]
            verdict: Verdict = RIGHT if right[0] else "several" if any(right) else "wrong"
            return OpenAnswer(verdict, "number", part.raw)
    return None


def _read_date(said: Passages, accepted: Accepted) -> OpenAnswer | None:
    """A date is right when it names the gold's year, and its month and day where the gold has them."""
    for raw in (*(part.raw for part in said.by_weight), *said.lines):
        same = [same_date(name, raw, accepted.language) for name in accepted.names]
        if any(one is not None for one in same):
            return OpenAnswer(RIGHT if any(same) else "wrong", "date", raw[:SHOWN])
    return None


def _read_yes_no(said: Passages, accepted: Accepted) -> OpenAnswer | None:
    """The first word that says yes or no decides."""
    meant = yes_no(accepted.language)
    golds = {meant[word] for name in accepted.names if (word := plain(name)) in meant}
    for part in said.by_weight:
        words = part.plain.split()
        given = next((meant[word] for word in words if word in meant), meant.get("".join(words)))
        if given is not None:
            return OpenAnswer(RIGHT if given in golds else "wrong", "yes-no", part.raw)
    return None


_BY_KIND: dict[str, Callable[[Passages, Accepted], OpenAnswer | None]] = {
    "name": _read_name,
    "number": _read_number,
    "date": _read_date,
    "yes-no": _read_yes_no,
}
