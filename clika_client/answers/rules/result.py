"""What reading a reply gives: a choice, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

REASONS = ("", "empty", "refusal", "truncated", "multiple", "none", "unreadable")
"""Reason by code, as stored in arrays; code 0 stands for an answer that has a choice."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply read as a choice."""

    choice: int | None
    """Index of the option at its shown position, or None."""
    reason: str | None
    """Why there is no choice: empty, refusal, truncated, multiple, none or unreadable; None with a choice."""
    rule: str
    """Which rule of the reading decided."""
