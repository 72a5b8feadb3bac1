"""Finds the name that a templated question is about, without knowing the template.

The words that many questions of a set share are its form; what is left of one question is its name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from clika_client.sets.probes import Probe

_FORM_SHARE = 0.25
"""A word in at least this share of the questions belongs to their form."""
_COMMON = 2
"""A word in more questions than this is no particular place: it is the country's name."""
_SHORTEST = 4
"""Shorter words stand inside others by chance."""


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _frequency(questions: Sequence[str]) -> Counter[str]:
    return Counter(word for question in questions for word in set(_words(question)))


def same_name(questions: Sequence[str]) -> list[str] | None:
    """A name per question; questions about one person get the same one. None where that is not in pairs.

    x_name asks for a person's birth and death; the two are not independent and are resampled together.
    """
    frequency = _frequency(questions)
    form = {word for word, count in frequency.items() if count >= _FORM_SHARE * len(questions)}
    names = [" ".join(word for word in _words(question) if word not in form) for question in questions]
    paired = all(names) and set(Counter(names).values()) == {2}
    return names if paired else None


def answer_in_question(probes: Sequence[Probe]) -> frozenset[str]:
    """Ids of the items whose right choice can be read from the name in the question (Cairo Governorate)."""
    frequency = _frequency([probe.question for probe in probes])
    found = set()
    for probe in probes:
        asked = [word for word in _words(probe.question) if frequency[word] <= _COMMON]
        answer = [word for word in _words(probe.choices[probe.gold]) if len(word) >= _SHORTEST]
        if any(a in q or (len(q) >= _SHORTEST and q in a) for q in asked for a in answer):
            found.add(probe.item_id)
    return frozenset(found)
