"""Shows an experiment on stderr while it runs: a line per step, and a line now and then inside long ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from clika_client.conductivity.trainer import TeachProgress


EVERY_S = 5.0
"""How often a long step says how far it is."""


class Watch:
    """The watcher of the command line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begin()

    def _begin(self) -> None:
        self._started = self._said = time.monotonic()
        self._first: int | None = None
        """What was done when this session first heard of it: the rate is that of what came after."""

    def step(self, name: str, *, done: bool) -> None:
        """Say which step begins."""
        self._begin()
        self._print(f"{name}: {'done before' if done else '…'}")

    def asked(self, done: int, total: int) -> None:
        """Say how many questions are answered."""
        rate = self._rate(done)
        if done == total or self._due():
            self._print(f"  {done} of {total} answered" + (f", {rate:.0f} a second" if rate else ""))

    def taught(self, progress: TeachProgress) -> None:
        """Say loss, and the gate's accuracy where it was measured."""
        rate = self._rate(progress.step)
        if progress.gates is not None or progress.step == progress.steps or self._due():
            left = f", about {(progress.steps - progress.step) / rate:.0f} s left" if rate else ""
            gates = ""
            if progress.gates:
                lowest, worst = min((value, name) for name, value in progress.gates.items())
                gates = f", gate at least {lowest:.0%} ({worst})"
            self._print(f"  step {progress.step} of {progress.steps}, loss {progress.loss:.3f}{gates}{left}")

    def _rate(self, done: int) -> float:
        """So many a second since the first that this session did; 0 while that cannot be said."""
        if self._first is None:
            # The clock starts with the first one: loading the model, and what an earlier session did, are not its pace.
            self._first, self._started = done, time.monotonic()
        return (done - self._first) / max(time.monotonic() - self._started, 1e-6)

    def _due(self) -> bool:
        if time.monotonic() - self._said < EVERY_S:
            return False
        self._said = time.monotonic()
        return True

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
