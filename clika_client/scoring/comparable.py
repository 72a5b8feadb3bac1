"""Which rows of a table can be compared: what most of them were asked in common, and who was asked something else."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clika_client.common.answer_codes import Bools
from clika_client.scoring.answer_grid import AnswerGrid


@dataclass(frozen=True, slots=True)
class ComparableLanguages:
    """The languages that means go over, and per row why it is not ranked ("" where it is)."""

    languages: tuple[str, ...]
    """Other than the anchor, in the order of the set."""
    unranked: tuple[str, ...]


def compare_rows(rows: Sequence[AnswerGrid], anchor: str) -> ComparableLanguages:
    """Find what most rows have in common.

    The languages are those of most rows (of several such choices, the most languages); a row that lacks one of them has
    no mean that could stand beside theirs. The items likewise, in these languages.
    """
    if not rows:
        return ComparableLanguages((), ())
    spoken = [tuple(tag for tag in row.languages if tag != anchor) for row in rows]
    counts = Counter(map(frozenset, spoken))
    languages = max(spoken, key=lambda tags: (counts[frozenset(tags)], len(tags)))
    lacking = [[tag for tag in languages if tag not in row.languages] for row in rows]
    items = [_items(row, languages or (anchor,)) for row in rows]
    whole = Counter(each for each, lacks in zip(items, lacking, strict=True) if not lacks)
    asked = max(whole, key=lambda each: (whole[each], each[0]), default=None)
    reasons = []
    for mine, lacks in zip(items, lacking, strict=True):
        if lacks:
            have = len(languages) - len(lacks)
            other = asked is not None and mine[1] and not set(mine[1]) <= set(asked[1])
            also = f", and other items, {mine[0]} of them" if other else ""
            reasons.append(f"asked in {have} of the {len(languages)} other languages that are compared{also}")
        elif mine != asked:
            reasons.append(f"asked other items, {mine[0]} of them")
        else:
            reasons.append("")
    return ComparableLanguages(languages, tuple(reasons))


def _items(row: AnswerGrid, languages: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """(most items asked in a language, which items in each): equal for rows that were asked the same."""
    numbers = [i for i, tag in enumerate(row.languages) if tag in languages]
    named = sorted(f"{row.languages[i]} {items_digest(row.asked[i])}" for i in numbers)
    return max((int(row.asked[i].sum()) for i in numbers), default=0), tuple(named)


def items_digest(asked: Bools) -> str:
    """A short name for which items were asked; equal for equal items."""
    return hashlib.blake2b(asked.tobytes(), digest_size=4).hexdigest()
