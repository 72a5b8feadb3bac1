"""Shows an experiment on stderr while it runs: a line per step, and a line now and then inside long ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from clika_client.conductivity.train import TeachProgress


EVERY_S = 5.0
"""How often a long step says how far it is."""


class Watch:
    """The watcher of the command line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = self._said = time.monotonic()

    def step(self, name: str, *, done: bool) -> None:
        """Say which step begins."""
        self._started = self._said = time.monotonic()
        self._print(f"{name}: {'done before' if done else '…'}")

    def asked(self, done: int, total: int) -> None:
        """Say how many questions are answered."""
        if done == total or self._due():
            self._print(f"  {done} of {total} answered, {self._rate(done):.0f} a second")

    def taught(self, progress: TeachProgress) -> None:
        """Say loss, and the gate's accuracy where it was measured."""
        if progress.gates is not None or progress.step == progress.steps or self._due():
            left = (progress.steps - progress.step) / max(self._rate(progress.step), 1e-9)
            gates = ""
            if progress.gates:
                lowest, worst = min((value, name) for name, value in progress.gates.items())
                gates = f", gate at least {lowest:.0%} ({worst})"
            self._print(
                f"  step {progress.step} of {progress.steps}, loss {progress.loss:.3f}{gates}, about {left:.0f} s left"
            )

    def _rate(self, done: int) -> float:
        return done / max(time.monotonic() - self._started, 1e-6)

    def _due(self) -> bool:
        if time.monotonic() - self._said < EVERY_S:
            return False
        self._said = time.monotonic()
        return True

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
