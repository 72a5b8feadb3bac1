"""One invocation from sets and models to stored replies: connect and plan, then ask, and note what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from clika_cache import CachedProvider, Writer
from clika_client.asking.ask_mode import LetterProbe, probe_letters
from clika_client.asking.idle_options import refuse_idle, runs_in_process
from clika_client.asking.plan import Asking, Items, Plan, make_plan, missing_requests, select, store_plan
from clika_client.asking.price import price_of
from clika_client.asking.workers import Budget, BudgetReached, Event, Outcome, Stopped, ask
from clika_client.common.running import finish, together
from clika_client.prompts.open import open_notes
from clika_client.prompts.style import Style, style_digest, style_notes
from clika_client.sets.open_form import open_form, refuse_options
from clika_client.sets.probes import ProbeSet
from clika_client.store import batches as batch_store
from clika_client.store.store import Store
from clika_providers import AskMode, Json, Provider, ProviderOptions, RetryableError, RunError
from clika_providers.registry import as_provider, connect, parse_spec

_QUOTA = "quota"
_LATER = ("circuit", "wait", "unreachable")
"""Codes of a RunError that may be gone the next time: the server is down, or asks to wait for long."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything an invocation needs; stored with the run, without anything secret."""

    sets: tuple[ProbeSet, ...]
    models: tuple[str | Provider, ...]
    """Specs, or providers made elsewhere; the run closes them at its end, as it does its own."""
    style: Style
    asking: Asking = field(default_factory=Asking)
    languages: tuple[str, ...] | None = None
    items: Items = field(default_factory=Items)
    options: ProviderOptions = field(default_factory=ProviderOptions)
    refresh: bool = False
    max_cost: float | None = None
    fallback: str | Provider | None = None
    prices: Path | None = None
    """The user's own price table, which goes before the built-in one."""

    settings: Mapping[str, Json] = field(default_factory=dict)
    """What the command line or a script set, in the command's words, so that the run can be repeated."""

    def record(self) -> dict[str, Json]:
        """What the database keeps of it."""
        return {
            "sets": [s.name for s in self.sets],
            "models": [spec_of(model) for model in self.models],
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
            "fallback": None if self.fallback is None else spec_of(self.fallback),
            **({"settings": dict(self.settings)} if self.settings else {}),
        }


def spec_of(model: str | Provider) -> str:
    """The name of a model that is given as a spec or as a provider."""
    return model if isinstance(model, str) else model.spec


class Listener(Protocol):
    """Who wants to know how a run is going."""

    def started(self, plan: Plan) -> None:
        """A plan that was not there when asking began is asked now (a fallback)."""
        ...

    def event(self, plan: Plan, event: Event) -> None:
        """One request ended."""
        ...

    def say(self, sentence: str) -> None:
        """Something the user should know while it goes on; may come from another thread."""
        ...


class Silent:
    """Listens to a run and shows nothing."""

    def started(self, plan: Plan) -> None:
        """Nothing to show."""

    def event(self, plan: Plan, event: Event) -> None:
        """Nothing to show."""

    def say(self, sentence: str) -> None:
        """Nothing to show."""


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
    run = PreparedRun(store, config)
    return finish(lambda: run.ask(listener))


