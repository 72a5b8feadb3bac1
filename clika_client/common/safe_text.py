"""Text of models and data files made safe to print: it may hold anything, and must not drive the terminal."""

from __future__ import annotations

import re
import unicodedata

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Embeddings, overrides and isolates reorder what surrounds them; marks and joiners are ordinary spelling.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def shown(text: str, *, lines: bool = False) -> str:
    """`text` with every control code replaced; line breaks stay where `lines` is true."""
    if text.isprintable():
        return text
    return "".join(c if _is_safe(c) or (lines and c == "\n") else _REPLACEMENT for c in text)


def json_shown(document: str) -> str:
    """JSON text with what would drive a terminal or reorder a line as escapes: it loads as the same values."""
    return document if document.isascii() else _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _is_safe(c: str) -> bool:
    return c not in _REORDERING and unicodedata.category(c) not in _UNSAFE
