"""One invocation from sets and models to stored replies: connect, plan, ask, note what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from clika_cache import CachedProvider, Writer
from clika_client.asking.idle_options import refuse_idle
from clika_client.asking.plan import Asking, Items, Plan, Selection, make_plan, select
from clika_client.asking.workers import Budget, BudgetReached, Event, Outcome, ask
from clika_client.common.errors import UserError
from clika_client.prompts.style import Style, style_digest, style_notes
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import Store
from clika_providers import Json, Provider, ProviderOptions, RunError
from clika_providers.prices import Price, find_price
from clika_providers.registry import connect, parse_spec

_QUOTA = "quota"
_LATER = ("circuit", "wait", "unreachable")
"""Codes of a RunError that may be gone the next time: the server is down, or asks to wait for long."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything an invocation needs; stored with the run, without anything secret."""

    sets: tuple[ProbeSet, ...]
    models: tuple[str, ...]
    style: Style
    asking: Asking = field(default_factory=Asking)
    languages: tuple[str, ...] | None = None
    items: Items = field(default_factory=Items)
    options: ProviderOptions = field(default_factory=ProviderOptions)
    refresh: bool = False
    max_cost: float | None = None
    fallback: str | None = None
    prices: Path | None = None
    """The user's own price table, which goes before the built-in one."""

    def record(self) -> dict[str, Json]:
        """What the database keeps of it."""
        return {
            "sets": [s.name for s in self.sets],
            "models": list(self.models),
            "prompt": self.style.name,
            "prompt_digest": style_digest(self.style),
            "ask": self.asking.ask,
            "languages": None if self.languages is None else list(self.languages),
            "limit": self.items.limit,
            "limit_by": self.items.by,
            "seed": self.items.seed,
            "only": list(self.items.only),
            "drop": list(self.items.drop),
            "permute": self.asking.permute,
            "repeats": self.asking.repeats,
            "max_tokens": self.asking.max_tokens,
            "fallback": self.fallback,
        }