class PreparedRun:
    """A run whose models are connected and whose requests are known; nothing is sent or stored before `ask`.

    `ask` closes it, as batches do; `close` is for a run that is not asked. Making one raises UserError or
    ProviderError for what can be known before asking, and leaves nothing open then.
    """

    def __init__(self, store: Store, config: RunConfig) -> None:
        for model in (*config.models, *([config.fallback] if config.fallback else [])):
            # A slip in the last name is told before the first model is set up.
            parse_spec(model) if isinstance(model, str) else as_provider(model, "a model that is not named by a spec")
        self.store = store
        config = self.config = replace(config, **_as_asked(config))
        of_style = open_notes if config.asking.ask == "open" else style_notes
        self.notes = [note for s in config.sets for note in of_style(config.style, s)]
        self.events: list[str] = []
        """What concerns this run only, and is no news under a later table."""
        self._say: Callable[[str], None] = lambda _: None
        self.budget = None if config.max_cost is None else Budget(config.max_cost)
        self._writer = Writer(store.database, tell=lambda sentence: self._say(sentence))
        self._providers: list[Provider] = []
        try:
            self._selections = [select(s, config.languages, config.items) for s in config.sets]
            self.plans = tuple(self._plan(self._connected(model)) for model in config.models)
            # A missing file is told now, not after hours of asking.
            self._fallback = self._connected(config.fallback) if config.fallback else None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the models; needed only when nothing is asked."""
        finish(self.aclose)

    async def aclose(self) -> None:
        """Close the models, and wait until everything is on disk."""
        providers, self._providers = self._providers, []
        try:
            for provider in providers:
                await provider.aclose()
        finally:
            self._writer.close()

    def begin(self) -> str:
        """Note the run and what it will ask in the database; returns its id."""
        run_id = self.store.start_run(self.config.record())
        for plan in self.plans:
            store_plan(self.store, plan, run_id)
        return run_id

    async def ask(self, listener: Listener) -> RunResult:
        """Ask what is missing, hosted models side by side, local ones one after the other; then close."""
        self._say = listener.say
        try:
            self._mention_batches()
            await self._find_likelihood_forms()
            return await self._ask_all(self.begin(), listener)
        finally:
            await self.aclose()

    def _mention_batches(self) -> None:
        """Say what would be paid twice: questions that are with a vendor already, at half price."""
        for plan in self.plans:
            held = batch_store.pending_keys(self.store, plan.provider.model_id) if plan.missing else set()
            again = sum(plan.provider.key(request) in held for _, request in missing_requests(plan)) if held else 0
            if again:
                sentence = (
                    f"{plan.provider.spec}: {again} of these questions are in batches that are not collected yet "
                    "(`clika batch collect`); asking them now pays for them again"
                )
                self.events.append(sentence)
                self._say(sentence)

    async def _find_likelihood_forms(self) -> None:
        """Find out before anything is noted whether the servers tell likelihoods; raises RunError where one does not.

        A server that cannot be reached now is found out by asking, as with every other question.
        """
        for plan in self.plans:
            find = plan.provider.likelihood_form
            if plan.asking.mode == "likelihood" and plan.missing and find is not None:
                with suppress(RetryableError):
                    await find()

    def _connected(self, model: str | Provider) -> Provider:
        provider = connect(model, self.config.options) if isinstance(model, str) else model
        self._providers.append(provider)
        return provider

    def _plan(self, provider: Provider) -> Plan:
        cached = CachedProvider(
            provider,
            self.store.database,
            self._writer,
            refresh=self.config.refresh,
        )
        asking = self.config.asking
        if asking.ask == "auto":
            asking = replace(asking, ask=self._decide(cached))
            if asking.mode != "text":
                asking = replace(asking, max_tokens=Asking().max_tokens)  # a cap is for the models that write
        tells = cached.likelihood_form is not None
        refuse_idle(provider.spec, asking, self.config.options, tells_likelihood=tells)
        plan = make_plan(cached, self._selections, self.config.style, asking)
        price = price_of(plan, self.config.prices)
        if price is not None:
            cached.cost_of = price.cost
        return plan

    def _decide(self, model: CachedProvider) -> AskMode:
        """How `auto` asks one model; what a probe of it showed stands in the run's notes."""
        asking = self.config.asking
        if model.usual_ask != "logprobs" or asking.samples:
            return "text"
        if asking.permute or not runs_in_process(model.spec):
            return "logprobs"
        languages = tuple(dict.fromkeys(tag for selection in self._selections for tag in selection.languages))

        async def probe() -> LetterProbe:
            try:
                return await probe_letters(model, self.config.style, languages)
            finally:
                await model.release()  # models take turns: the memory of one is there for the next

        found = finish(probe)
        self.notes.append(f"{model.spec}: {found.sentence()}")
        return found.ask

    async def _ask_all(self, run_id: str, listener: Listener) -> RunResult:
        local = [plan for plan in self.plans if plan.provider.runs_here]
        remote = [plan for plan in self.plans if not plan.provider.runs_here]
        status = "stopped"
        outcomes: list[Outcome] = []
        try:
            lanes = [*([plan] for plan in remote), local]
            await together(*(self._ask_lane(lane, outcomes, listener) for lane in lanes))
            await self._fall_back(run_id, outcomes, listener)
            status = _status(outcomes)
        finally:
            for plan in self.plans:
                self.notes += [f"{plan.provider.spec}: {note}" for note in plan.provider.notes]
            self._writer.flush()
            self.store.finish_run(run_id, status, self.notes, self.events)
        stops = [o.stop for o in outcomes if isinstance(o.stop, RunError)]
        fatal = next((e for e in stops if e.code not in (*_LATER, _QUOTA)), None)
        money = next((e for e in stops if e.code == _QUOTA), None)
        return RunResult(run_id, status, tuple(outcomes), (*self.notes, *self.events), fatal, money)

    async def _ask_lane(self, plans: Sequence[Plan], outcomes: list[Outcome], listener: Listener) -> None:
        """Models of one lane are asked one after the other; lanes run side by side."""
        for plan in plans:
            if not plan.missing:
                outcomes.append(Outcome(plan.provider.spec))
                continue
            price = price_of(plan, self.config.prices)
            on_event = partial(listener.event, plan)
            outcome = Outcome(plan.provider.spec, plan.missing)
            outcomes.append(outcome)
            before = plan.provider.last_served()
            try:
                price_at = None if price is None else price.estimate
                await ask(plan, on_event, self.budget, price_at, tell=listener.say, outcome=outcome)
            finally:
                await plan.provider.release()
                self._note_outcome(outcome, before)

    def _note_outcome(self, outcome: Outcome, before: str | None) -> None:
        """`before` is the model that served the latest reply of an earlier run."""
        if outcome.cost:
            counted = f"{outcome.input_tokens:,} input and {outcome.output_tokens:,} output tokens"
            useless = f", {outcome.useless} of them of no use" if outcome.useless else ""
            self.events.append(
                f"{outcome.spec}: {outcome.replies} replies cost ${outcome.cost:.4f} ({counted}){useless}"
            )
        if len(outcome.served) > 1:
            listed = ", ".join(f"{name} {count} times" for name, count in outcome.served.most_common(5))
            self.notes.append(f"{outcome.spec}: the model behind the name changed during the run: {listed}")
        elif before and outcome.served and before[:80] not in outcome.served:
            self.notes.append(
                f"{outcome.spec}: the model behind the name changed since the last run: {before[:80]} then, "
                f"{next(iter(outcome.served))} now; a row may hold answers of both"
            )
        if outcome.shared:
            self.events.append(f"{outcome.spec}: {outcome.shared} answers came from another process on this database")
        if isinstance(outcome.stop, BudgetReached):
            self.events.append(
                f"{outcome.spec}: stopped before exceeding --max-cost ({outcome.stop}); the row is partial"
            )
        elif outcome.stop is not None and not isinstance(outcome.stop, Stopped):
            self.events.append(f"{outcome.spec}: asking stopped: {outcome.stop}")

    async def _fall_back(self, run_id: str, outcomes: list[Outcome], listener: Listener) -> None:
        """Run the whole suite on the local model, as a row of its own, when a remote one gave up."""
        given_up = [o for o in outcomes if isinstance(o.stop, RunError)]
        if self._fallback is None or not given_up:
            return
        plan = self._plan(self._fallback)
        self.plans = (*self.plans, plan)
        store_plan(self.store, plan, run_id)
        for outcome in given_up:
            self.notes.append(
                f"{outcome.spec} could not be asked to the end, so {plan.provider.spec} was asked everything as a row "
                f"of its own; the row of {outcome.spec} holds only its own {outcome.answered} new answers"
            )
        listener.started(plan)
        await self._ask_lane([plan], outcomes, listener)


def _status(outcomes: Sequence[Outcome]) -> str:
    if any(isinstance(o.stop, BudgetReached) or getattr(o.stop, "code", None) == _QUOTA for o in outcomes):
        return "stopped"
    if any(o.stop is not None or o.lost for o in outcomes):
        return "incomplete"
    return "done"


def _as_asked(config: RunConfig) -> dict[str, Any]:
    """Sets and asking of a run that asks openly: each set in its open form, and `auto` decided for open sets.

    Raises UserError for a set that cannot be asked in the way that was chosen.
    """
    asking = config.asking
    if asking.ask == "auto" and config.sets and all(s.open for s in config.sets):
        asking = replace(asking, ask="open")
    if asking.ask != "open":
        for probe_set in config.sets:
            refuse_options(probe_set)
        return {"asking": asking}
    return {"asking": asking, "sets": tuple(open_form(s) for s in config.sets)}
