"""Cuts a reply into the passages that an answer is looked for in, the most telling first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from clika_client.answers.open.scripts import in_latin, mixed, one_script
from clika_client.answers.rules.next_question import headed
from clika_client.answers.rules.normalise import strip_thinking
from clika_client.answers.rules.words import tables
from clika_client.sets.fictional.text import plain

SHOWN = 80
"""Characters of a written answer that reports show."""
_LONGEST = 20_000
"""Characters of a reply that are read; an answer that comes later than that answers nobody."""
_BOLD = re.compile(r"\*\*(.+?)\*\*|__(.+?)__|\\boxed\{([^{}]*)\}|\\text\{([^{}]*)\}", re.DOTALL)
# A full stop ends a clause only before a space: 3.5, U.S., example.com.
_CLAUSE = re.compile(r"[\n!?;。！？；।؟۔।|]+|\.(?=\s|$|\*|\")|(?<=[\u0e00-\u0e7f])\s{2,}")
_MARKUP = re.compile(r"[*_`#>]+|\\[a-z]+\{|\}|<[^<>]{1,40}>")


class Passage(NamedTuple):
    """One clause, in the form names are looked for."""

    plain: str
    """Words separated by single spaces, without case, accents and punctuation."""
    raw: str
    announced: bool = False
    """It follows "Answer:" in some language."""
    mixed: str = ""
    """Its words that mix two alphabets, in Latin letters."""


@dataclass(frozen=True, slots=True)
class Passages:
    """A reply cut once, for every way of looking at it."""

    emphasised: tuple[Passage, ...]
    """What stands in bold or in a box, in its order."""
    clauses: tuple[Passage, ...]
    """The clauses in their order."""
    text: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines uncut, for what a full stop does not end: 19. August."""
        return tuple(" ".join(_MARKUP.sub(" ", line).split()) for line in self.text.splitlines() if line.strip())

    @property
    def by_weight(self) -> tuple[Passage, ...]:
        """Emphasised text before the clauses."""
        return self.emphasised + self.clauses


def cut(reply: str, language: str) -> Passages:
    """The passages of a reply without its thoughts and without the next question of a list."""
    text = _clean(reply)
    spans = ("".join(part or "" for part in match.groups()) for match in _BOLD.finditer(text))
    emphasised = (_passage(span, language) for span in spans)
    return Passages(tuple(part for part in emphasised if part.plain), tuple(_clauses(text, language)), text)


def _clean(reply: str) -> str:
    text = strip_thinking(reply[:_LONGEST]) or ""
    following = headed(text)
    return text[:following] if following and text[:following].strip() else text


def _clauses(text: str, language: str) -> Iterator[Passage]:
    for raw in filter(None, map(str.strip, _CLAUSE.split(text))):
        head, mark, tail = _announced(raw)
        if mark and not tail.strip():
            continue  # an announcement of nothing
        passage = _passage(tail if mark else head, language, announced=bool(mark))
        if passage.plain:
            yield passage


def _passage(raw: str, language: str, *, announced: bool = False) -> Passage:
    bare = _MARKUP.sub(" ", raw)
    words = plain(bare)
    found = mixed(words)
    latin = " ".join(map(in_latin, found)) if found else ""
    return Passage(one_script(words, language, found), " ".join(bare.split())[:SHOWN], announced, latin)


def _announced(clause: str) -> tuple[str, str, str]:
    """(before, the announcement, after) for `Answer: Oslo`, `**Réponse :** Oslo`, `答案：奥斯陆`."""
    if ":" not in clause and "：" not in clause:
        return clause, "", ""
    head, mark, tail = clause.replace("：", ":").partition(":")
    if mark and len(head) <= 40 and plain(_MARKUP.sub(" ", head)) in _announcements():
        return head, mark, tail.lstrip("*_ ")
    return clause, "", ""


@lru_cache(maxsize=1)
def _announcements() -> frozenset[str]:
    """Plain words that announce an answer before a colon, from the word tables of all languages."""
    found = {"a", "final answer", "short answer", "the answer"}
    for table in tables().values():
        for word in table.get("answer", ()):
            found.add(plain(word))
            found |= {plain(f"{final} {word}") for final in table.get("final", ())}
            found |= {plain(f"{word} {final}") for final in table.get("final", ())}
    return frozenset(found)
