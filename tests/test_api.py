"""The Python API: what is public, and that it does what the commands do, wherever Python is used."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args, get_type_hints

import pytest
from clika import clika, records, write_probes
from servers.loopback import Loopback

import clika_client
from clika_cache import CacheError
from clika_client import Asking, ClikaError, MockProvider, Options, ProviderError, UserError
from clika_providers import ProviderOptions

QUICK = Options(bootstrap=100)


def own_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("clika")}


def test_every_public_name_is_callable_however_often_it_is_looked_up() -> None:
    """In a process of its own: importing a module of a function's name would put the module in its place."""
    code = (
        "import clika_client as c\n"
        "assert c.__all__ == sorted(c.__all__) and set(c.__all__) <= set(dir(c))\n"
        "first = {name: getattr(c, name) for name in c.__all__}\n"
        "for name in c.__all__:\n"
        "    again = getattr(c, name)\n"
        "    assert again is first[name] and callable(again), (name, again)\n"
        "    assert again.__module__.startswith('clika_'), (name, again.__module__)\n"
        "from clika_client import *\n"
        "assert callable(compare) and callable(reproduce)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_whatever_a_public_function_takes_or_returns_is_public_too_and_so_are_its_fields() -> None:
    public = {name: getattr(clika_client, name) for name in clika_client.__all__}
    kinds = {found for found in public.values() if isinstance(found, type)}
    hidden: set[str] = set()
    for name, found in public.items():
        if inspect.isfunction(found) or is_dataclass(found):
            home = vars(sys.modules[found.__module__]) | {"ClassVar": ClassVar}
            for where, kind in get_type_hints(found, globalns=home).items():
                hidden |= {f"{name}: {where}: {one.__name__}" for one in own_types(kind) - kinds}
    assert not hidden


def own_types(kind: Any) -> set[type]:
    """The classes of ours that an annotation names, however deep."""
    here = {kind} if isinstance(kind, type) and kind.__module__.startswith("clika") else set()
    return here.union(*(own_types(part) for part in get_args(kind)))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        clika_client.nonsense  # noqa: B018


def test_all_errors_have_one_root(tmp_path: Path) -> None:
    for kind in (UserError, CacheError, ProviderError, clika_client.IncompleteRun, clika_client.StoppedRun):
        assert issubclass(kind, ClikaError)
    probes = write_probes(tmp_path / "mine.jsonl")
    for call in (
        lambda: clika_client.score(tmp_path / "none.db"),
        lambda: clika_client.run([probes], ["nobody/m"], db=tmp_path / "c.db"),
        lambda: clika_client.run([tmp_path / "no.jsonl"], ["mock/say:A"], db=tmp_path / "c.db"),
        lambda: clika_client.run([probes], [object()], db=tmp_path / "c.db"),  # type: ignore[list-item]
    ):
        with pytest.raises(ClikaError):
            call()
    assert not own_threads()


def test_run_and_score_agree_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    probes = write_probes(tmp_path / "mine.jsonl")
    with Loopback() as server:
        report = clika_client.run(
            [str(probes)],
            ["openai/test"],
            db=tmp_path / "c.db",
            provider=ProviderOptions(base_url=server.url),
            scoring=QUICK,
        )
    assert report.result.status == "done"
    again = clika_client.score(tmp_path / "c.db", scoring=QUICK)
    assert again.to_records() == report.scores.to_records()
    printed = records(clika("score", "--db", tmp_path / "c.db", "--bootstrap", 100, "--json"))
    assert printed == again.to_records()


def test_providers_and_names_stand_side_by_side_and_one_may_stand_alone(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 4)
    mine = MockProvider(lambda request: request.labels[0], name="first")
    both = clika_client.run(probes, [mine, "mock/say:B"], db=tmp_path / "c.db", scoring=QUICK)
    assert [outcome.answered for outcome in both.result.outcomes] == [8, 8]
    assert {record.model for record in both.scores.records} == {"mock/first", "mock/say:B"}
    # Gold of item i is i mod 4: whoever always takes one option is right in a quarter.
    assert {record.accuracy for record in both.scores.records} == {0.25}
    one = clika_client.run(probes, MockProvider("C", name="alone"), db=tmp_path / "c.db", scoring=QUICK)
    assert one.scores.records[0].accuracy == 0.25


def test_what_is_stored_is_not_asked_again(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 4)
    for calls in (8, 0):
        mine = MockProvider("A")
        clika_client.run(probes, mine, db=tmp_path / "c.db", scoring=QUICK)
        assert len(mine.requests) == calls


def test_other_settings_do_not_change_how_a_model_is_asked(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 4)
    local = MockProvider("A", name="local")
    local.usual_ask = "logprobs"
    for asking in (None, Asking(max_tokens=16), Asking(ask="text")):
        clika_client.run(probes, local, db=tmp_path / "c.db", asking=asking, scoring=QUICK)
    # A cap on the length of replies changes nothing about probabilities: the second run asked nothing again.
    assert [request.mode for request in local.requests[::8]] == ["logprobs", "text"]


def test_run_works_inside_a_running_loop_and_arun_lets_others_work_beside_it(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 4)
    ticks = 0

    async def beside() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    async def notebook() -> tuple[Any, Any]:
        waited = clika_client.run(probes, MockProvider("A", name="a"), db=tmp_path / "c.db", scoring=QUICK)
        other = asyncio.create_task(beside())
        slow = MockProvider("B", name="b", concurrency=1, delay_s=0.01)
        awaited = await clika_client.arun(probes, slow, db=tmp_path / "c.db", scoring=QUICK)
        other.cancel()
        return waited, awaited

    waited, awaited = asyncio.run(notebook())
    assert (waited.result.status, awaited.result.status) == ("done", "done")
    assert ticks >= 8
    assert not own_threads()


def test_cancelling_arun_keeps_what_arrived_and_leaves_nothing_open(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 50)
    mine = MockProvider("A", concurrency=2, delay_s=0.005)

    async def impatient() -> None:
        run = asyncio.create_task(clika_client.arun(probes, mine, db=tmp_path / "c.db"))
        while len(mine.requests) < 20:
            await asyncio.sleep(0.001)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(impatient())
    assert not own_threads()
    scores = clika_client.score(tmp_path / "c.db", scoring=Options(bootstrap=0))
    assert 18 <= sum(record.answered for record in scores.records) < 100
    assert scores.runs[0]["status"] == "stopped"


def test_a_provider_that_breaks_ends_the_run_with_its_error_and_leaves_nothing_open(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 4)
    broken = MockProvider([ValueError("a slip of whoever wrote it")])
    with pytest.raises(ValueError, match="a slip"):
        clika_client.run(probes, [broken, MockProvider("A", name="good", delay_s=0.05)], db=tmp_path / "c.db")
    assert not own_threads()


def interrupted(_: object) -> str:
    raise KeyboardInterrupt


FAILURES: dict[str, Callable[[Path, Path], object]] = {
    "a wrong spec": lambda probes, db: clika_client.run(probes, "nobody/m", db=db),
    "the second of two wrong": lambda probes, db: clika_client.run(probes, ["mock/say:A", "mock/nonsense"], db=db),
    "a missing key": lambda probes, db: clika_client.run(probes, "openai/m", db=db),
    "a missing file": lambda probes, db: clika_client.run(probes, "gguf/none.gguf", db=db),
    "no server": lambda probes, db: clika_client.run(probes, "openai/m", db=db, provider=NOWHERE),
    "no database": lambda probes, db: clika_client.run(probes, "mock/say:A", db=probes),
    "an interrupt": lambda probes, db: clika_client.run(probes, MockProvider(interrupted), db=db),
}
NOWHERE = ProviderOptions(base_url="http://127.0.0.1:9/v1", key_command="echo k", max_retries=0)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_leaves_a_thread_or_an_open_file(
    tmp_path: Path, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    probes = write_probes(tmp_path / "mine.jsonl", 2)
    before = []
    for _ in range(3):
        with suppress(ClikaError, KeyboardInterrupt):
            FAILURES[failure](probes, tmp_path / "c.db")
        gc.collect()
        before.append(len(os.listdir("/proc/self/fd")))
        assert not own_threads()
    assert before[2] <= before[0]


def test_scores_and_comparisons_are_data_frames_and_tables_of_notebooks(tmp_path: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    probes = write_probes(tmp_path / "mine.jsonl", 4)
    models = [MockProvider("A", name="<b>a</b>"), MockProvider("B", name="b")]
    scores = clika_client.run(probes, models, db=tmp_path / "c.db", scoring=QUICK).scores
    compared = clika_client.compare("mock/<b>a</b>", "mock/b", tmp_path / "c.db", scoring=QUICK)
    for found in (scores, compared):
        frame = found.to_pandas()
        assert isinstance(frame, pandas.DataFrame)
        assert list(frame.columns) == list(found.to_records()[0])
        assert len(frame) == len(found.to_records())
        assert isinstance(found.to_polars(), polars.DataFrame)
        assert found.to_polars().shape == frame.shape
        html = found._repr_html_()
        assert html.count("<tr>") == len(found.to_records()) + 1
        assert "<b>" not in html
    assert frame["language"].tolist() == [record["language"] for record in compared.to_records()]
