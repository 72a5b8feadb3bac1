"""Cut a cleaned reply into tokens that know their roles and which option they name, if any."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache

from clika_client.answers.rules.labels import AMBIGUOUS, NOT_SHOWN, LabelSet, key
from clika_client.answers.rules.normalise import fold_word, lower
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.words import UNSPACED, Role, words

# Letters that are words of their own in some language: bare, they name an option only where nothing follows.
WORDY = frozenset("AIEOYUKVZSWАВИКОСУЯІЄЗЕЙΑΕΗΟ")


class Token:
    """One word, number, sign, line break or option text of a reply."""

    __slots__ = ("choice", "end", "index", "is_label", "kind", "native", "role", "shown", "start", "strict", "text")

    def __init__(self, kind: str, text: str, start: int, end: int) -> None:
        self.kind = kind
        """`word`, `number`, `sign`, `line` or `option` (an option's text)."""
        self.text = text
        self.start, self.end = start, end
        self.role = 0
        self.native = False
        """Whether the role comes from the reply's own language."""
        self.choice: int | None = None
        """Index of the option named, NOT_SHOWN, AMBIGUOUS, or None."""
        self.index = AMBIGUOUS
        """The label's own index, also where `choice` is AMBIGUOUS because an option's text reads the same."""
        self.is_label = False
        self.shown = False
        """Whether the label is one of those shown, by letter or shape, not one meant by position."""
        self.strict = False
        """Whether it would pass for a label even in running text: right case, or in brackets."""

    def __repr__(self) -> str:
        return f"<{self.kind} {self.text!r} {self.role!r} {self.choice}>"


@cache
def _marks() -> str:
    """Regex ranges of combining marks, which `\\w` does not match but words of many scripts contain."""
    codes = [c for c in (*range(0x300, 0x1E00), *range(0x20D0, 0x2100), *range(0xA660, 0xABFF)) if _is_mark(chr(c))]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" if a != b else chr(a) for a, b in ranges)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Mc")


@cache
def _scanner() -> re.Pattern[str]:
    letter = f"[^\\W\\d_{_marks()}][{_marks()}]*"
    return re.compile(
        rf"(?P<word>(?:{letter})+(?:'(?:{letter})+)*)|(?P<number>\d+(?:[.,:]\d+)*)|(?P<line>\n)|(?P<sign>\S)"
    )


def joined(text: str, at: int) -> bool:
    """Whether the characters on both sides of position `at` belong to one word or number."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if _is_mark(after):
        return True
    if after in "-." and at + 1 < len(text) and text[at + 1].isalnum() and before.isalnum():
        return not (after == "." and before.isalpha())
    if before in "-.," and at > 1 and text[at - 2].isalnum() and after.isalnum():
        return before == "-" or (text[at - 2].isdigit() and after.isdigit())
    if not (after.isalnum() and (before.isalnum() or _is_mark(before))):
        return False
    if UNSPACED.match(before) or UNSPACED.match(after):
        return "\uac00" <= before <= "\ud7a3" and "\uac00" <= after <= "\ud7a3"
    return True


def _option_spans(low: str, question: Question) -> list[tuple[int, int, int]]:
    """Places where an option's text stands, longest text first, without overlaps: (start, end, index)."""
    found: list[tuple[int, int, int]] = []
    for text, index in question.spans:
        at = low.find(text)
        count = 0
        while at >= 0 and count < 40:
            end = at + len(text)
            if not joined(low, at) and not _runs_on(low, end) and not any(s < end and at < e for s, e, _ in found):
                found.append((at, end, index))
                count += 1
            at = low.find(text, at + 1)
            if len(found) > 200:
                break
    found.sort()
    return found


def _runs_on(low: str, end: int) -> bool:
    if end < len(low) and "\uac00" <= low[end] <= "\ud7a3" and "\uac00" <= low[end - 1] <= "\ud7a3":
        return False  # a Korean particle may follow
    return joined(low, end)


def tokenise(text: str, question: Question, language: str | None) -> list[Token]:
    """The tokens of a cleaned reply, with roles of the reply's own language where a word has several."""
    spans = _option_spans(lower(text), question)
    tokens: list[Token] = []
    position = 0
    for start, end, index in [*spans, (len(text), len(text), 0)]:
        _scan(text, position, start, tokens)
        if start < len(text):
            token = Token("option", text[start:end], start, end)
            token.choice = AMBIGUOUS if text[start:end].lower() in question.clash else index
            token.strict = True
            tokens.append(token)
        position = end
    _assign_roles(tokens, language)
    _assign_labels(text, tokens, question)
    return tokens


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
                if value.startswith(entry, at) and not (stop < len(value) and _is_mark(value[stop])):
                    end = stop
                    break
            else:
                while end < len(value) and _is_mark(value[end]):
                    end += 1
        else:
            while end < len(value) and not UNSPACED.match(value[end]):
                end += 1
        tokens.append(Token("word", value[at:end], start + at, start + end))
        at = end


def _assign_roles(tokens: list[Token], language: str | None) -> None:
    index = words()
    votes: Counter[str] = Counter({language: 3} if language else {})
    found: list[tuple[Token, tuple[tuple[str, int], ...]]] = []
    for token in tokens:
        if token.kind == "word":
            entries = index.single.get(fold_word(token.text))
            if entries:
                found.append((token, entries))
                weight = min(len(token.text), 8) if len(token.text) > 1 or UNSPACED.match(token.text) else 0
                for tag, _ in entries:
                    votes[tag] += weight  # long words tell languages apart, single letters do not
    if votes:
        most = max(votes.values())
        chosen = {tag for tag, count in votes.items() if count == most}
        for token, entries in found:
            own = [role for tag, role in entries if tag in chosen]
            token.native = bool(own)
            for role in own or [role for _, role in entries]:
                token.role |= role
    _assign_phrases(tokens)


