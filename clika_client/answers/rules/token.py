"""One word, number, sign, line break or option text of a reply, and what is known of it."""

from __future__ import annotations

import unicodedata

from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.words import UNSPACED

# Letters that are words of their own in some language: bare, they name an option only where nothing follows.
WORDY = frozenset("AIEOYUKVZSWАВИКОСУЯІЄЗЕЙΑΕΗΟ")


class Token:
    """One word, number, sign, line break or option text of a reply."""

    __slots__ = (
        "choice",
        "end",
        "hint",
        "index",
        "is_article",
        "is_label",
        "kind",
        "native",
        "role",
        "shown",
        "start",
        "strict",
        "text",
    )

    def __init__(self, kind: str, text: str, start: int, end: int) -> None:
        self.kind = kind
        """`word`, `number`, `sign`, `line` or `option` (an option's text)."""
        self.text = text
        self.start, self.end = start, end
        self.role = 0
        self.is_article = False
        self.hint = 0
        """Those of its roles that are in HINTS."""
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


def is_mark(char: str) -> bool:
    """Whether a character is a combining mark, such as a vowel sign."""
    return unicodedata.category(char) in ("Mn", "Mc")


def joined(text: str, at: int) -> bool:
    """Whether the characters on both sides of position `at` belong to one word or number."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if is_mark(after):
        return True
    if after in "-." and at + 1 < len(text) and text[at + 1].isalnum() and before.isalnum():
        return not (after == "." and before.isalpha())
    if before in "-.," and at > 1 and text[at - 2].isalnum() and after.isalnum():
        return before == "-" or (text[at - 2].isdigit() and after.isdigit())
    if not (after.isalnum() and (before.isalnum() or is_mark(before))):
        return False
    if UNSPACED.match(before) or UNSPACED.match(after):
        return "\uac00" <= before <= "\ud7a3" and "\uac00" <= after <= "\ud7a3"
    return True
