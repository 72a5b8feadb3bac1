"""A pace: how soon the next unit may start when so many units a second are allowed."""

from __future__ import annotations

_CATCH_UP_S = 0.05
"""Longer than a busy loop is late by, so that the pace is kept; too short for a burst that a server would notice."""


class Pacer:
    """Spreads starts evenly at `rate` units per second; None means no limit.

    A late start may be caught up for a moment, no more: there is no burst to spend after a quiet time, because the
    server's own idea of the last minute is not known.
    """

    __slots__ = ("_due", "rate")

    def __init__(self, rate: float | None = None) -> None:
        self.rate = rate
        self._due = 0.0

    def ready_at(self) -> float:
        """The clock time from which the next start is allowed."""
        return self._due if self.rate is not None else 0.0

    def take(self, now: float, units: float = 1.0) -> None:
        """Account for `units` starting now; more may be taken back or added later by `adjust`."""
        if self.rate is not None:
            self._due = max(self._due, now - _CATCH_UP_S) + units / self.rate

    def adjust(self, units: float) -> None:
        """Correct an earlier estimate by the difference to what it really was."""
        if self.rate is not None:
            self._due += units / self.rate
