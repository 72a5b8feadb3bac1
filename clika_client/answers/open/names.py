"""Finds names in a plain clause: exact, declined as the language declines, or one slip of the pen away.

A form is bounded by a table per language; a word that two names could have become is taken for neither.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

from clika_client.sets.fictional.inflection import Inflection, inflection, kept
from clika_client.sets.fictional.text import plain

VOID = "\0void"
"""Key of the names that name nothing: `Indian Ocean`."""
_DIGIT = re.compile(r"\d")
_STEM_GAINS = 7
"""Letters that may follow a stem (`французск*`: французского, французскими)."""
_SHORT = 5
_SOUND_ALIKE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "el": (("ου", "u"), ("ει", "ι"), ("οι", "ι"), ("αι", "ε"), ("η", "ι"), ("υ", "ι"), ("ω", "ο")),
}
"""Spellings of one sound, which writers mix up: Ροσία for Ρωσία. The first of the list goes before the rest."""
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc]")
"""A run of these is one word: インド is not in インドネシア."""
_SLIP_FROM = 6
"""Letters from which a name may be misspelt by one: shorter ones are other words when a letter changes."""


class NameMention(NamedTuple):
    """A name in a clause."""

    name: str
    """Key of the names that were looked for."""
    start: int
    """Word (in unspaced scripts: character) at which it begins."""
    end: int
    quality: int
    """3 exact, 2 declined or a stem, 1 misspelt."""


class _Form(NamedTuple):
    key: str
    words: tuple[str, ...]
    stem: bool
    joined: str


class NameFinder:
    """Looks for `names` (key → its names) in clauses of one language.

    `forgiven` is the key whose names may be misspelt by one letter; a rival that is nearly named is not named.
    `strict` takes names as they are written and stems, and forgives no ending: English names in the middle of another
    language's sentence.
    """

    def __init__(
        self, names: Mapping[str, Sequence[str]], language: str, *, forgiven: str | None = None, strict: bool = False
    ) -> None:
        self.forgiven = forgiven
        self.rule = _rule(language, strict)
        self._declined = _declines(language, strict)
        self.qualities = (3, 2) if strict or forgiven is None else (3, 2, 1)
        self._alike = language.split("-")[0]
        forms = [form for key, given in names.items() for form in _forms(key, given, self._alike)]
        forms += _void_forms(language)
        # The longest first: a name inside another name is not one.
        forms.sort(key=_length, reverse=True)
        self.forms = forms
        self.by_letter: dict[str, list[_Form]] = {}
        for form in () if self.rule.unspaced else forms:
            self.by_letter.setdefault(form.joined[0], []).append(form)
        self._near = lru_cache(maxsize=20_000)(self._beginning)

    def find(self, clause: str) -> list[NameMention]:
        """All names in a plain clause, in their order; overlapping ones count once, the longest."""
        clause = heard(clause, self._alike)
        found = self._in_text(clause) if self.rule.unspaced else self._in_words(clause.split())
        return sorted((one for one in found if one.name != VOID), key=lambda one: one.start)

    def _in_text(self, clause: str) -> list[NameMention]:
        text, breaks = clause.replace(" ", ""), _breaks(clause)
        found = []
        for form in self.forms:
            joined = form.joined
            at = text.find(joined)
            while at >= 0:
                end = at + len(joined)
                if _whole(text, at, end, breaks):
                    found.append(NameMention(form.key, at, end, 2 if form.stem else 3))
                    text = text[:at] + "\0" * len(joined) + text[end:]
                at = text.find(joined, at + 1)
        return found

    def _in_words(self, words: list[str]) -> list[NameMention]:
        found: list[NameMention] = []
        near = [self._near(word) for word in words]
        starts = [start for start, forms in enumerate(near) if forms]
        taken = [False] * len(words)
        for quality in self.qualities if starts else ():
            for start in starts:
                here = [
                    NameMention(form.key, start, start + len(form.words), quality)
                    for form in near[start]
                    if not any(taken[start : start + len(form.words)])
                    and self._fits(form, words[start : start + len(form.words)], quality)
                ]
                if not here:
                    continue
                longest = max(here, key=lambda one: one.end)
                if quality < 3 and len({one.name for one in here if one.end == longest.end}) > 1:
                    continue
                found.append(longest)
                taken[start : longest.end] = [True] * (longest.end - start)
        return found

    def _beginning(self, word: str) -> list[_Form]:
        """The forms whose first word this can be, of those with its first letter, or that of what is left of it."""
        letters = dict.fromkeys(rest[0] for rest in self.rule.bare(word) if rest)
        return [form for letter in letters for form in self.by_letter.get(letter, ()) if self._may_begin(form, word)]

    def _may_begin(self, form: _Form, word: str) -> bool:
        first = form.words[0]
        if form.stem:
            return self._begins(first, word) if len(form.words) == 1 else first == word
        return self._declined(first, word) or (form.key == self.forgiven and self._slip(first, word))

    def _fits(self, form: _Form, words: Sequence[str], quality: int) -> bool:
        if len(words) != len(form.words):
            return False
        if quality == 3:
            return not form.stem and form.words == tuple(words)
        if form.stem:
            return quality == 2 and form.words[:-1] == tuple(words[:-1]) and self._begins(form.words[-1], words[-1])
        if quality == 2:
            return all(self._declined(name, word) for name, word in zip(form.words, words, strict=True))
        return form.key == self.forgiven and all(map(self._slip, form.words, words))

    def _begins(self, stem: str, word: str) -> bool:
        return any(rest.startswith(stem) and len(rest) <= len(stem) + _STEM_GAINS for rest in self.rule.bare(word))

    def _slip(self, name: str, word: str) -> bool:
        """The name as it is declined, with one letter changed, missing, added or swapped with its neighbour."""
        if self._declined(name, word):
            return True
        stem = name[: len(name) - self.rule.lost]
        if len(stem) < _SLIP_FROM - 1 or len(name) < _SLIP_FROM or name[0] != word[0] or _DIGIT.search(name + word):
            return False
        if len(word) > len(name) + self.rule.gained + 1:
            return False
        start = kept(stem, word)
        a, b = stem[start:], word[start:]
        ways = (a[1:], b[1:]), (a[1:], b), (a, b[1:]), (a[2:], b[2:]) if a[:2] == b[1::-1] else ("\0", "")
        return any(self._rest(left, right) for left, right in ways)

    def _rest(self, stem: str, word: str) -> bool:
        """Whether a word's rest is a stem's rest and an ending."""
        return word.startswith(stem) and len(word) - len(stem) <= self.rule.lost + self.rule.gained


def _rule(language: str, strict: bool) -> Inflection:
    return Inflection(unspaced=inflection(language).unspaced) if strict else inflection(language)


@lru_cache
def _declines(language: str, strict: bool) -> Callable[[str, str], bool]:
    """Whether a word is a name of that language in some form; the same few words come in thousands of replies."""
    rule = _rule(language, strict)

    @lru_cache(maxsize=50_000)
    def declined(name: str, word: str) -> bool:
        # A short name begins too many words: four letters take no long ending, and five lose one at most.
        short = len(name) <= _SHORT
        gained = min(rule.gained, 2) if len(name) < _SHORT else rule.gained
        rests = (rest for rest in rule.bare(word) if rule.declined(name, rest, gained))
        return any(not (short and _stretches(name, rest)) for rest in rests)

    return declined


def _stretches(name: str, word: str) -> bool:
    """Whether a short name would have to give up more than one letter, or one for nothing or for more than two."""
    same = kept(name, word)
    return same < len(name) - 1 or len(word) < len(name) or (same < len(name) and len(word) - same > 2)


@lru_cache(maxsize=100_000)
def name_words(name: str) -> tuple[str, ...]:
    """The plain words of a name or stem."""
    return tuple(plain(name.rstrip("*")).split())


def _breaks(clause: str) -> set[int]:
    """Where the clause had spaces, as places in the text without them."""
    found, at = set(), 0
    for word in clause.split(" ")[:-1]:
        at += len(word)
        found.add(at)
    return found


def _whole(text: str, start: int, end: int, breaks: set[int]) -> bool:
    """Whether a name found in unspaced writing is no part of a longer katakana word."""

    def goes_on(inside: int, outside: int, seam: int) -> bool:
        if not 0 <= outside < len(text) or seam in breaks:
            return False
        return _KATAKANA.match(text[inside]) is not None and _KATAKANA.match(text[outside]) is not None

    return not goes_on(start, start - 1, start) and not goes_on(end - 1, end, end)


@cache
def voids(language: str) -> tuple[str, ...]:
    """Names of a language that hold a country's name and name none."""
    table = tomllib.loads(resources.files(__package__).joinpath("voids.toml").read_text("utf-8"))
    return tuple(table.get(language.split("-")[0], ()))


