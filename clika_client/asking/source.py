"""Which question is asked next: a plan's missing ones, claimed in small blocks so that no other process asks them too.

What another process has claimed is passed over, and looked at again once everything else is asked: by then it is
answered (and costs nothing here), or its asker failed or died, and it is asked here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from clika_client.asking.plan import Plan, PlannedCell
from clika_client.asking.requests import missing_requests
from clika_providers import Request

_LEAST, _MOST = 32, 256
"""Questions to a block: enough for the lock to cost nothing, few enough for others to get their share."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0

Question = tuple[PlannedCell, bytes, Request]
"""(cell, content key, request)"""


class QuestionSource:
    """Gives out the questions of one plan to its workers, each once."""

    def __init__(self, plan: Plan, workers: int, on_shared: Callable[[PlannedCell], None]) -> None:
        self._plan = plan
        self._block = min(max(_LEAST, 4 * workers), _MOST)
        self._on_shared = on_shared
        self._ready: deque[Question] = deque()
        self._settled = bytearray(plan.missing)
        """One byte per missing question in the plan's order: 1 once it is ours or answered by another process."""
        self._walk = self._numbered()
        self._left = 0
        self._pause_s = _FIRST_PAUSE_S
        self._turn = asyncio.Lock()
        self.stopped = False

    async def next(self) -> Question | None:
        """The next question, None when there is none left or asking was stopped."""
        if not self._ready:
            async with self._turn:
                while not self.stopped and not self._ready and await self._fill():
                    pass
        return None if self.stopped or not self._ready else self._ready.popleft()

    async def close(self) -> None:
        """Leave what was claimed and not given out to other processes."""
        self.stopped = True
        keys = [key for _, key, _ in self._ready]
        self._ready.clear()
        if keys:
            await self._plan.provider.give_up(keys)

    def _numbered(self) -> Iterator[tuple[int, PlannedCell, Request]]:
        for number, (cell, request) in enumerate(missing_requests(self._plan)):
            if not self._settled[number]:
                yield number, cell, request

    async def _fill(self) -> bool:
        """Claim one more block; False when every question is settled."""
        block = list(islice(self._walk, self._block))
        if not block:
            return await self._again()
        provider = self._plan.provider
        keyed = [(number, cell, provider.key(request), request) for number, cell, request in block]
        taken = await provider.take([key for _, _, key, _ in keyed])
        for number, cell, key, request in keyed:
            if key in taken.mine:
                self._ready.append((cell, key, request))
            elif key in taken.answered:
                self._on_shared(cell)
            else:
                self._left += 1
                continue
            self._settled[number] = 1
            self._pause_s = _FIRST_PAUSE_S
        return True

    async def _again(self) -> bool:
        """Wait a little for the other processes, then begin from the start with what was left to them."""
        if not self._left:
            return False
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._left = 0
        self._walk = self._numbered()
        return True
