"""Whoever watches an experiment run: what it is told of each step, and one that tells nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from clika_client.conductivity.trainer import TeachProgress


class Watcher(Protocol):
    """Who is told how the experiment is going."""

    def step(self, name: str, *, done: bool) -> None:
        """A step begins, or `done`: its result is there already."""
        ...

    def asked(self, done: int, total: int) -> None:
        """Questions answered so far in this step."""
        ...

    def taught(self, progress: TeachProgress) -> None:
        """One step of training."""
        ...


class SilentWatcher:
    """Watches without a word."""

    def step(self, name: str, *, done: bool) -> None:
        """Say nothing."""

    def asked(self, done: int, total: int) -> None:
        """Say nothing."""

    def taught(self, progress: TeachProgress) -> None:
        """Say nothing."""
