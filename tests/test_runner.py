"""Asking: budgets that hold with many requests in flight, what stops a run, what is counted, what is shown."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from clika import clika, count, write_probes
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from servers.loopback import Answer, Loopback, Seen, chat

from clika_cache import CachedProvider, Writer
from clika_client.asking.budget import Budget, BudgetReached
from clika_client.asking.plan import Items, Plan, PlannedCell, make_plan, select
from clika_client.asking.settings import Asking
from clika_client.asking.workers import Event, Outcome, ask, most_tokens
from clika_client.cli.progress import RunProgress
from clika_client.prompts.catalogue import get_style
from clika_client.sets.user import read_user_set
from clika_client.store.store import Store
from clika_providers import BaseProvider, Completion, ItemError, Json, Message, Request, RetryableError, RunError, Usage

Reply = Callable[[int], Completion | Exception]
ITEMS = 20


class Scripted(BaseProvider):
    """Answers request number i (from 0) as told, after a moment; remembers how many were in flight at once."""

    spec = "scripted/m"
    identity: Mapping[str, Json] = {"provider": "scripted", "model": "m"}

    def __init__(self, reply: Reply, concurrency: int = 8) -> None:
        self.reply = reply
        self.concurrency = concurrency
        self.calls = self.flying = self.most = 0

    async def complete(self, request: Request) -> Completion:
        number, self.calls = self.calls, self.calls + 1
        self.flying += 1
        self.most = max(self.most, self.flying)
        await asyncio.sleep(0.001 * (1 + number % 3))
        self.flying -= 1
        found = self.reply(number)
        if isinstance(found, Exception):
            raise found
        return found


def said(text: str = "A", tokens: int | None = 10, finish: str = "stop") -> Completion:
    return Completion(text, finish, usage=Usage(tokens, None if tokens is None else 1))


class Desk:
    """Runs a plan of 2 x ITEMS requests against a scripted provider on a real database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "c.db")
        self.set = read_user_set(write_probes(folder / "mine.jsonl", ITEMS))
        self.events: list[Event] = []

    def ask(self, provider: Scripted, budget: Budget | None = None, price: float = 0.0) -> Outcome:
        """Every request costs `price` per thousand input tokens; `worst` is what its prompt could cost."""
        writer = Writer(self.store.database)
        cached = CachedProvider(
            provider,
            self.store.database,
            writer,
            cost_of=lambda usage: None if usage.input_tokens is None else usage.input_tokens * price / 1000,
        )
        plan = make_plan(cached, [select(self.set, None, Items())], get_style("plain"), Asking())
        try:
            return asyncio.run(ask(plan, self.events.append, budget, lambda tokens, _: tokens * price / 1000))
        finally:
            writer.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


def test_everything_is_asked_once_with_no_more_in_flight_than_allowed(desk: Desk) -> None:
    provider = Scripted(lambda _: said(), concurrency=5)
    outcome = desk.ask(provider)
    assert (outcome.asked, outcome.answered, outcome.lost, outcome.stop) == (40, 40, 0, None)
    assert provider.calls == 40
    assert 1 < provider.most <= 5
    assert (outcome.input_tokens, outcome.output_tokens) == (400, 40)
    assert len(desk.events) == 40


@pytest.mark.parametrize("concurrency", [1, 3, 40])
def test_a_question_that_stands_at_several_items_is_paid_once_and_answers_all(desk: Desk, concurrency: int) -> None:
    rows = [json.loads(line) for line in (desk.folder / "mine.jsonl").read_text().splitlines()]
    for row in rows:  # three items each ask the same
        asked = f"{row['language']} {int(row['item_id'][1:]) // 3}"
        row |= {"question": asked, "choices": [f"{asked}-{j}" for j in range(4)], "gold": 0}
    path = desk.folder / "repeating.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    desk.set = read_user_set(path)
    distinct = {row["question"] for row in rows}
    provider = Scripted(lambda _: said(), concurrency)
    outcome = desk.ask(provider)
    assert provider.calls == outcome.answered == outcome.to_ask == len(distinct) < len(rows) / 2
    assert desk.ask(Scripted(lambda _: said())).to_ask == 0


