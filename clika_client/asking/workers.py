"""Asking: bounded workers send a plan's missing requests; every reply is stored as it arrives."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from clika_client.asking.plan import Plan, PlannedCell, missing_requests
from clika_client.common.running import together
from clika_providers import Completion, ProviderError, Request, RunError


@dataclass(frozen=True, slots=True)
class Event:
    """One request came to its end; what the progress display is fed with."""

    cell: PlannedCell
    completion: Completion | None
    error: ProviderError | None


@dataclass(slots=True)
class Outcome:
    """How asking one model ended."""

    spec: str
    to_ask: int = 0
    """Requests that had no stored answer when asking began."""
    asked: int = 0
    answered: int = 0
    failed: int = 0
    filtered: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    """Failure message → count."""
    served: Counter[str] = field(default_factory=Counter)
    """What the server called the model → replies."""
    stop: Exception | None = None
    """What ended asking before the plan was through: a RunError, BudgetReached, or None."""

    @property
    def replies(self) -> int:
        """Replies that arrived, and were paid for, whether or not they answer."""
        return self.answered + self.filtered

    @property
    def lost(self) -> int:
        """Requests that ended without a stored answer."""
        return self.failed + self.filtered


class BudgetReached(Exception):
    """The next request could have cost more than is left of `--max-cost`."""


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


PriceAt = Callable[[float, float], float]
"""(input tokens, output tokens) → US dollars."""


async def ask(
    plan: Plan, on_event: Callable[[Event], None], budget: Budget | None = None, price_at: PriceAt | None = None
) -> Outcome:
    """Send what is missing; returns when all is answered or nothing more can be.

    Replies reach the file through the cached provider, so cancelling this coroutine, or killing the
    process, loses only requests in flight.
    """
    outcome = Outcome(plan.provider.spec, plan.missing)
    workers = max(1, min(plan.provider.concurrency, plan.missing))
    source = missing_requests(plan)
    await together(*(_work(plan, source, outcome, on_event, budget, price_at) for _ in range(workers)))
    return outcome


async def _work(
    plan: Plan,
    source: Iterator[tuple[PlannedCell, Request]],
    outcome: Outcome,
    on_event: Callable[[Event], None],
    budget: Budget | None,
    price_at: PriceAt | None,
) -> None:
    for cell, request in source:
        if outcome.stop is not None:
            return
        most_out = plan.provider.most_output(request)
        worst = 0.0 if budget is None or price_at is None else price_at(most_tokens(request), most_out)
        if budget is not None and not await budget.reserve(worst):
            outcome.stop = outcome.stop or BudgetReached()
            return
        if outcome.stop is not None:  # while this one waited for its money
            if budget is not None:
                budget.settle(worst, 0.0)
            return
        outcome.asked += 1
        completion: Completion | None = None
        error: ProviderError | None = None
        try:
            completion = await plan.provider.complete(request)
        except ProviderError as caught:
            error = caught
            if isinstance(caught, RunError):
                outcome.stop = outcome.stop or caught
        cost = 0.0 if completion is None else plan.provider.cost(completion)
        if budget is not None:
            # A reply whose tokens the server did not count may have cost all that was set aside.
            budget.settle(worst, worst if cost is None else cost)
        _count(outcome, completion, error, cost or 0.0)
        on_event(Event(cell, completion, error))


def _count(outcome: Outcome, completion: Completion | None, error: ProviderError | None, cost: float) -> None:
    outcome.cost += cost
    if completion is None:
        outcome.failed += 1
        outcome.reasons[str(error)] += 1
        return
    if completion.model_served:
        outcome.served[completion.model_served] += 1
    outcome.input_tokens += completion.usage.input_tokens or 0
    outcome.output_tokens += completion.usage.output_tokens or 0
    if completion.is_answer:
        outcome.answered += 1
    else:
        outcome.filtered += 1
        outcome.reasons[_not_an_answer(completion)] += 1


def _not_an_answer(completion: Completion) -> str:
    if completion.finish_reason == "content_filter":
        return "the reply was stopped by a filter"
    return "the reply was cut before an answer began: give more room with --max-tokens"


def most_tokens(request: Request) -> int:
    """More input tokens than a request has: no tokenizer needs more than one a byte, beside some for the roles."""
    return sum(len(m.content.encode("utf-8", "replace")) + 16 for m in request.messages) + 16