Keyed = Sequence[tuple[str, Sequence[str]]]
"""(key, its names), the most wanted first."""


def exactly(names: Keyed, language: str, clause: str) -> str | None:
    """The key whose name a whole clause is, as `find` would have it; None where that has to be asked."""
    if language.split("-")[0] in _SOUND_ALIKE:
        return None
    for key, given in names:
        for name in given:
            if _plain_name(name) == clause:
                return None if name.endswith("*") else key
    return None


def may_hold(names: Keyed, language: str, clause: str) -> bool:
    """Whether a clause can hold one of the names in any form: most hold none, and need not be searched.

    Every form keeps a name's first two letters, but one misspelt, which keeps the first of six or more.
    """
    rule = inflection(language)
    if language.split("-")[0] in _SOUND_ALIKE:
        return True
    if rule.unspaced:
        text = clause.replace(" ", "")
        return any("".join(name_words(name)) in text for _, given in names for name in given)
    words = clause.split()
    if rule.before:
        words = [rest for word in words for rest in rule.bare(word)]
    begins = {word[:2] for word in words}
    first = {word[:1] for word in words}
    for _, given in names:
        for name in given:
            begin = _plain_name(name)[:_SLIP_FROM]
            if begin[:2] in begins or (begin[:1] in first and (len(begin) < 2 or len(begin) >= _SLIP_FROM - 1)):
                return True
            if begin[1:2] == " " and begin[:1] in first:
                return True
    return False


@lru_cache(maxsize=100_000)
def _plain_name(name: str) -> str:
    return " ".join(name_words(name))


def heard(text: str, alike: str) -> str:
    """The text with letters that sound alike in a language (its bare code) written alike."""
    for written, sound in _SOUND_ALIKE.get(alike, ()):
        text = text.replace(written, sound)
    return text


def _length(form: _Form) -> int:
    return len(form.joined)


def _forms(key: str, names: Iterable[str], alike: str) -> Iterator[_Form]:
    for name in names:
        words = name_words(name)
        if words:
            if alike in _SOUND_ALIKE:
                words = tuple(heard(word, alike) for word in words)
            yield _Form(key, words, name.endswith("*"), "".join(words))


@cache
def _void_forms(language: str) -> tuple[_Form, ...]:
    return tuple(_forms(VOID, voids(language), language.split("-")[0]))


@lru_cache(maxsize=20_000)
def finder(
    names: tuple[tuple[str, tuple[str, ...]], ...], language: str, forgiven: str | None = None, strict: bool = False
) -> NameFinder:
    """The finder of these names, made once."""
    return NameFinder(dict(names), language, forgiven=forgiven, strict=strict)
