"""Asking: bounded workers send a plan's missing requests; every reply is stored as it arrives."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from clika_cache import storable
from clika_client.asking.budget import Budget, BudgetReached
from clika_client.asking.plan import Plan, PlannedCell
from clika_client.asking.source import QuestionSource
from clika_client.common.wording import counted
from clika_providers import Completion, ProviderError, Request, RunError, Usage
from clika_providers.traffic.retry import before_retry

GRACE_S = 10.0
"""How long a stopped run waits for replies that are on their way, and paid for."""


@dataclass(frozen=True, slots=True)
class Event:
    """One request came to its end; what the progress display is fed with."""

    cell: PlannedCell
    completion: Completion | None
    error: ProviderError | None
    shared: bool = False
    """Another process on the same file got the answer meanwhile."""


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
    shared: int = 0
    """Questions that another process answered meanwhile, at no cost here."""
    useless: int = 0
    """Replies that were paid for and could not be used, failed attempts included."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input tokens those that were not evaluated again."""
    cost: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    """Failure message → count."""
    served: Counter[str] = field(default_factory=Counter)
    """What the server called the model → replies."""
    stop: Exception | None = None
    """What ended asking before the plan was through: a RunError, BudgetReached, Stopped, or None."""

    @property
    def replies(self) -> int:
        """Replies that arrived, and were paid for, whether or not they answer."""
        return self.answered + self.filtered + self.useless

    @property
    def lost(self) -> int:
        """Requests that ended without a stored answer."""
        return self.failed + self.filtered


class Stopped(Exception):
    """The user stopped asking."""


PriceAt = Callable[[float, float], float]
"""(input tokens, output tokens) → US dollars."""


async def ask(
    plan: Plan,
    on_event: Callable[[Event], None],
    budget: Budget | None = None,
    price_at: PriceAt | None = None,
    *,
    tell: Callable[[str], None] = lambda _: None,
    grace_s: float = GRACE_S,
    outcome: Outcome | None = None,
) -> Outcome:
    """Send what is missing; returns when all is answered or nothing more can be.

    Replies reach the file through the cached provider, so killing the process loses only requests in flight.
    Cancelling this coroutine loses none: no more are sent, and those in flight are awaited for up to `grace_s`
    seconds; `tell` is given a sentence that says so. Cancelling it again stops at once. `outcome` is counted up as
    replies arrive, for those who want to know of a run that was cancelled.
    """
    outcome = Outcome(plan.provider.spec, plan.missing) if outcome is None else outcome
    asker = _Asker(plan, outcome, on_event, budget, price_at)
    workers = max(1, min(plan.provider.concurrency, plan.missing))
    asker.source = QuestionSource(plan, workers, asker.shared)
    tasks = [asyncio.create_task(asker.work()) for _ in range(workers)]
    try:
        await asyncio.gather(*map(asyncio.shield, tasks))
    except asyncio.CancelledError:
        await _finish_in_flight(asker, tasks, tell, grace_s)
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asker.source.close()
    return outcome


async def _finish_in_flight(
    asker: _Asker, tasks: list[asyncio.Task[None]], tell: Callable[[str], None], grace_s: float
) -> None:
    asker.stop(Stopped())
    asker.plan.provider.drain()
    await asyncio.sleep(0)
    flying = [task for task in tasks if not task.done()]
    if flying and grace_s > 0:
        tell(
            f"{asker.plan.provider.spec}: stopping; {counted(len(flying), 'reply')} may be on the way: waiting for "
            f"{'it' if len(flying) == 1 else 'them'}, {grace_s:.0f} s at most (Ctrl-C again stops at once)"
        )
        await asyncio.wait(flying, timeout=grace_s)


