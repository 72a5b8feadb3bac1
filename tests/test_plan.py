"""What a run will ask: cells, what is missing of them, and what the rest may cost."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from clika import COMMAND, clika, count, write_probes

from clika_cache import CachedProvider, Writer
from clika_client.asking.plan import Items, Plan, Selection, make_plan, select, store_plan
from clika_client.asking.requests import missing_requests
from clika_client.asking.settings import Asking, make_request
from clika_client.common.errors import UserError
from clika_client.prompts.catalogue import get_style
from clika_client.sets.user import read_user_set
from clika_client.store.store import Cell, Store
from clika_providers import MockProvider

PLAIN = get_style("plain")


class Bench:
    """A store with a set of five items in two languages, and a cached provider on it."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "c.db")
        self.writer = Writer(self.store.database)
        self.provider = CachedProvider(MockProvider("A", concurrency=4), self.store.database, self.writer)
        self.set = read_user_set(write_probes(folder / "mine.jsonl", 5))

    def select(self, languages: tuple[str, ...] | None = None, limit: int | None = None) -> Selection:
        return select(self.set, languages, Items(limit=limit))

    def plan(self, selection: Selection | None = None, **asking: object) -> Plan:
        chosen = [selection or self.select()]
        return make_plan(self.provider, chosen, PLAIN, Asking(**asking))  # type: ignore[arg-type]

    def keep(self, plan: Plan) -> list[Cell]:
        """Store a plan as a run does; the cells that are stored then."""
        store_plan(self.store, plan, self.store.start_run({}))
        return self.store.cells()

    def answer(self, plan: Plan, first: int) -> None:
        """Ask and store the first so many of what is missing."""
        requests = [request for _, request in missing_requests(plan)][:first]

        async def go() -> None:
            for request in requests:
                await self.provider.complete(request)

        asyncio.run(go())
        self.writer.flush()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.writer.close()
    made.store.close()


def test_a_new_plan_misses_everything_and_an_answered_one_nothing(bench: Bench) -> None:
    plan = bench.plan()
    assert (plan.total, plan.missing) == (10, 10)
    bench.answer(plan, 10)
    again = bench.plan()
    assert (again.total, again.missing, again.input_tokens) == (10, 0, 0)
    assert list(missing_requests(again)) == []


def test_a_plan_after_a_stop_misses_exactly_the_rest(bench: Bench) -> None:
    first = bench.plan()
    asked = [request for _, request in missing_requests(first)]
    bench.answer(first, 7)
    rest = bench.plan()
    assert [request for _, request in missing_requests(rest)] == asked[7:]
    assert [cell.missing.tolist() for cell in rest.cells] == [[4], [3, 4]]


def test_hosted_questions_are_asked_item_by_item_so_that_a_stopped_run_is_a_smaller_table(bench: Bench) -> None:
    plan = bench.plan(permute=True)
    cells = len(plan.cells)
    assert cells > len({cell.language for cell in plan.cells}) == 2
    bench.answer(plan, 3 * cells)
    assert [cell.missing.tolist() for cell in bench.plan(permute=True).cells] == [[3, 4]] * cells


def test_planning_alone_writes_nothing(bench: Bench) -> None:
    bench.plan()
    assert bench.store.cells() == []
    for table in ("sets", "models", "runs"):
        assert count(bench.store.database.path, table) == 0


def test_a_stored_plan_is_a_run_that_can_be_scored(bench: Bench) -> None:
    cells = bench.keep(bench.plan())
    assert [cell.key.language for cell in cells] == ["en", "de"]
    assert [cell.asked().tolist() for cell in cells] == [[0, 1, 2, 3, 4]] * 2
    assert all(bench.store.replies(cell).texts == [] for cell in cells)


def test_positions_of_a_limited_choice_are_those_of_the_whole_set(bench: Bench) -> None:
    selection = bench.select(("de",), limit=2)
    chosen = [bench.set.items[p].item_id for p in selection.positions]
    assert chosen == [item.item_id for item in bench.set.select(["de"], 2, 0).items]
    plan = bench.plan(selection)
    assert plan.cells[0].missing.tolist() == list(selection.positions)
    (cell,) = bench.keep(plan)
    assert cell.asked().tolist() == list(selection.positions)


def test_cyclic_orders_and_repeats_are_cells_of_their_own_with_keys_of_their_own(bench: Bench) -> None:
    plan = bench.plan(permute=True, repeats=3)
    k, languages = 4, 2
    assert len(plan.cells) == languages * k * 3
    assert plan.total == plan.missing == 5 * languages * k * 3
    keys = {bench.provider.key(request) for _, request in missing_requests(plan)}
    assert len(keys) == plan.total


