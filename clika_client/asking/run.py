"""One invocation from sets and models to stored replies: connect and plan, then ask, and note what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from clika_cache import CachedProvider, Writer
from clika_client.asking.ask_mode import LetterProbe, probe_letters
from clika_client.asking.budget import Budget, BudgetReached
from clika_client.asking.config import RunConfig, as_asked
from clika_client.asking.idle_options import refuse_idle, refuse_idle_address
from clika_client.asking.outcome_notes import about_the_answers, about_this_run, of_the_prompts
from clika_client.asking.plan import Plan, make_plan, select, store_plan
from clika_client.asking.price import price_of
from clika_client.asking.requests import missing_requests
from clika_client.asking.settings import Asking
from clika_client.asking.workers import Event, Outcome, ask
from clika_client.common.errors import UserError
from clika_client.common.running import finish, together
from clika_client.prompts.open import open_notes
from clika_client.prompts.style import style_notes
from clika_client.store import batches as batch_store
from clika_client.store.store import Store
from clika_providers import AskMode, Provider, RetryableError, RunError
from clika_providers.registry import as_provider, connect, parse_spec

if TYPE_CHECKING:
    from clika_providers.cluster.session import ClusterSession

_QUOTA = "quota"
_LATER = ("circuit", "wait", "unreachable")
"""Codes of a RunError that may be gone the next time: the server is down, or asks to wait for long."""


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


class SilentListener:
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
            if config.cluster is not None and not isinstance(model, str):
                raise UserError(f"{model.spec} is an object of this process; a cluster needs its name, PROVIDER/MODEL")
            # A slip in the last name is told before the first model is set up.
            parse_spec(model) if isinstance(model, str) else as_provider(model, "a model that is not named by a spec")
        self.store = store
        config = self.config = as_asked(config)
        of_style = open_notes if config.asking.ask == "open" else style_notes
        self.notes = [note for s in config.sets for note in of_style(config.style, s)]
        self.events: list[str] = []
        """What concerns this run only, and is no news under a later table."""
        self._say: Callable[[str], None] = lambda _: None
        self.budget = None if config.max_cost is None else Budget(config.max_cost)
        self._writer = Writer(store.database, tell=lambda sentence: self._say(sentence))
        self._providers: list[Provider] = []
        self._cluster: ClusterSession | None = None
        try:
            self._selections = [select(s, config.languages, config.items) for s in config.sets]
            asked = [self._connected(model) for model in config.models]
            # A missing file is told now, not after hours of asking.
            self._fallback = self._connected(config.fallback) if config.fallback else None
            refuse_idle_address(self._providers, config.options)
            self.plans = tuple(self._plan(provider) for provider in asked)
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
            if self._cluster is not None:
                await asyncio.to_thread(self._cluster.close)
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
            await self._check_servers()
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

    async def _check_servers(self) -> None:
        """Find out before anything is noted what only the servers can tell; raises RunError where it is not so.

        A server that cannot be reached now is found out by asking, as with every other question.
        """
        for plan in self.plans:
            if plan.missing:
                await plan.provider.prepare()
            if plan.asking.mode == "likelihood" and plan.missing and plan.provider.tells_likelihood:
                with suppress(RetryableError):
                    await plan.provider.likelihood_form()

    def _connected(self, model: str | Provider) -> Provider:
        provider = self._found(model) if isinstance(model, str) else model
        self._providers.append(provider)
        return provider

    def _found(self, spec: str) -> Provider:
        if self.config.cluster is None:
            return connect(spec, self.config.options)
        if self._cluster is None:
            from clika_providers.cluster.session import ClusterSession

            self._cluster = ClusterSession(self.config.cluster, lambda sentence: self._say(sentence))
        return self._cluster.connect(spec, self.config.options)

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
        refuse_idle(provider, asking, self.config.options)
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
        if asking.permute or not model.runs_here:
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
            self.events += self._cluster.events() if self._cluster else []
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
                self.notes += about_the_answers(outcome, before)
                self.events += about_this_run(outcome)
                if said := of_the_prompts(outcome):
                    listener.say(said)

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