class _Asker:
    """What the workers of one plan share."""

    source: QuestionSource

    def __init__(
        self,
        plan: Plan,
        outcome: Outcome,
        on_event: Callable[[Event], None],
        budget: Budget | None,
        price_at: PriceAt | None,
    ) -> None:
        self.plan = plan
        self.outcome = outcome
        self._on_event = on_event
        self._budget = None if price_at is None else budget
        self._price_at = price_at

    def stop(self, why: Exception) -> None:
        """Begin nothing more."""
        self.outcome.stop = self.outcome.stop or why
        self.source.stopped = True

    def shared(self, cell: PlannedCell) -> None:
        """Another process answered a question of this plan."""
        self.outcome.shared += 1
        self._on_event(Event(cell, None, None, shared=True))

    async def work(self) -> None:
        """One worker: ask until there is nothing left, the money is used up, or somebody says stop."""
        while (question := await self.source.next()) is not None:
            cell, key, request = question
            worst = self._worst(request)
            if not await self._may_spend(worst):
                return
            if self.outcome.stop is not None:  # while this one waited for its money
                self._settle(worst, 0.0)
                return
            await self._ask(cell, key, request, worst)

    async def _ask(self, cell: PlannedCell, key: bytes, request: Request, worst: float) -> None:
        """One question, with as many attempts as it deserves; each of them is reserved and settled."""

        async def failed(error: ProviderError) -> None:
            self._settle(worst, self._count_failed(error, worst))
            if not await self._may_spend(worst):
                raise self.outcome.stop or BudgetReached(worst, 0.0)

        self.outcome.asked += 1
        completion: Completion | None = None
        error: ProviderError | None = None
        hook = before_retry.set(failed)
        try:
            completion = await self.plan.provider.ask(key, request)
        except ProviderError as caught:
            error = caught
            if isinstance(caught, RunError):
                self.stop(caught)
        except (BudgetReached, Stopped):
            return
        finally:
            before_retry.reset(hook)
        if completion is not None:
            self._settle(worst, self._count(completion, worst))
        elif error is not None:
            self._settle(worst, self._count_failed(error, worst))
            self.outcome.failed += 1
            self.outcome.reasons[str(error)] += 1
        self._on_event(Event(cell, completion, error))

    # ---- money

    def _worst(self, request: Request) -> float:
        if self._budget is None or self._price_at is None:
            return 0.0
        return self._price_at(most_tokens(request), self.plan.provider.most_output(request))

    async def _may_spend(self, worst: float) -> bool:
        if self._budget is None or await self._budget.reserve(worst):
            return True
        self.stop(BudgetReached(worst, self._budget.ceiling - self._budget.spent))
        return False

    def _settle(self, worst: float, cost: float) -> None:
        if self._budget is not None:
            self._budget.settle(worst, cost)

    def _count(self, completion: Completion, worst: float) -> float:
        """Count a reply; returns what it may have cost: without a count of tokens, all that was set aside."""
        cost = self.plan.provider.cost(completion)
        self._spent(completion.usage, cost)
        if completion.model_served:
            # The name goes into the run's notes: it may hold anything.
            self.outcome.served[storable.words(completion.model_served)[:80]] += 1
        if completion.is_answer:
            self.outcome.answered += 1
        else:
            self.outcome.filtered += 1
            self.outcome.reasons[_not_an_answer(completion)] += 1
        return worst if cost is None else cost

    def _count_failed(self, error: ProviderError, worst: float) -> float:
        """Count an attempt without a usable reply; returns what it may have cost.

        One that got no reply may have been billed all the same: a budget counts it in full, a bill does not.
        """
        if not error.billed:
            return worst if error.sent else 0.0
        cost = self.plan.provider.cost(error)
        self._spent(error.usage, cost)
        self.outcome.useless += 1
        return worst if cost is None else cost

    def _spent(self, usage: Usage, cost: float | None) -> None:
        self.outcome.cost += cost or 0.0
        self.outcome.input_tokens += usage.input_tokens or 0
        self.outcome.output_tokens += usage.output_tokens or 0
        self.outcome.cached_tokens += usage.cached_tokens or 0


def _not_an_answer(completion: Completion) -> str:
    if completion.finish_reason == "content_filter":
        return "the reply was stopped by a filter"
    return "the reply was cut before an answer began: give more room with --max-tokens"


def most_tokens(request: Request) -> int:
    """More input tokens than a request has: no tokenizer needs more than one a byte, beside some for the roles."""
    return sum(len(m.content.encode("utf-8", "replace")) + 16 for m in request.messages) + 16
