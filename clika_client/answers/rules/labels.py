"""Which option a label names, judged against the labels that the prompt showed.

In order: the label as shown (any case); a letter of the same shape (Cyrillic `В` when A-D were shown); a letter
or digit of another series at an unambiguous position (`②`, `ב` when A-D were shown). Anything else that has the
form of a label names no option that was shown.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources

from clika_client.answers.rules.normalise import clean, fold

NOT_SHOWN = -1
"""A label by its form, but none of those shown."""
AMBIGUOUS = -2
"""Two readings that disagree, such as an option whose text is another option's label."""

_MOST = 8_192
"""Words remembered for each set of labels."""

# Upper-case shapes only: Cyrillic lower-case в does not look like b, nor н like h.
_SHAPES = str.maketrans("АВСЕНКМОРТХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧԱ", "ABCEHKMOPTXIJSABEZHIKMNOPTYXԱ")
_LOWER_SHAPES = str.maketrans("асеорхіјѕԁο", "aceopxijsdo")


@cache
def _series() -> dict[str, frozenset[int]]:
    """Letter (folded) → its positions over all series."""
    raw = tomllib.loads(resources.files(__package__).joinpath("series.toml").read_text("utf-8"))
    positions: dict[str, set[int]] = {}
    for letters in raw.values():
        for index, letter in enumerate(letters.split()):
            if letter != "_":
                positions.setdefault(key(clean(letter)), set()).add(index)
    return {letter: frozenset(found) for letter, found in positions.items()}


def key(label: str) -> str:
    """A label without its case; accents stay (`À` is a word, not A), Arabic alefs become one."""
    low = label.casefold()
    return fold(low) if low > "\u0590" else low


def shape(label: str) -> str:
    """The label with look-alike letters of other alphabets as Latin ones: `В` and `Β` as `B`, `с` as `c`."""
    if label.isascii():
        return label
    return label.translate(_SHAPES).translate(_LOWER_SHAPES)


class LabelSet:
    """The labels of one prompt, and the answer to "which of them is this?"."""

    __slots__ = (
        "_resolved",
        "by_shape",
        "cased",
        "digits",
        "exact",
        "foreign",
        "given",
        "letters",
        "lowered",
        "names",
        "numeric_options",
        "shown",
        "upper",
    )

    def __init__(self, labels: Sequence[str], numeric_options: bool) -> None:
        self.given = tuple(labels)
        self.shown = tuple(clean(label).strip("().[]{}:, ") or label for label in labels)
        self.exact = _unique((label, i) for i, label in enumerate(self.shown))
        self.lowered = _unique((key(label), i) for i, label in enumerate(self.shown))
        self.by_shape = _unique((key(shape(label)), i) for i, label in enumerate(self.shown))
        self.names = self.lowered.keys() | self.by_shape.keys()
        self.cased = any(label.lower() != label.upper() for label in self.shown)
        self.upper = self.cased and all(label == label.upper() for label in self.shown)
        self.digits = all(label.isdecimal() for label in self.shown)
        self.letters = not self.digits
        self.foreign = not any(char.isascii() and char.isalpha() for char in "".join(self.by_shape))
        """Whether no label looks like a Latin letter, so that a Latin letter can only be meant by position."""
        self.numeric_options = numeric_options
        self._resolved: dict[str, int | None] = {}
        """Words met before: the same ones come back in reply after reply."""

    def resolve(self, token: str) -> int | None:
        """Index of the option that `token` (cleaned) names; NOT_SHOWN for another label; None for no label."""
        if token in self._resolved:
            return self._resolved[token]
        if len(self._resolved) >= _MOST:
            self._resolved.clear()
        found = self._resolved[token] = self._resolve(token)
        return found

    def _resolve(self, token: str) -> int | None:
        if token in self.exact:
            return self.exact[token]
        folded = key(token)
        if folded in self.lowered:
            return self.lowered[folded]
        if len(token) > 4:
            return None
        by_shape = self.by_shape.get(key(shape(token)))
        if by_shape is not None:
            return by_shape
        return self._by_position(token, folded)

    def shows(self, token: str) -> bool:
        """Whether the token is one of the labels shown, by letter or by shape, rather than by position."""
        return key(token) in self.lowered or key(shape(token)) in self.by_shape

    def runs(self, token: str) -> bool:
        """Whether the token is several labels written together: `AC`, `ABD`."""
        return (
            1 < len(token) <= len(self.shown)
            and token == token.upper() != token.lower()
            and len(set(token)) == len(token)
            and all(char in self.exact for char in token)
        )

    def _by_position(self, token: str, folded: str) -> int | None:
        if token.isdecimal():
            number = int(token)
            if self.numeric_options or len(token) > 2:
                return None
            return number - 1 if self.letters and 1 <= number <= len(self.shown) else NOT_SHOWN
        cased = token.lower() != token.upper()
        form = NOT_SHOWN if len(token) == 1 and (cased or self._same_alphabet(folded)) else None
        if not token.isascii() or self.foreign or len(token) > 1:
            positions = _series().get(folded, frozenset())
            inside = [p for p in positions if p < len(self.shown)]
            capital = self.by_shape.get(key(shape(token.upper())))
            if len(positions) == 1 and inside and capital in (None, inside[0]) and not self._same_alphabet(folded):
                return inside[0]
            return NOT_SHOWN if positions else form
        return form

    def _same_alphabet(self, folded: str) -> bool:
        """Whether the labels shown are of the letter's own alphabet, so that it is plainly one not shown."""
        block = ord(folded[0]) >> 7
        return any(ord(label[0]) >> 7 == block and not label.isascii() for label in self.shown if label)


@lru_cache(maxsize=1_024)
def label_set(labels: tuple[str, ...], numeric_options: bool) -> LabelSet:
    """The prepared labels, shared by all questions that show them."""
    return LabelSet(labels, numeric_options)


def _unique(pairs: object) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, index in pairs:  # type: ignore[attr-defined]
        found[key] = AMBIGUOUS if key in found else index
    return found
