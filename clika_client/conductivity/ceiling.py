"""The ceiling of copying: how much does spelling alone give away, to who knows all facts in the language of teaching?

The matcher knows every fact in the language of teaching and is given the continents' translations. Of an asked place
it knows the spelling only: it takes the taught place that is spelled most like it, and answers with its continent. An
XRR that is not above this ceiling says nothing about knowledge.

Both parts are published: anyascii writes every script in Latin letters, and most alike is the highest ratio of Python's
difflib (Ratcliff and Obershelp's gestalt matching, Dr. Dobb's Journal, July 1988).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

import numpy as np

from clika_client.conductivity.material import ExperimentQuestion

_BITS = 64
Told = tuple[str, str]
"""A place as it is taught, and its continent as it would have to be answered."""


@lru_cache(50_000)
def romanised(name: str) -> str:
    """The letters of a name in the Latin alphabet, without case, accents and spaces."""
    from anyascii import anyascii

    return "".join(letter for letter in anyascii(name).casefold() if letter.isalnum())


class Copier:
    """Answers by spelling alone."""

    def __init__(self, told: Sequence[Told]) -> None:
        self.continents = [continent for _, continent in told]
        self.names = [romanised(place) for place, _ in told]
        self.lengths = np.array([len(name) for name in self.names])
        self.letters = {letter: n for n, letter in enumerate(sorted(set("".join(self.names))), 1)}
        self.columns = np.zeros((int(self.lengths.max(initial=0)), len(self.names)), np.int64)
        """Letter by letter the numbers of all names' letters, 0 after a name's end."""
        for row, name in enumerate(self.names):
            self.columns[: len(name), row] = [self.letters[letter] for letter in name]

    def answer(self, place: str, among: Collection[str] | None = None) -> str:
        """The continent of the taught place whose spelling is nearest; the first of several, "" without any.

        `among` restricts the answer to the continents that a question offers.
        """
        name = romanised(place)
        bounds = self.bounds(name)
        matcher = SequenceMatcher(None, autojunk=False)
        matcher.set_seq2(name)
        best, found = -1.0, len(self.names)
        for n in np.argsort(-bounds, kind="stable").tolist():
            if bounds[n] < best:
                break
            if among is not None and self.continents[n] not in among:
                continue
            matcher.set_seq1(self.names[n])
            ratio = matcher.ratio()
            if ratio > best or (ratio == best and n < found):
                best, found = ratio, n
        return self.continents[found] if found < len(self.names) else ""

    def bounds(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """What no ratio to `name` exceeds: the blocks that difflib matches are a common subsequence, in this order.

        The longest one to all names at once, one bit per letter of `name`: Hyyrö (2004), Bit-parallel LCS-length
        computation revisited, AWOCA 2004.
        """
        if len(name) > _BITS:
            return np.ones(len(self.names))
        has = np.zeros(len(self.letters) + 1, np.uint64)
        for bit, letter in enumerate(name):
            if letter in self.letters:
                has[self.letters[letter]] |= np.uint64(1 << bit)
        rest: np.ndarray[Any, np.dtype[np.uint64]] = np.full(len(self.names), np.uint64(2**_BITS - 1))
        for column in self.columns:
            same = rest & has[column]
            rest = np.asarray((rest + same) | (rest - same), np.uint64)
        common = len(name) - np.bitwise_count(rest & np.uint64((1 << len(name)) - 1)).astype(np.int64)
        return np.asarray(2.0 * common / np.maximum(self.lengths + len(name), 1), np.float64)


def with_copied(
    questions: Sequence[ExperimentQuestion], places: Sequence[str], told: Sequence[Told]
) -> list[ExperimentQuestion]:
    """The questions with what the matcher answers to them; `places` are the names that they ask for."""
    copier = Copier(told)
    done = []
    for question, place in zip(questions, places, strict=True):
        free = copier.answer(place)
        among = free if free in question.choices else copier.answer(place, question.choices)
        chosen = question.choices.index(among) if among else -1
        done.append(replace(question, copied=free, copied_choice=chosen))
    return done
