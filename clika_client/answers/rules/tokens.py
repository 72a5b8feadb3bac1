"""Cut a cleaned reply into tokens that know their roles and which option they name, if any."""

from __future__ import annotations

import re
from functools import cache

from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.naming import assign_labels
from clika_client.answers.rules.normalise import fold_word, lower
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.roles import assign_roles
from clika_client.answers.rules.spans import option_spans
from clika_client.answers.rules.token import Token, is_mark
from clika_client.answers.rules.words import UNSPACED, words


@cache
def _marks() -> str:
    """Regex ranges of combining marks, which `\\w` does not match but words of many scripts contain."""
    codes = [c for c in (*range(0x300, 0x1E00), *range(0x20D0, 0x2100), *range(0xA660, 0xABFF)) if is_mark(chr(c))]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" if a != b else chr(a) for a, b in ranges)


@cache
def _scanner() -> re.Pattern[str]:
    letter = f"[^\\W\\d_{_marks()}][{_marks()}]*"
    return re.compile(
        rf"(?P<word>(?:{letter})+(?:'(?:{letter})+)*)|(?P<number>\d+(?:[.,:]\d+)*)|(?P<line>\n)|(?P<sign>\S)"
    )


def tokenise(text: str, question: Question, language: str | None) -> tuple[list[Token], frozenset[str]]:
    """The tokens of a cleaned reply, and the languages that most of its words belong to."""
    tokens: list[Token] = []
    position = 0
    for start, end, index in [*option_spans(text, question), (len(text), len(text), 0)]:
        _scan(text, position, start, tokens)
        if start < len(text):
            token = Token("option", text[start:end], start, end)
            token.choice = AMBIGUOUS if lower(text[start:end]) in question.clash else index
            token.strict = True
            tokens.append(token)
        position = end
    languages = assign_roles(tokens, language)
    assign_labels(text, tokens, question, languages)
    return tokens, languages


def _scan(text: str, start: int, end: int, tokens: list[Token]) -> None:
    for match in _scanner().finditer(text, start, end):
        kind = match.lastgroup or "sign"
        value = match.group()
        if kind == "word" and UNSPACED.search(value):
            at = match.start()
            for part in re.split("(')", value):
                if part == "'":
                    tokens.append(Token("sign", part, at, at + 1))
                else:
                    _cut_run(part, at, tokens)
                at += len(part)
        elif kind == "word" and "'" in value:
            _cut_apostrophe(value, match.start(), tokens)
        else:
            tokens.append(Token(kind, value, match.start(), match.end()))


def _cut_apostrophe(value: str, start: int, tokens: list[Token]) -> None:
    """`l'option` and `B'dir` are two words each; `isn't` is one."""
    index = words()
    if fold_word(value) not in index.single:
        head, _, tail = value.partition("'")
        if fold_word(tail) in index.single:
            cut = start + len(head)
            tokens.append(Token("word", head, start, cut))
            tokens.append(Token("word", tail, cut + 1, start + len(value)))
            return
    tokens.append(Token("word", value, start, start + len(value)))


def _cut_run(value: str, start: int, tokens: list[Token]) -> None:
    """Cut a run of letters with an unspaced script in it: known words longest first, the rest by letter or script."""
    index = words().unspaced
    at = 0
    while at < len(value):
        char = value[at]
        end = at + 1
        if UNSPACED.match(char):
            for entry in index.get(char, ()):
                stop = at + len(entry)
                if value.startswith(entry, at) and not (stop < len(value) and is_mark(value[stop])):
                    end = stop
                    break
            else:
                while end < len(value) and is_mark(value[end]):
                    end += 1
        else:
            while end < len(value) and not UNSPACED.match(value[end]):
                end += 1
        tokens.append(Token("word", value[at:end], start + at, start + end))
        at = end
