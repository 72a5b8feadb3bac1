"""How an option's text may be written by somebody who means it: `Guinea Bissau`, `DR Congo`, `12,000`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clika_client.answers.rules.normalise import plain_letters

_INNER = frozenset(("the", "of", "and", "de", "la", "del", "des", "du", "da", "do", "dos", "and", "di", "der"))
"""Small words inside a name that its abbreviation leaves out."""
_KINDS = ("ประเทศ", "เมือง", "จังหวัด", "แม่น้ำ")
"""Words for kinds of places that Thai writes together with the name."""
_NUMBER = re.compile(r"\d{1,3}(?:[,.' ]\d{3})+|\d{4,}")


@dataclass(frozen=True, slots=True)
class Spelled:
    """The spellings of one question's options."""

    plain: tuple[str, ...]
    """Each option's lower-case text in plain letters."""
    spans: tuple[tuple[str, int], ...]
    """(lower-case spelling, index) longest first."""
    short_forms: tuple[tuple[str, int], ...]
    """(abbreviation as written, index)."""
    numbers: Mapping[str, int]
    """Digits of a whole number → index, for numbers written with separators."""
    symbols: frozenset[str]
    """The options as written where all are symbols of one or two letters, as of elements."""


def spelled(choices: Sequence[str], cores: Sequence[str], by_core: Mapping[str, int]) -> Spelled:
    """The spellings of cleaned options; `cores` are their lower-case texts, `by_core` the same by text."""
    texts = {text: index for text, index in by_core.items() if len(text) > 1 or text.isdecimal()}
    symbols = all(0 < len(choice) < 3 and choice.isalpha() for choice in choices)
    return Spelled(
        tuple(map(plain_letters, cores)),
        tuple(sorted(_spellings(texts).items(), key=lambda entry: -len(entry[0]))),
        tuple(_short_forms(choices).items()),
        _unique((re.sub(r"\D", "", text), i) for text, i in texts.items() if _NUMBER.fullmatch(text)),
        frozenset(choices) if symbols else frozenset(),
    )


def _spellings(texts: Mapping[str, int]) -> dict[str, int]:
    """Every spelling → index, for lower-case option texts; a spelling that two options share stands for neither."""
    found: dict[str, int] = {}
    taken: dict[str, set[int]] = {}
    for text, index in texts.items():
        for spelling in (text, *_variants(text)):
            taken.setdefault(spelling, set()).add(index)
            found.setdefault(spelling, index)
    own = set(texts)
    return {spelling: index for spelling, index in found.items() if spelling in own or len(taken[spelling]) == 1}


_WRITTEN_ALSO = (
    ("-", " ", None),  # `Guinea Bissau` for Guinea-Bissau
    (" of the ", " of ", None),  # `Democratic Republic of Congo`
    (" of ", " of the ", " of the "),  # `Republic of the Congo` for Republic of Congo
    (" & ", " and ", None),  # `Trinidad and Tobago` for Trinidad & Tobago
    (" and ", " & ", None),
)
"""What stands in a name, what is written for it, and what the name may not hold already."""
_BEGUN_ALSO = (
    *((kind, (f"{kind} ",)) for kind in _KINDS),  # `ประเทศ **ไทย**` without its marks
    ("the ", ("",)),  # `Bahamas` for The Bahamas
    ("st. ", ("saint ", "st ")),  # `Saint Lucia` for St. Lucia
    ("saint ", ("st. ", "st ")),
)
"""How a name begins, and what is written for it."""


def _variants(text: str) -> set[str]:
    found = {plain_letters(text)}
    for form in (text, plain_letters(text)):
        found |= {form.replace(old, new) for old, new, unless in _WRITTEN_ALSO
                  if old in form and (unless is None or unless not in form)}  # fmt: skip
        found |= {new + form[len(old) :] for old, written in _BEGUN_ALSO
                  if form.startswith(old) and len(form) > len(old) + 1 for new in written}  # fmt: skip
        if form.count(" ") == 1 and form.isascii():
            found.add(form.replace(" ", "-"))  # `Cote-Divoire`
    return {spelling for spelling in found if len(spelling) > 1}


def _short_forms(texts: Sequence[str]) -> dict[str, int]:
    """Abbreviation in capitals → index: `UAE`, `DRC`, `DR Congo` for names of three words or more."""
    found = []
    for index, text in enumerate(texts):
        named = [word for word in re.split(r"[\s-]+", text) if word.lower() not in _INNER]
        if len(named) < 3 or not all(word[:1].isupper() and word.isalpha() for word in named):
            continue
        letters = "".join(word[0] for word in named)
        forms = {
            letters,
            f"{letters[:-1]} {named[-1]}",
            ".".join(letters) + ".",
            f"{'.'.join(letters[:-1])}. {named[-1]}",
        }
        found += [(form, index) for form in forms]
    return _unique(found)


def _unique(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The pairs as a mapping, without the keys that stand for different indices."""
    found: dict[str, int] = {}
    dropped = set()
    for key, index in pairs:
        if found.setdefault(key, index) != index:
            dropped.add(key)
    return {key: index for key, index in found.items() if key not in dropped}