def _assign_phrases(tokens: list[Token]) -> None:
    """Multi-word entries override their words: `go with`, `instead of`, `rule out`."""
    phrases = words().phrases
    at = 0
    while at < len(tokens):
        token = tokens[at]
        step = 1
        if token.kind == "word":
            for parts, role in phrases.get(fold_word(token.text), ()):
                following = tokens[at : at + len(parts)]
                if all(t.kind == "word" for t in following) and [fold_word(t.text) for t in following] == [*parts]:
                    for n in range(len(parts)):
                        tokens[at + n].role = role
                    step = len(parts)
                    break
        at += step


def _assign_labels(text: str, tokens: list[Token], question: Question) -> None:
    labels = question.labels
    for at, token in enumerate(tokens):
        if token.kind == "option" and token.text.isdecimal() and at and tokens[at - 1].role & Role.OPTION:
            # "option 4": the fourth, or the option that says 4?
            ordinal = int(token.text) - 1 if len(token.text) < 3 and not labels.digits else token.choice
            if ordinal != token.choice and ordinal in range(len(labels.shown)):
                token.choice = AMBIGUOUS
        if token.kind not in ("word", "number"):
            continue
        choice = labels.resolve(token.text) if len(token.text) <= 8 else None
        if choice is None and labels.runs(token.text):
            token.choice, token.is_label, token.strict = AMBIGUOUS, True, True
        if choice is None or _embedded(text, tokens, at, labels):
            continue
        own = question.by_core.get(token.text.lower())
        if choice == NOT_SHOWN and own is not None and not token.native:
            token.kind, token.choice, token.strict = "option", own, True
            continue
        bracketed = _bracketed(tokens, at)
        if labels.cased and token.kind == "word" and token.text.isalpha():
            right_case = not labels.upper or token.text == token.text.upper()
        else:
            right_case = token.kind == "word"
        token.shown = labels.shows(token.text)
        if not bracketed and not token.shown:
            numbered = token.kind == "number" and at and tokens[at - 1].role & Role.OPTION
            right_case = right_case or bool(numbered)
            as_number = token.kind == "number" and choice >= 0
            if token.native or (UNSPACED.match(token.text) and token.role) or not (right_case or as_number):
                continue
        token.index = choice
        if key(token.text) in question.clash:
            choice = AMBIGUOUS
        token.choice, token.is_label = choice, True
        token.strict = bracketed or right_case


def _bracketed(tokens: list[Token], at: int) -> bool:
    after = tokens[at + 1].text if at + 1 < len(tokens) and tokens[at + 1].start == tokens[at].end else ""
    before = tokens[at - 1].text if at and tokens[at - 1].end == tokens[at].start else ""
    return after in (")", "]", "}") or (bool(before) and before in "\"'" and after == before)


def _suffix(word: str) -> bool:
    """Whether what follows an apostrophe is a Turkic ending (`B'dir`), not a word elided before (`C'est`)."""
    languages = {tag for tag, _ in words().single.get(fold_word(word), ())}
    return bool(languages & {"tr", "az"}) and not languages & {"fr", "it", "ca", "en"}


def _other_label(token: Token, other: Token, labels: LabelSet) -> bool:
    """Whether two letters joined by a dash are two labels, as in `B-C`, so that neither is read alone."""
    return token.kind == other.kind == "word" and labels.shows(token.text) and labels.shows(other.text)


def _embedded(text: str, tokens: list[Token], at: int, labels: LabelSet) -> bool:
    """Whether the token is part of something longer: `B12`, `B-vitamin`, `U.S.A`, `C'est`, `A型`, `R&B`, `C++`."""
    token = tokens[at]
    before = tokens[at - 1] if at and tokens[at - 1].end == token.start else None
    after = tokens[at + 1] if at + 1 < len(tokens) and tokens[at + 1].start == token.end else None
    quoted = before is not None and before.text == "'"
    if not quoted and text[token.end : token.end + 1] == "'" and text[token.end + 1 : token.end + 2].isalpha():
        return not (at + 1 < len(tokens) and _suffix(tokens[at + 1].text))
    if token.start > 1 and text[token.start - 1] == "'" and text[token.start - 2].isalpha():
        return True
    for side in (before, after):
        if side is not None and side.kind in ("word", "number"):
            unspaced = bool(UNSPACED.match(side.text[:1]) or UNSPACED.match(token.text[:1]))
            if not (unspaced and side.role) or (len(side.text) == 1 and labels.shows(side.text)):
                return True
    if after is not None and after.kind == "sign":
        if after.text in "+#°^_@":
            return True
        beyond = tokens[at + 2] if at + 2 < len(tokens) and tokens[at + 2].start == after.end else None
        if beyond is not None and beyond.kind in ("word", "number"):
            if after.text == "-":
                return not beyond.role and not _other_label(token, beyond, labels)
            if after.text == "." and beyond.kind == "word":
                return len(beyond.text) < 3 and beyond.text.isascii() == token.text.isascii()
            if after.text in "&'" and not quoted:
                return len(beyond.text) > 1 or beyond.text == token.text or (not token.strict and after.text == "'")
    if before is not None and before.kind == "sign":
        if before.text in "°@_^" or (before.text == "#" and token.kind == "word"):
            return True
        ahead = tokens[at - 2] if at > 1 and tokens[at - 2].end == before.start else None
        if ahead is not None and ahead.kind in ("word", "number") and before.text in "-.&'":
            if before.text == "-":
                return not ahead.role and not _other_label(token, ahead, labels)
            if before.text == "." and len(ahead.text) < 3:
                return True
            return (before.text != "&" and not ahead.role) or (before.text == "&" and ahead.choice is None)
    return False
