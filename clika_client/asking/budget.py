"""What asking may cost: reserved before a question is sent, settled when its reply tells the price."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


class BudgetReached(Exception):
    """The next request could have cost more than is left of `--max-cost`."""

    def __init__(self, needed: float, left: float) -> None:
        super().__init__(f"one request may cost up to ${needed:.6f}, and ${max(left, 0.0):.6f} is left")
        self.needed = needed


@dataclass(slots=True)
class Budget:
    """A ceiling in US dollars that all models of a run share.

    Invariant: spent plus reserved never passes the ceiling, however many requests are in flight.
    """

    ceiling: float
    spent: float = 0.0
    reserved: float = 0.0
    _open: int = 0
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    async def reserve(self, amount: float) -> bool:
        """Set aside what a request can cost at most; False when it could pass the ceiling whatever happens.

        Requests in flight mostly cost less than was set aside for them: until they end, it waits.
        """
        while self.spent + self.reserved + amount > self.ceiling:
            if not self._open or self.spent + amount > self.ceiling:
                return False
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.reserved += amount
        self._open += 1
        return True

    def settle(self, amount: float, cost: float) -> None:
        """Replace a reservation by what the request did cost."""
        self._open -= 1
        self.reserved = self.reserved - amount if self._open else 0.0
        self.spent += cost
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
