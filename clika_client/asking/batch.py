"""Asking at half price: submit a run's missing requests as batches, and collect them when they are done."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from clika_cache import StoredAttempt, StoredReply, Writer, entry_for, prompt_text
from clika_client.asking.config import RunConfig
from clika_client.asking.plan import Plan
from clika_client.asking.price import price_of
from clika_client.asking.requests import missing_requests
from clika_client.asking.run import PreparedRun
from clika_client.asking.workers import most_tokens
from clika_client.common.errors import IncompleteRun, UserError
from clika_client.common.running import finish
from clika_client.store import batches as batch_store
from clika_client.store.batches import StoredBatch
from clika_client.store.store import Store
from clika_providers import ProviderError, ProviderOptions
from clika_providers.batches import BatchDoor, BatchStatus, BatchTicket, Keyed, batch_door
from clika_providers.prices import find_price

_LOOK_AGAIN_S = 0.5, 2.0, 5.0
_UNCONFIRMED_S = 600.0
"""A batch that the vendor does not list so long after it was sent was never taken."""
_UNKNOWN = BatchStatus("running", "unknown", 0, 0, 0)


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
    error: str | None = None
    """Why nothing is known of it."""


def check_models(config: RunConfig) -> None:
    """Raises UserError or RunError for a model without batches, before anything is planned."""
    for model in config.models:
        if not isinstance(model, str):
            raise UserError(f"batches need a model named PROVIDER/MODEL, not an object ({model.spec})")
        if config.asking.ask == "likelihood":
            raise UserError("batches hold chats, which tell no likelihood of options: leave --batch out")
        batch_door(model, config.options)


def submit(run: PreparedRun) -> list[Submitted]:
    """Send what is missing as batches, and close the run. Raises UserError for more than `max_cost`."""
    finish(lambda: _each(run.store, run.config.options, _confirm))
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
    store, config, provider = run.store, run.config, plan.provider
    waiting = batch_store.pending_keys(store, provider.model_id)
    held = batches = count = 0

    def keyed() -> Iterator[Keyed]:
        nonlocal held
        for _, request in missing_requests(plan):
            key = provider.key(request)
            if key in waiting:
                held += 1
                continue
            waiting.add(key)
            yield key.hex(), request

    door = batch_door(provider.spec, config.options)
    try:
        for chunk in door.chunks(keyed()):
            name = secrets.token_hex(12)
            intent = BatchTicket(provider.spec, "", len(chunk), "", name)
            number, free = batch_store.intend(
                store, run_id, provider.model_id, intent, chunk,
                refresh=config.refresh, price=price_of(plan, config.prices),
            )  # fmt: skip
            held += len(chunk) - len(free)
            if free:
                await _send(store, door, number, free, name)
                batches += 1
                count += len(free)
    finally:
        await door.aclose()
    return Submitted(provider.spec, batches, count, held)


async def _send(store: Store, door: BatchDoor, number: int, requests: Sequence[Keyed], name: str) -> None:
    """Send one batch whose intent is stored; what is stored says at any moment whether the vendor may have it."""
    try:
        batch_store.accepted(store, number, await door.send(requests, name))
    except ProviderError as error:
        if not error.sent:
            batch_store.set_state(store, number, "refused")
            raise
        for pause in _LOOK_AGAIN_S:
            await asyncio.sleep(pause)
            (batch,) = [b for b in batch_store.all_batches(store) if b.number == number]
            with suppress(ProviderError):
                if await _found(store, door, batch):
                    return
        raise IncompleteRun(
            f"{error}. It is not known whether the vendor took batch {number}; its {len(requests)} requests are not "
            "sent again: `clika batch collect` looks for it, `clika batch forget` gives it up"
        ) from error


async def _found(store: Store, door: BatchDoor, batch: StoredBatch) -> bool:
    """Whether the vendor has a batch that was being sent; if so, its ticket is stored."""
    known = {b.ticket.batch_id for b in batch_store.all_batches(store)}
    keys = list(batch_store.requests(store, batch.number))
    ticket = await door.find(batch.ticket.name, keys, batch.created_at, known)
    if ticket is not None:
        batch_store.accepted(store, batch.number, ticket)
    return ticket is not None


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
    return finish(lambda: _each(store, options or ProviderOptions(), _look))


def collect(store: Store, options: ProviderOptions | None = None, prices: Path | None = None) -> list[Collected]:
    """Store the results of every batch that is over; the others are only asked how they stand.

    `prices` is the user's own table, used where a batch was sent without a price.
    """
    return finish(lambda: _each(store, options or ProviderOptions(), partial(_take, prices=prices)))


def cancel(store: Store, number: int, options: ProviderOptions | None = None) -> BatchStatus:
    """Stop a batch; what was finished can still be collected. Raises UserError for an unknown number."""
    batch = _numbered(store, number)
    return finish(lambda: _cancel(batch, options or ProviderOptions()))


def forget(store: Store, number: int) -> StoredBatch:
    """Give a batch up: nothing of it is collected, and its requests may be sent again (and paid again)."""
    batch = _numbered(store, number)
    if not batch.is_open:
        raise UserError(f"batch {number} is {batch.state}; there is nothing to forget")
    batch_store.set_state(store, number, "forgotten")
    return batch


def _numbered(store: Store, number: int) -> StoredBatch:
    batches = batch_store.all_batches(store)
    found = next((b for b in batches if b.number == number), None)
    if found is None:
        known = ", ".join(str(b.number) for b in batches) or "none"
        raise UserError(f"there is no batch {number}; batches: {known}")
    return found


async def _cancel(batch: StoredBatch, options: ProviderOptions) -> BatchStatus:
    door = batch_door(batch.ticket.spec, options)
    try:
        return await door.cancel(batch.ticket)
    finally:
        await door.aclose()


Step = Callable[[Store, Writer, StoredBatch, BatchDoor], Awaitable["Collected | None"]]


async def _each(store: Store, options: ProviderOptions, step: Step) -> list[Collected]:
    """One step for every open batch; trouble with one is told with it, and keeps no other from its turn."""
    found = []
    writer = Writer(store.database)
    try:
        for batch in batch_store.all_batches(store):
            if not batch.is_open:
                continue
            try:
                door = batch_door(batch.ticket.spec, options)
                try:
                    now = await step(store, writer, batch, door)
                finally:
                    await door.aclose()
            except ProviderError as error:
                now = Collected(batch, _UNKNOWN, error=_in_words(batch, error))
            if now is not None:
                found.append(now)
    finally:
        writer.close()
    return found


def _in_words(batch: StoredBatch, error: ProviderError) -> str:
    if error.code == "model" or error.status == 404:
        return f"{error}; if it is gone for good: `clika batch forget {batch.number}`"
    return str(error)


async def _confirm(store: Store, writer: Writer, batch: StoredBatch, door: BatchDoor) -> Collected | None:
    """Find out about a batch that was being sent when its process ended; None once the vendor has it."""
    if batch.state != batch_store.SENDING or await _found(store, door, batch):
        return None
    age = time.time() - batch.created_at
    if age > _UNCONFIRMED_S:
        batch_store.set_state(store, batch.number, "refused")
        return Collected(batch, _UNKNOWN, error="the vendor never took it; the same run sends its requests again")
    return Collected(
        batch, _UNKNOWN, error=f"the vendor does not know it yet; it counts as never taken {_UNCONFIRMED_S:.0f} s "
        f"after it was sent, or at once with `clika batch forget {batch.number}`",
    )  # fmt: skip


async def _look(store: Store, writer: Writer, batch: StoredBatch, door: BatchDoor) -> Collected:
    """How one batch stands."""
    unconfirmed = await _confirm(store, writer, batch, door)
    if unconfirmed is not None:
        return unconfirmed
    batch = _numbered(store, batch.number)
    return Collected(batch, await door.status(batch.ticket))


async def _take(store: Store, writer: Writer, batch: StoredBatch, door: BatchDoor, *, prices: Path | None) -> Collected:
    """Store one batch's results, then mark it: a crash in between only means collecting again."""
    now = await _look(store, writer, batch, door)
    if not now.status.is_over or now.error:
        return now
    batch = now.batch
    known = batch_store.requests(store, batch.number)
    answered = failed = 0
    async for custom_id, result in door.collect(batch.ticket, known.get):
        key = bytes.fromhex(custom_id)
        request = known[custom_id]
        price = batch.price or find_price(batch.ticket.spec, mode=request.mode, user_file=prices)
        cost = None if price is None else price.cost(result.usage, batch=True)
        if isinstance(result, ProviderError):
            failed += 1
            entry: StoredReply | StoredAttempt = StoredAttempt(
                key, batch.model_id, result.kind, str(result), result.status, None, result.usage, cost
            )
        else:
            answered += result.is_answer
            failed += not result.is_answer
            text = prompt_text(request.messages)
            entry = entry_for(key, batch.model_id, text, result, cost, replace=batch.refresh)
        while writer.behind:
            await asyncio.sleep(0.05)
        writer.put(entry)
    writer.flush()
    batch_store.set_state(store, batch.number, "collected")
    return replace(now, answered=answered, failed=failed, missing=len(known) - answered - failed)
