"""Asking at half price: submit a run's missing requests as batches, and collect them when they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from clika_cache import StoredAttempt, Writer, entry_for, prompt_text
from clika_client.asking.plan import Plan, missing_requests
from clika_client.asking.run import PreparedRun, RunConfig, price_of
from clika_client.asking.workers import most_tokens
from clika_client.common.errors import UserError
from clika_client.common.running import finish
from clika_client.store import batches as batch_store
from clika_client.store.batches import StoredBatch
from clika_client.store.store import Store
from clika_providers import ProviderError, ProviderOptions
from clika_providers.batches import BatchDoor, BatchStatus, Keyed, batch_door
from clika_providers.prices import find_price


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a model's part of `--batch` came to."""

    spec: str
    batches: int
    requests: int
    waiting: int
    """Requests that an earlier batch already holds."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What one batch came to."""

    batch: StoredBatch
    status: BatchStatus
    answered: int = 0
    failed: int = 0
    missing: int = 0
    """Requests without a result, after expiry or cancellation; the same run asks them again."""


def check_models(config: RunConfig) -> None:
    """Raises UserError or RunError for a model without batches, before anything is planned."""
    for model in config.models:
        if not isinstance(model, str):
            raise UserError(f"batches need a model named PROVIDER/MODEL, not an object ({model.spec})")
        batch_door(model, config.options)


def submit(run: PreparedRun) -> list[Submitted]:
    """Send what is missing as batches, and close the run. Raises UserError for more than `max_cost`."""
    return finish(lambda: _submit(run))


async def _submit(run: PreparedRun) -> list[Submitted]:
    try:
        _check_cost(run.plans, run.config)
        run_id = run.begin()
        done = [await _submit_plan(run, run_id, plan) for plan in run.plans]
        run.store.finish_run(run_id, "submitted", run.notes)
        return done
    finally:
        await run.aclose()


async def _submit_plan(run: PreparedRun, run_id: str, plan: Plan) -> Submitted:
    waiting = batch_store.pending_keys(run.store, plan.provider.model_id)
    sent: list[Keyed] = []
    held = batches = count = 0

    def keyed() -> Iterator[Keyed]:
        nonlocal held
        for _, request in missing_requests(plan):
            key = plan.provider.key(request)
            if key in waiting:
                held += 1
                continue
            waiting.add(key)
            sent.append((key.hex(), request))
            yield sent[-1]

    door = batch_door(plan.provider.spec, run.config.options)
    try:
        async for ticket in door.submit(keyed()):
            # Batches take requests in order; one that no longer fitted waits at the end for the next ticket.
            mine, sent[:] = sent[: ticket.requests], sent[ticket.requests :]
            batch_store.add(run.store, run_id, plan.provider.model_id, ticket, mine)
            batches += 1
            count += ticket.requests
    finally:
        await door.aclose()
    return Submitted(plan.provider.spec, batches, count, held)


def _check_cost(plans: Sequence[Plan], config: RunConfig) -> None:
    """A batch cannot be stopped half way by what it costs, so the most it can cost is checked before."""
    ceiling = config.max_cost
    if ceiling is None:
        return
    most = 0.0
    for plan in plans:
        price = price_of(plan, config.prices)
        if price is None:
            raise UserError(f"no price is known for {plan.provider.spec!r}, so --max-cost cannot be kept; leave it out")
        most += sum(
            price.estimate(most_tokens(r), plan.provider.most_output(r), batch=True) for _, r in missing_requests(plan)
        )
    if most > ceiling:
        raise UserError(
            f"these batches could cost up to ${most:.2f}, more than --max-cost {ceiling:g}; ask fewer items with "
            "--limit, shorten --max-tokens, or raise --max-cost"
        )


def status(store: Store, options: ProviderOptions | None = None) -> list[Collected]:
    """Where every batch that is not collected stands; asks the vendors."""
    return finish(lambda: _each(store, options or ProviderOptions(), collect_too=False))


def collect(store: Store, options: ProviderOptions | None = None) -> list[Collected]:
    """Store the results of every batch that is over; the others are only asked how they stand."""
    return finish(lambda: _each(store, options or ProviderOptions(), collect_too=True))


def cancel(store: Store, number: int, options: ProviderOptions | None = None) -> BatchStatus:
    """Stop a batch; what was finished can still be collected. Raises UserError for an unknown number."""
    found = next((b for b in batch_store.all_batches(store) if b.number == number), None)
    if found is None:
        known = ", ".join(str(b.number) for b in batch_store.all_batches(store)) or "none"
        raise UserError(f"there is no batch {number}; batches: {known}")
    return finish(lambda: _cancel(found, options or ProviderOptions()))


async def _cancel(batch: StoredBatch, options: ProviderOptions) -> BatchStatus:
    door = batch_door(batch.ticket.spec, options)
    try:
        return await door.cancel(batch.ticket)
    finally:
        await door.aclose()


async def _each(store: Store, options: ProviderOptions, *, collect_too: bool) -> list[Collected]:
    found = []
    writer = Writer(store.database)
    try:
        for batch in batch_store.all_batches(store):
            if batch.state == "collected":
                continue
            door = batch_door(batch.ticket.spec, options)
            try:
                now = Collected(batch, await door.status(batch.ticket))
                if collect_too and now.status.is_over:
                    now = await _take(store, writer, now, door)
            finally:
                await door.aclose()
            found.append(now)
    finally:
        writer.close()
    return found


async def _take(store: Store, writer: Writer, now: Collected, door: BatchDoor) -> Collected:
    """Store one batch's results, then mark it: a crash in between only means collecting again."""
    batch = now.batch
    known = batch_store.requests(store, batch.number)
    answered = failed = 0
    async for custom_id, result in door.collect(batch.ticket, known.get):
        key = bytes.fromhex(custom_id)
        if isinstance(result, ProviderError):
            failed += 1
            writer.put(StoredAttempt(key, batch.model_id, result.kind, str(result), result.status))
            continue
        answered += result.is_answer
        failed += not result.is_answer
        request = known[custom_id]
        price = find_price(batch.ticket.spec, mode=request.mode)
        cost = None if price is None else price.cost(result.usage, batch=True)
        writer.put(entry_for(key, batch.model_id, prompt_text(request.messages), result, cost))
    writer.flush()
    batch_store.set_state(store, batch.number, "collected")
    return replace(now, answered=answered, failed=failed, missing=len(known) - answered - failed)