def test_the_same_question_is_the_same_request_every_time(bench: Bench) -> None:
    one, two = (make_request(bench.set, "de", 3, PLAIN, Asking(ask="text"), 0, 0) for _ in range(2))
    assert bench.provider.key(one) == bench.provider.key(two)
    assert bench.provider.key(one) != bench.provider.key(
        make_request(bench.set, "en", 3, PLAIN, Asking(ask="text"), 0, 0)
    )


@pytest.mark.parametrize("change", [{"max_tokens": 5}, {"temperature": 0.7}, {"seed": 3}, {"thinking": True}])
def test_other_settings_are_another_row_and_ask_again(bench: Bench, change: dict[str, object]) -> None:
    usual = bench.plan()
    bench.answer(usual, 10)
    other = bench.plan(None, **change)
    bench.keep(usual)
    assert other.missing == 10
    settings = {cell.key.settings for cell in bench.keep(other)}
    assert settings == {"{}", json.dumps(change, separators=(",", ":"))}


def test_refreshing_misses_everything(bench: Bench) -> None:
    bench.answer(bench.plan(), 10)
    bench.provider = CachedProvider(bench.provider.provider, bench.store.database, bench.writer, refresh=True)
    assert bench.plan().missing == 10


def test_what_auto_stands_for_is_the_providers_to_say(bench: Bench) -> None:
    assert bench.plan().asking.ask == "text"
    local = MockProvider()
    local.usual_ask = "logprobs"
    bench.provider = CachedProvider(local, bench.store.database, bench.writer)
    assert bench.plan().asking.ask == "logprobs"
    assert bench.plan(max_tokens=5).asking.ask == "logprobs"
    assert bench.plan(ask="text").asking.ask == "text"


def test_an_unknown_language_is_refused_before_anything_is_stored(bench: Bench) -> None:
    with pytest.raises(UserError, match=r"'xx'.*en, de"):
        bench.select(("xx",))


def test_tokens_are_estimated_from_the_bytes_that_will_be_sent(bench: Bench) -> None:
    plan = bench.plan()
    sent = sum(len(m.content.encode()) for _, request in missing_requests(plan) for m in request.messages)
    assert sum(cell.prompt_bytes for cell in plan.cells) == sent
    # Real tokenizers make 2 to 5 bytes of running text a token; some are spent on the roles.
    assert sent / 5 <= plan.input_tokens <= sent / 2 + 20 * plan.missing


def test_a_dry_run_multiplies_tokens_by_the_price_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    probes = write_probes(tmp_path / "mine.jsonl", 500)
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nmodel = "openai/test"\ninput = 1000\noutput = 0\nsource = "a test"\n')
    done = clika(
        "run", probes, "-m", "openai/test", "--db", tmp_path / "c.db", "--prices", prices, "--dry-run", "--json"
    )
    (row,) = json.loads(done.stdout)["plan"]
    assert row["to_send"] == 1000
    # 1000 dollars a million tokens is a tenth of a cent each; each request's tokens are rounded.
    assert row["estimated_cost_usd"] == pytest.approx(row["estimated_input_tokens"] / 1000, rel=0.02)


MEASURE = (
    "import resource, subprocess, sys\n"
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
    "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
)


def peak_mb(*arguments: object) -> float:
    """Peak memory of a `clika` command, megabytes.

    Started by a small process in between: a child's peak counts from its parent's size at the fork, and this
    process may be large with what other tests loaded.
    """
    command = [sys.executable, "-c", MEASURE, *COMMAND, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, kilobytes = map(int, done.stdout.split())
    assert code == 0
    return kilobytes / 1024


def test_fifty_times_the_questions_take_little_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """About half of what the questions would take if they were kept as objects, which is measured here."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    peaks = []
    for items in (300, 15_000):
        probes = write_probes(tmp_path / f"{items}.jsonl", items)
        peaks.append(peak_mb("run", probes, "-m", "openai/test", "--db", tmp_path / f"{items}.db", "--dry-run"))
    some = write_probes(tmp_path / "some.jsonl", 2000).read_text("utf-8").splitlines()
    tracemalloc.start()
    objects = [json.loads(line) for line in some]
    each = tracemalloc.get_traced_memory()[0] / len(objects)
    tracemalloc.stop()
    assert peaks[1] - peaks[0] < 0.6 * each * 2 * 15_000 / 2**20