def test_failed_requests_are_counted_with_their_reason_and_the_rest_goes_on(desk: Desk) -> None:
    def reply(number: int) -> Completion | Exception:
        return ItemError("too long") if number % 4 == 0 else RetryableError("gone") if number == 1 else said()

    outcome = desk.ask(Scripted(reply))
    assert (outcome.answered, outcome.failed, outcome.filtered) == (29, 11, 0)
    assert outcome.reasons == {"too long": 10, "gone": 1}
    assert outcome.stop is None


@pytest.mark.parametrize("reply", [said("", finish="content_filter"), said("", finish="length")])
def test_filtered_and_cut_replies_are_lost_not_answered_and_asked_again(desk: Desk, reply: Completion) -> None:
    outcome = desk.ask(Scripted(lambda number: reply if number < 3 else said()))
    assert (outcome.answered, outcome.filtered, outcome.failed, outcome.lost) == (37, 3, 0, 3)
    assert sum(outcome.reasons.values()) == 3
    again = Scripted(lambda _: said())
    assert desk.ask(again).answered == again.calls == 3


def test_an_error_that_concerns_every_request_stops_all_workers(desk: Desk) -> None:
    def reply(number: int) -> Completion | Exception:
        return RunError("the key was not accepted") if number >= 6 else said()

    provider = Scripted(reply, concurrency=4)
    outcome = desk.ask(provider)
    assert isinstance(outcome.stop, RunError)
    assert outcome.answered == 6
    assert provider.calls <= 6 + 2 * 4
    again = Scripted(lambda _: said())
    assert desk.ask(again).answered == again.calls == 40 - 6


def test_cancelling_keeps_what_arrived(desk: Desk) -> None:
    class Stop(Exception):
        pass

    def stop_after_ten(event: Event) -> None:
        desk.events.append(event)
        if len(desk.events) == 10:
            raise Stop

    writer = Writer(desk.store.database)
    provider = Scripted(lambda _: said(), concurrency=4)
    cached = CachedProvider(provider, desk.store.database, writer)
    chosen = [select(desk.set, None, Items())]
    plan = make_plan(cached, chosen, get_style("plain"), Asking())
    with pytest.raises(Stop):
        asyncio.run(ask(plan, stop_after_ten))
    writer.close()
    assert len(desk.events) >= 10
    assert count(desk.store.database.path) >= 10
    assert provider.calls <= 10 + 2 * 4


# ---- budgets


def test_a_budget_is_spent_to_its_last_whole_request_and_never_beyond(desk: Desk) -> None:
    """Each request costs 1 cent and could cost more; with 1 dollar for 40 of them nothing is refused."""
    outcome = desk.ask(Scripted(lambda _: said(tokens=10)), Budget(1.0), price=1.0)
    assert (outcome.answered, outcome.stop) == (40, None)
    assert outcome.cost == pytest.approx(0.40)


@pytest.mark.parametrize("concurrency", [1, 8, 64])
def test_the_ceiling_holds_with_any_number_in_flight_when_every_request_costs_its_most(
    desk: Desk, concurrency: int
) -> None:
    worst: list[float] = []
    budget = Budget(1.0)

    class Greedy(Scripted):
        async def complete(self, request: Request) -> Completion:
            assert budget.spent + budget.reserved <= budget.ceiling + 1e-9
            await super().complete(request)
            worst.append(most_tokens(request) / 1000)
            return said(tokens=most_tokens(request))

    outcome = desk.ask(Greedy(lambda _: said(), concurrency), budget, price=1.0)
    assert isinstance(outcome.stop, BudgetReached)
    assert outcome.cost == pytest.approx(sum(worst))
    assert outcome.cost <= 1.0
    # What is left would not have paid for another request of the largest size seen.
    assert 1.0 - outcome.cost < max(worst) * 1.01


def test_money_set_aside_for_requests_in_flight_is_waited_for_not_given_up(desk: Desk) -> None:
    """Prompts of about 100 bytes could cost 10 cents and more, but cost one: 1 dollar pays for all 40."""
    provider = Scripted(lambda _: said(tokens=10), concurrency=64)
    outcome = desk.ask(provider, Budget(1.0), price=1.0)
    assert outcome.answered == 40
    assert provider.most < 20


