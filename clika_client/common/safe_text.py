"""Text of models and data files made safe to print: it may hold anything, and must not drive the terminal."""

from __future__ import annotations

import re
import unicodedata

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Embeddings, overrides and isolates reorder what surrounds them (Boucher and Anderson, "Trojan Source", 2021), and the
# deprecated controls beside them change how signs are mirrored.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f")
# Marks act as one letter of their direction that nobody sees: ordinary spelling in a right-to-left text, whose letters
# do the same in sight, and in another one a way to turn figures round.
_MARKS = frozenset("\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}\N{ARABIC LETTER MARK}")
_ESCAPED = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u206f]")
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def shown(text: str, *, lines: bool = False) -> str:
    """`text` with every control code replaced; line breaks stay where `lines` is true.

    Marks of direction stay in a text that has letters written from right to left.
    """
    if text.isprintable():
        return text
    kept = _MARKS if any(map(_runs_leftwards, text)) else frozenset()
    return "".join(c if c in kept or _is_safe(c) or (lines and c == "\n") else _REPLACEMENT for c in text)


def json_shown(document: str) -> str:
    """JSON text with what would drive a terminal or reorder a line as escapes: it loads as the same values."""
    return document if document.isascii() else _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _is_safe(c: str) -> bool:
    return c not in _REORDERING and c not in _MARKS and unicodedata.category(c) not in _UNSAFE


def _runs_leftwards(c: str) -> bool:
    return c.isalpha() and unicodedata.bidirectional(c) in ("R", "AL")
