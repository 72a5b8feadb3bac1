"""Marks questions that no model can be judged by: options that say the same, or say nothing."""

from __future__ import annotations

from collections.abc import Sequence

AMBIGUOUS = "ambiguous"
"""Tag of a Probe whose options are not distinct; its value says how, see `ambiguity`."""
ADAPTED = "adapted"
"""Tag of a Probe that asks something else than its siblings: `culture` (changed on purpose) or `flipped`."""


def ambiguity(choices: Sequence[str], gold: int) -> str | None:
    """`gold-duplicated`, `duplicate`, `empty`, or None for a clean list of options.

    Options are compared without surrounding space and without case.
    """
    plain = [choice.strip().casefold() for choice in choices]
    if len(set(plain)) == len(plain):
        return None if all(plain) else "empty"
    return "gold-duplicated" if plain.count(plain[gold]) > 1 else "duplicate"
