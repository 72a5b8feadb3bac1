"""An event loop whose clock jumps to the next timer instead of waiting for it: hours of behaviour in milliseconds.

`asyncio.sleep`, `asyncio.timeout` and `call_later` follow it, and whatever takes a clock is given `loop.time`. The same
steps then give the same figures on every machine, however busy it is.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Never waits: the time it was asked to wait is added to the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing is scheduled and nothing is ready: what is awaited will never happen")
        self.now += max(timeout, 0.0)
        return list(super().select(0))


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time begins at 0 and passes only where something waits for it."""

    def __init__(self) -> None:
        self._clock = _Jumping()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def in_virtual_time(work: Callable[[Callable[[], float]], Coroutine[Any, Any, T]]) -> T:
    """Run `work(clock)` to its end; `clock()` is the seconds passed since the beginning."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        return runner.run(work(loop.time))