def test_a_reply_without_token_counts_spends_all_that_was_set_aside(desk: Desk) -> None:
    budget = Budget(1.0)
    outcome = desk.ask(Scripted(lambda _: said(tokens=None)), budget, price=1.0)
    assert isinstance(outcome.stop, BudgetReached)
    assert 0 < outcome.answered < 15
    assert 0.8 < budget.spent <= 1.0


@settings(deadline=None, max_examples=60)
@given(
    amounts=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1)), min_size=1, max_size=40),
    ceiling=st.floats(0, 20),
    width=st.integers(1, 8),
)
def test_spent_and_set_aside_never_pass_the_ceiling(
    amounts: list[tuple[float, float]], ceiling: float, width: int
) -> None:
    budget = Budget(ceiling)
    source = iter(amounts)

    async def worker() -> None:
        for most, share in source:
            if not await budget.reserve(most):
                return
            assert budget.spent + budget.reserved <= ceiling + 1e-9
            await asyncio.sleep(0)
            budget.settle(most, most * share)

    async def go() -> None:
        await asyncio.wait_for(asyncio.gather(*(worker() for _ in range(width))), 60)

    asyncio.run(go())
    assert budget.spent <= ceiling + 1e-9
    assert budget.reserved == 0.0


def test_the_most_a_prompt_can_take_is_above_what_byte_tokenizers_make_of_it() -> None:
    text = "መልሱ ምንድን ነው? 答えは何ですか"
    assert most_tokens(Request((Message("user", text),))) > len(text.encode())


# ---- as a user meets it


PRICES = """
[[price]]
model = "openai/priced"
input = 100
output = 400
source = "a test"
"""


def priced(tmp_path: Path, server: Loopback, *more: object, check: int | None = 0, model: str = "openai/priced"):  # type: ignore[no-untyped-def]
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    probes = tmp_path / "mine.jsonl"
    if not probes.exists():
        write_probes(probes, 60)
    return clika(
        "run", probes, "-m", model, "--base-url", server.url, "--db", tmp_path / "c.db", "--prices", prices,
        "--bootstrap", 0, "--concurrency", 16, *more, check=check, OPENAI_API_KEY="none",
    )  # fmt: skip


def test_max_cost_stops_before_it_is_passed_and_the_same_command_resumes(tmp_path: Path) -> None:
    # 50 tokens in and 1 out: 0.0054 dollars a request, 0.648 for all 120.
    def answer(seen: Seen) -> Answer:
        return Answer(body=chat("A"), delay_s=0.01)

    with Loopback(answer) as server:
        stopped = priced(tmp_path, server, "--max-cost", 0.3, check=3)
        sent = len(server.seen)
        assert sent * 0.0054 <= 0.3
        assert sent >= 40, "most of the money should have been used"
        assert count(tmp_path / "c.db") == sent
        assert "--max-cost" in stopped.stderr
        assert "resume" in stopped.stderr
        done = priced(tmp_path, server, "--max-cost", 10, "--json")
        assert len(server.seen) == 120
    assert all(row["coverage"] == 1.0 for row in json.loads(done.stdout)["records"])
    spent = sqlite3.connect(tmp_path / "c.db").execute("SELECT sum(cost) FROM completions").fetchone()[0]
    assert spent == pytest.approx(120 * 0.0054)


def test_max_cost_refuses_to_start_where_no_price_is_known(tmp_path: Path) -> None:
    with Loopback() as server:
        done = priced(tmp_path, server, "--max-cost", 5, check=2, model="openai/nobody-knows")
        assert server.seen == []
    assert "openai/nobody-knows" in done.stderr
    assert "--max-cost" in done.stderr


def test_a_ceiling_below_one_request_sends_nothing(tmp_path: Path) -> None:
    with Loopback() as server:
        priced(tmp_path, server, "--max-cost", 0.000001, check=3)
        assert server.seen == []


def test_filtered_replies_make_a_run_incomplete(tmp_path: Path) -> None:
    def answer(seen: Seen) -> Answer:
        body = chat("A")
        if seen.number <= 4:
            body["choices"][0].update(finish_reason="content_filter", message={"role": "assistant", "content": ""})
        return Answer(body=body)

    with Loopback(answer) as server:
        done = priced(tmp_path, server, "--json", check=1)
        assert sum(row["n"] - row["answered"] for row in json.loads(done.stdout)["records"]) == 4
        priced(tmp_path, server)
        assert len(server.seen) == 124


