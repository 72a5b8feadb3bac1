"""Whether a letter or number is part of something longer: `B12`, `B-vitamin`, `U.S.A`, `C'est`, `A型`, `R&B`, `C++`.

A table of conditions, each with the reply that needs it; the first that has an opinion decides.
"""

from __future__ import annotations

from collections.abc import Callable

from clika_client.answers.rules.labels import LabelSet
from clika_client.answers.rules.normalise import fold_word
from clika_client.answers.rules.token import Token
from clika_client.answers.rules.words import UNSPACED, words

PART = True


class Around:
    """A token and what is written together with it, without a space."""

    __slots__ = ("after", "ahead", "before", "beyond", "labels", "next", "previous", "text", "token")

    def __init__(self, text: str, tokens: list[Token], at: int, labels: LabelSet) -> None:
        self.text, self.token, self.labels = text, tokens[at], labels
        self.before = tokens[at - 1] if at and tokens[at - 1].end == self.token.start else None
        self.previous = tokens[at - 1] if at else None
        self.next = tokens[at + 1] if at + 1 < len(tokens) else None
        self.after = self.next if self.next is not None and self.next.start == self.token.end else None
        self.beyond: Token | None = None
        """The word or number behind the sign that follows."""
        if _sign(self.after) and at + 2 < len(tokens) and tokens[at + 2].start == self.after.end:  # type: ignore[union-attr]
            self.beyond = tokens[at + 2] if _wordlike(tokens[at + 2]) else None
        self.ahead: Token | None = None
        """The word or number before the sign that stands before."""
        if _sign(self.before) and at > 1 and tokens[at - 2].end == self.before.start:  # type: ignore[union-attr]
            self.ahead = tokens[at - 2] if _wordlike(tokens[at - 2]) else None

    @property
    def quoted(self) -> bool:
        """Whether an apostrophe opens a quotation here: `'B'`."""
        return self.before is not None and self.before.text == "'"

    def after_is(self, signs: str) -> bool:
        """Whether one of these signs follows."""
        return _sign(self.after) and self.after.text in signs  # type: ignore[union-attr]

    def before_is(self, signs: str) -> bool:
        """Whether one of these signs stands before."""
        return _sign(self.before) and self.before.text in signs  # type: ignore[union-attr]


def _sign(token: Token | None) -> bool:
    return token is not None and token.kind == "sign"


def _wordlike(token: Token) -> bool:
    return token.kind in ("word", "number")


def _elided(a: Around) -> bool | None:
    """`C'est`, `D'après` are words; `B'dir` and `A'nın` are labels with a Turkic ending."""
    end = a.token.end
    if a.quoted or a.text[end : end + 1] != "'" or not a.text[end + 1 : end + 2].isalpha():
        return None
    return not (a.next is not None and _turkic_ending(a.next.text))


def _ending(a: Around) -> bool | None:
    """The `d` of `don'd`, the `s` of `it's`."""
    start = a.token.start
    return PART if start > 1 and a.text[start - 1] == "'" and a.text[start - 2].isalpha() else None


def _written_together(a: Around) -> bool | None:
    """`B12`, `vitaminB`, `A型`; but `选B`, `Bです`, where an unspaced script writes a known word beside a label."""
    for side in (a.before, a.after):
        if side is None or not _wordlike(side):
            continue
        unspaced = bool(UNSPACED.match(side.text[:1]) or UNSPACED.match(a.token.text[:1]))
        if not (unspaced and side.role) or (len(side.text) == 1 and a.labels.shows(side.text)):
            return PART
    return None


def _sign_after(a: Around) -> bool | None:
    """`C++`, `A#`, `B°`, `a^2`, `A_1`, `b@example`."""
    return PART if a.after_is("+#°^_@") else None


def _sum(a: Around) -> bool | None:
    """`2 + 3 = ?`, `1 + 2 are correct`: a number in a sum is no label, whatever the spaces, on either side."""
    beside = [token.text for token in (a.previous, a.next) if token is not None and _sign(token)]
    summed = a.token.kind == "number" and any(sign in "+*×÷" for sign in beside)
    return PART if summed else None


def _hyphen_after(a: Around) -> bool | None:
    """`B-vitamin`, but `B-because`, and `B-C`, which are two labels."""
    if a.beyond is None or not a.after_is("-"):
        return None
    return not a.beyond.role and not _two_labels(a.token, a.beyond, a.labels)


def _point_after(a: Around) -> bool | None:
    """`U.S`, `A.M`, but `B.Paris`, `B.Я`."""
    if a.beyond is None or not a.after_is(".") or a.beyond.kind != "word":
        return None
    return len(a.beyond.text) < 3 and a.beyond.text.isascii() == a.token.text.isascii()


def _ampersand_after(a: Around) -> bool | None:
    """`B&B`, `A&E's`, but `A&C`, which are two labels; `a'b`."""
    if a.beyond is None or a.quoted or not a.after_is("&'"):
        return None
    return len(a.beyond.text) > 1 or a.beyond.text == a.token.text or a.after_is("'")


def _sign_before(a: Around) -> bool | None:
    """`°C`, `@b`, `x_a`, `10^a`, `#B`; but `#2`."""
    if a.before_is("°@_^"):
        return PART
    return PART if a.before_is("#") and a.token.kind == "word" else None


def _hyphen_before(a: Around) -> bool | None:
    """`vitamin-B`, but `ist-B` and `B-C`."""
    if a.ahead is None or not a.before_is("-"):
        return None
    return not a.ahead.role and not _two_labels(a.token, a.ahead, a.labels)


def _point_before(a: Around) -> bool | None:
    """`U.S.A`, `J.R.B`; and `end.B` where "end" is no known word."""
    if a.ahead is None or not a.before_is("."):
        return None
    return len(a.ahead.text) < 3 or not a.ahead.role


def _joined_before(a: Around) -> bool | None:
    """`R&B`, `rock'n`; but `A&C`, two labels."""
    if a.ahead is None or not a.before_is("&'"):
        return None
    return a.ahead.choice is None if a.before_is("&") else not a.ahead.role


CONDITIONS: tuple[Callable[[Around], bool | None], ...] = (
    _elided,
    _ending,
    _written_together,
    _sign_after,
    _sum,
    _hyphen_after,
    _point_after,
    _ampersand_after,
    _sign_before,
    _hyphen_before,
    _point_before,
    _joined_before,
)


def embedded(text: str, tokens: list[Token], at: int, labels: LabelSet) -> bool:
    """Whether the token at `at` is part of something longer, and so no label by itself."""
    around = Around(text, tokens, at, labels)
    for condition in CONDITIONS:
        part = condition(around)
        if part is not None:
            return part
    return False


def _turkic_ending(word: str) -> bool:
    """Whether what follows an apostrophe is a Turkic ending (`B'dir`), not a word elided before (`C'est`)."""
    languages = {tag for tag, _ in words().single.get(fold_word(word), ())}
    return bool(languages & {"tr", "az"}) and not languages & {"fr", "it", "ca", "en"}


def _two_labels(token: Token, other: Token, labels: LabelSet) -> bool:
    """Whether two letters joined by a dash are two labels, as in `B-C`, so that neither is read alone."""
    return token.kind == other.kind == "word" and labels.shows(token.text) and labels.shows(other.text)
