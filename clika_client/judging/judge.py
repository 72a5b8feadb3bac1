"""A model judges stored replies to open questions: asked with the fixed prompt, cached and priced as any question.

Its words are kept as judgements under its name, beside the replies; the deterministic reading stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clika_cache import CachedProvider, Writer
from clika_client.answers.open.answer import Accepted, OpenAnswer
from clika_client.answers.open.cell import Acceptance
from clika_client.answers.open.reader import read_open
from clika_client.asking.budget import Budget, BudgetReached
from clika_client.common.running import finish, together
from clika_client.prompts.judge import MAX_TOKENS, judge_request, judged
from clika_client.sets.probes import ProbeSet
from clika_client.store import judgements
from clika_client.store.judgements import Judgement
from clika_client.store.store import Cell, Store
from clika_providers import Provider, ProviderError, Request, RunError
from clika_providers.prices import Price

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One reply to be judged, with what our reader makes of it."""

    key: bytes
    """Content key of the reply."""
    set_name: str
    language: str
    item_id: str
    question: str
    accepted: Accepted
    reply: str
    read: OpenAnswer

    def request(self) -> Request:
        """What the judge is asked."""
        elsewhere = [(tag, names[0].rstrip("*")) for tag, names in self.accepted.elsewhere.items() if names]
        elsewhere.sort(key=lambda pair: pair[0] != "en")
        return judge_request(self.question, self.language, self.accepted.names, elsewhere, self.reply)


@dataclass(slots=True)
class Judged:
    """What a judge said, and what it cost."""

    judge: str
    cases: list[tuple[Case, Judgement]] = field(default_factory=list)
    unclear: int = 0
    """Replies of the judge that say none of its words."""
    failed: Counter[str] = field(default_factory=Counter)
    """Why requests got no reply, counted."""
    cost: float = 0.0
    stop: Exception | None = None
    """Why not everything was judged: the budget, or an error that concerns all requests."""

    def agreement(self) -> Mapping[str, tuple[int, int]]:
        """Language → (replies on which judge and reader agree on right, in whatever language, or not; replies)."""
        found: dict[str, tuple[int, int]] = {}
        for case, judgement in self.cases:
            same, n = found.get(case.language, (0, 0))
            found[case.language] = (same + agrees(case.read.verdict, judgement.verdict), n + 1)
        return found


def agrees(reader: str, judge: str) -> bool:
    """Whether two verdicts agree on right, in whatever language, or not right."""
    return reader.startswith("right") == judge.startswith("right")


def cases(store: Store, cells: Sequence[Cell], sets: Mapping[int, ProbeSet]) -> Iterator[Case]:
    """Every stored reply of these cells; empty ones need no judge."""
    for cell in cells:
        probe_set, language = sets[cell.key.set_id], cell.key.language
        accepts = Acceptance(probe_set, language)
        replies = store.replies(cell)
        for position, text, end in zip(replies.positions.tolist(), replies.texts, replies.finish, strict=True):
            accepted = accepts.at(position)
            probe = probe_set.probes[language][position]
            if text.strip():
                read = read_open(text, accepted, end)
                yield Case(
                    cell.key_at(position), probe_set.name, language, probe.item_id, probe.question, accepted, text, read
                )


def judge(
    store: Store,
    provider: Provider,
    what: Sequence[Case],
    *,
    price: Price | None = None,
    max_cost: float | None = None,
    progress: Progress = lambda done, total: None,
) -> Judged:
    """Ask about every case that this judge was not asked about yet, keep what it says, and close the provider.

    A failed request leaves its reply unjudged; the same call asks only those.
    """
    return finish(lambda: _judge(store, provider, what, price, max_cost, progress))


async def _judge(
    store: Store,
    provider: Provider,
    what: Sequence[Case],
    price: Price | None,
    max_cost: float | None,
    progress: Progress,
) -> Judged:
    result = Judged(provider.spec)
    budget = None if max_cost is None else Budget(max_cost)
    writer = Writer(store.database)
    cached = CachedProvider(provider, store.database, writer)
    if price is not None:
        cached.cost_of = price.cost
    source = iter(what)

    async def work() -> None:
        for case in source:
            if result.stop is not None:
                return
            try:
                text = await _ask(cached, case.request(), result, budget, price)
            except RunError as error:
                result.stop = error
                return
            except BudgetReached as reached:
                result.stop = reached
                return
            except ProviderError as error:
                result.failed[str(error)] += 1
                continue
            found = judged(text)
            if found is None:
                result.unclear += 1
            else:
                result.cases.append((case, Judgement(case.key, *found)))
            progress(len(result.cases) + result.unclear, len(what))

    try:
        await together(*(work() for _ in range(max(1, min(cached.concurrency, len(what))))))
    finally:
        await provider.aclose()
        writer.close()
        judgements.add(store, provider.spec, [judgement for _, judgement in result.cases])
    return result


async def _ask(
    cached: CachedProvider, request: Request, result: Judged, budget: Budget | None, price: Price | None
) -> str:
    """The judge's reply, from the cache for nothing; raises BudgetReached before it could cost too much."""
    stored = bool(cached.present([cached.key(request)]))
    size = sum(len(message.content.encode("utf-8", "replace")) for message in request.messages)
    worst = 0.0
    if budget is not None and price is not None and not stored:
        worst = price.estimate(size, max(MAX_TOKENS, cached.most_output(request)))
        if not await budget.reserve(worst):
            raise BudgetReached(worst, budget.ceiling - budget.spent)
    paid = 0.0
    try:
        completion = await cached.complete(request)
        paid = 0.0 if stored else cached.cost(completion) or 0.0
    finally:
        if worst:
            assert budget is not None
            budget.settle(worst, paid)
    result.cost += paid
    return completion.text