# ---- what is shown


class Shown:
    """A progress display on a console that is kept as text."""

    def __init__(self, plan: Plan, terminal: bool = False) -> None:
        self.file = io.StringIO()
        self.plan = plan
        self.progress = RunProgress(Console(file=self.file, force_terminal=terminal, width=120))

    def event(self, cell: PlannedCell, completion: Completion | None) -> None:
        self.progress.event(self.plan, Event(cell, completion, None if completion else ItemError("no")))

    @property
    def lines(self) -> list[str]:
        return self.file.getvalue().splitlines()


@pytest.fixture
def plan(desk: Desk) -> Iterator[Plan]:
    writer = Writer(desk.store.database)
    cached = CachedProvider(Scripted(lambda _: said()), desk.store.database, writer)
    chosen = [select(desk.set, None, Items())]
    yield make_plan(cached, chosen, get_style("plain"), Asking())
    writer.close()


def test_without_a_terminal_a_run_says_where_it_begins_and_ends(plan: Plan) -> None:
    shown = Shown(plan)
    with shown.progress:
        shown.progress.planned([plan])
        for number in range(40):
            shown.event(plan.cells[number % 2], said() if number else None)
    assert shown.lines[0] == "scripted/m: asking 40 of 40"
    assert len(shown.lines) == 2
    assert shown.lines[1].startswith("40/40 asked, ")
    assert "429 tokens" in shown.lines[1]
    assert shown.lines[1].endswith("about 0 s left, 1 failed")
    assert "\x1b" not in shown.file.getvalue()


def test_without_a_terminal_a_long_run_speaks_now_and_then(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("clika_client.cli.progress.time.monotonic", lambda: now)
    short, long = (replace(cell, prompt_bytes=each * ITEMS) for cell, each in zip(plan.cells, (100, 300), strict=True))
    shown = Shown(replace(plan, cells=(short, long)))
    with shown.progress:
        shown.progress.planned([shown.plan])
        for number in range(30):
            now += 1.0
            shown.event(short if number < ITEMS else long, said())
    spoken = [line.split(",")[0] for line in shown.lines[1:]]
    assert spoken == ["10/40 asked", "20/40 asked", "30/40 asked"]
    assert "1.0/s" in shown.lines[1]
    # 1,000 of 8,000 bytes in ten seconds: what is still to come is longer than what was asked.
    assert "about 70 s left" in shown.lines[1]


def test_on_a_terminal_each_model_has_a_line_with_its_language_cost_and_failures(plan: Plan) -> None:
    plan.provider.cost_of = lambda _: 0.25  # type: ignore[attr-defined]
    shown = Shown(plan, terminal=True)
    with shown.progress:
        shown.progress.planned([plan])
        for cell in plan.cells:
            for number in range(ITEMS):
                shown.event(cell, said() if number else None)
        (task,) = shown.progress._bars.tasks  # type: ignore[union-attr]
    assert (task.description, task.completed, task.total) == ("scripted/m", 40, 40)
    note = task.fields["note"]
    assert plan.cells[-1].language in note
    assert "$9.5000" in note
    assert "2 failed" in note


def test_where_80_columns_must_hold_it_a_line_keeps_count_time_and_the_end_of_the_name(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(plan.provider), "spec", "gguf/" + "a-very-long-name-of-a-model-" * 2 + "q8_0.gguf")
    shown = Shown(plan, terminal=True)
    shown.progress._console.width = 80
    with shown.progress:
        shown.progress.planned([plan])
        shown.event(plan.cells[0], said())
        bars = shown.progress._bars
        assert bars is not None
        buffer = Console(file=io.StringIO(), width=80)
        buffer.print(bars.get_renderable())
    (line,) = buffer.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert line.startswith("…")
    assert "q8_0.gguf" in line
    assert " 1/40 " in line
    assert "left" in line


def test_nothing_is_said_when_nothing_is_asked(plan: Plan) -> None:
    shown = Shown(plan)
    with shown.progress:
        shown.progress.planned([])
    assert shown.lines == []


def test_progress_goes_to_stderr_only(tmp_path: Path) -> None:
    with Loopback() as server:
        done = priced(tmp_path, server, "--json")
    assert "asked" in done.stderr
    assert "asked" not in done.stdout
    json.loads(done.stdout)