class Listener(Protocol):
    """Who wants to know how a run is going."""

    def planned(self, plans: Sequence[Plan]) -> None:
        """All requests are known; asking is about to start. May raise to stop here."""
        ...

    def started(self, plan: Plan) -> None:
        """A plan that was not among those planned begins (a fallback)."""
        ...

    def event(self, plan: Plan, event: Event) -> None:
        """One request ended."""
        ...


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. `status` is `done`, `incomplete` or `stopped`."""

    run_id: str
    status: str
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]
    fatal: RunError | None = None
    """What the user has to change before a model can be asked to the end: key, model name, settings."""
    out_of_money: RunError | None = None
    """The account or quota is used up; the same command resumes when it is not."""


def evaluate(store: Store, config: RunConfig, listener: Listener) -> RunResult:
    """Ask what is missing and store it; raises UserError for what can be known before asking."""
    return asyncio.run(_evaluate(Evaluation(store, config, listener)))


async def _evaluate(evaluation: Evaluation) -> RunResult:
    try:
        return await evaluation.ask_all(*evaluation.prepare())
    finally:
        await evaluation.close()


class Evaluation:
    """The state of one invocation: prepare, then ask or submit, then close."""

    def __init__(self, store: Store, config: RunConfig, listener: Listener) -> None:
        for spec in (*config.models, *([config.fallback] if config.fallback else [])):
            parse_spec(spec)
        self.store = store
        self.config = config
        self.listener = listener
        self.notes: list[str] = []
        self.writer = Writer(store.database)
        self.providers: list[Provider] = []
        self.budget = None if config.max_cost is None else Budget(config.max_cost)

    def prepare(self) -> tuple[str, list[Plan], list[Selection]]:
        """(run id, plan per model, selections): everything is known and stored, nothing is asked yet."""
        config = self.config
        selections = [select(self.store, s, config.languages, config.items) for s in config.sets]
        self.notes += [note for s in config.sets for note in style_notes(config.style, s)]
        plans = [self._plan(spec, selections) for spec in config.models]
        if config.fallback:
            # A missing file is told now, not after hours of asking.
            self.providers.append(connect(config.fallback, config.options))
        run_id = self.store.start_run(config.record())
        self._note_cells(run_id, plans)
        self.listener.planned(plans)
        return run_id, plans, selections

    async def close(self) -> None:
        """Close the models, and wait until everything is on disk."""
        for provider in self.providers:
            await provider.aclose()
        self.writer.close()

    def _plan(self, spec: str, selections: Sequence[Selection]) -> Plan:
        provider = connect(spec, self.config.options)
        self.providers.append(provider)
        asking = self.config.asking
        if asking.ask == "auto":
            asking = replace(asking, ask="logprobs" if spec.startswith("gguf/") else "text")
        refuse_idle(spec, asking, self.config.options)
        price = find_price(spec, mode=asking.mode, user_file=self.config.prices)
        cached = CachedProvider(
            provider,
            self.store.database,
            self.writer,
            refresh=self.config.refresh,
            cost_of=None if price is None else price.cost,
        )
        return make_plan(self.store, cached, selections, self.config.style, asking)

    def _note_cells(self, run_id: str, plans: Sequence[Plan]) -> None:
        for plan in plans:
            for cell in plan.cells:
                self.store.add_run_cell(run_id, cell.cell_id, cell.positions)

    async def ask_all(self, run_id: str, plans: Sequence[Plan], selections: Sequence[Selection]) -> RunResult:
        """Ask what is missing, hosted models side by side, local ones one after the other."""
        local = [p for p in plans if p.provider.spec.startswith("gguf/")]
        remote = [p for p in plans if p not in local]
        status = "stopped"
        outcomes: list[Outcome] = []
        try:
            lanes = [self._ask_lane([p], outcomes) for p in remote] + [self._ask_lane(local, outcomes)]
            await asyncio.gather(*lanes)
            await self._fall_back(run_id, outcomes, selections)
            status = self._status(outcomes)
        finally:
            for provider in self.providers:
                self.notes += [f"{provider.spec}: {note}" for note in getattr(provider, "notes", ())]
            self.writer.flush()
            self.store.finish_run(run_id, status, self.notes)
        stops = [o.stop for o in outcomes if isinstance(o.stop, RunError)]
        fatal = next((e for e in stops if e.code not in (*_LATER, _QUOTA)), None)
        money = next((e for e in stops if e.code == _QUOTA), None)
        return RunResult(run_id, status, tuple(outcomes), tuple(self.notes), fatal, money)

    async def _ask_lane(self, plans: Sequence[Plan], outcomes: list[Outcome]) -> None:
        """Models of one lane are asked one after the other; lanes run side by side."""
        for plan in plans:
            if not plan.missing:
                outcomes.append(Outcome(plan.provider.spec))
                continue
            price = price_of(plan, self.config.prices)
            on_event = partial(self.listener.event, plan)
            outcome = await ask(plan, on_event, self.budget, None if price is None else price.estimate)
            outcomes.append(outcome)
            if outcome.cost:
                counted = f"{outcome.input_tokens:,} input and {outcome.output_tokens:,} output tokens"
                self.notes.append(f"{outcome.spec}: {outcome.replies} replies cost ${outcome.cost:.4f} ({counted})")
            if isinstance(outcome.stop, BudgetReached):
                self.notes.append(f"{outcome.spec}: stopped before exceeding --max-cost; the row is partial")
            elif outcome.stop is not None:
                self.notes.append(f"{outcome.spec}: asking stopped: {outcome.stop}")

    async def _fall_back(self, run_id: str, outcomes: list[Outcome], selections: Sequence[Selection]) -> None:
        """Run the whole suite on the local model, as a row of its own, when a remote one gave up."""
        given_up = [o for o in outcomes if isinstance(o.stop, RunError)]
        if not self.config.fallback or not given_up:
            return
        plan = self._plan(self.config.fallback, selections)
        self._note_cells(run_id, [plan])
        for outcome in given_up:
            self.notes.append(
                f"{outcome.spec} could not be asked to the end, so {plan.provider.spec} was asked everything as a row "
                f"of its own; the row of {outcome.spec} holds only its own {outcome.answered} new answers"
            )
        self.listener.started(plan)
        await self._ask_lane([plan], outcomes)

    @staticmethod
    def _status(outcomes: Sequence[Outcome]) -> str:
        if any(isinstance(o.stop, BudgetReached) or getattr(o.stop, "code", None) == _QUOTA for o in outcomes):
            return "stopped"
        if any(o.stop is not None or o.lost for o in outcomes):
            return "incomplete"
        return "done"


def estimate(
    plans: Sequence[Plan], max_cost: float | None, *, batch: bool = False, prices: Path | None = None
) -> Mapping[str, float | None]:
    """Estimated US dollars per model; raises UserError when a ceiling is set and a price is unknown."""
    costs: dict[str, float | None] = {}
    for plan in plans:
        spec = plan.provider.spec
        price = price_of(plan, prices)
        if price is None and max_cost is not None and plan.missing:
            raise UserError(
                f"no price is known for {spec!r}, so --max-cost cannot be kept; add one to your price file "
                "(see docs/providers.md) or leave --max-cost out"
            )
        # Per request, never on totals: long requests have a price of their own.
        each = plan.input_tokens / max(plan.missing, 1)
        reply = min(plan.asking.max_tokens, 8)
        costs[spec] = None if price is None else plan.missing * price.estimate(each, reply, batch=batch)
    return costs


def price_of(plan: Plan, prices: Path | None = None) -> Price | None:
    """The price of the model a plan asks, for the way it is asked; `prices` is the user's own table."""
    return find_price(plan.provider.spec, mode=plan.asking.mode, user_file=prices)
