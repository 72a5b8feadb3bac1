"""A run on a Ray cluster of two nodes: the same answers as on one machine, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gguf_factory
import pytest
from clika import COMMAND, KEY, clika, count, write_probes
from servers.loopback import Answer, Loopback, Seen
from test_server_likelihood import echoing

from clika_client.asking.config import RunConfig
from clika_client.asking.plan import Plan
from clika_client.asking.run import RunResult, SilentListener, evaluate
from clika_client.asking.settings import Asking
from clika_client.asking.workers import Event
from clika_client.prompts.catalogue import get_style
from clika_client.sets.catalogue import resolve
from clika_client.store.store import Store
from clika_providers import ProviderOptions, RunError
from clika_providers.cluster.actors import Actor, Shape
from clika_providers.cluster.flow import Limiter
from clika_providers.cluster.pool import Pool
from clika_providers.cluster.session import _reach, join, library
from clika_providers.cluster.settings import ClusterOptions
from clika_providers.cluster.worker import Facts

GUARD = Path(__file__).parent / "guard"
DEMO = Path(__file__).parents[1] / "clika_client" / "data" / "demo" / "clika-demo.q8_0.gguf"
NODE = {"num_cpus": 2, "object_store_memory": 80_000_000, "node_ip_address": "127.0.0.1"}


class Nodes:
    """Two nodes as processes of this machine."""

    def __init__(self, cluster: Any, nodes: list[Any]) -> None:
        self.address: str = cluster.address
        self._nodes = nodes

    def raylet(self, number: int) -> int:
        return int(self._nodes[number].all_processes["raylet"][0].process.pid)

    def workers(self) -> list[int]:
        """Processes of actors that hold a model, newest last."""
        raylets = {self.raylet(number) for number in range(len(self._nodes))}
        return [pid for pid in _processes() if _title(pid).startswith("ray::Worker") and _parent(pid) in raylets]

    def kill_node(self, number: int) -> None:
        """As a machine that loses its power: everything on it is gone at once."""
        raylet = self.raylet(number)
        for pid in [raylet, *(pid for pid in self.workers() if _parent(pid) == raylet)]:
            os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _title(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _patiently(find: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Ray gives a node 30 s to appear, asked as seldom as once; on a busy machine that is too short."""

    def found(address: str, node: str) -> Any:
        until = time.monotonic() + 300
        while True:
            try:
                return find(address, node)
            except RuntimeError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    return found


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    if importlib.util.find_spec("ray") is None:  # imported below, when it has been told where it is
        pytest.skip("ray is not installed")
    free = os.statvfs("/dev/shm") if Path("/dev/shm").exists() else None
    if free is None or free.f_bavail * free.f_frsize < 200e6:
        pytest.skip("/dev/shm holds less than 200 MB, which two Ray nodes need for their object stores")
    with pytest.MonkeyPatch.context() as patch:
        # Ray looks for the machine's outer address unless it is told that there is none.
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv(
            "RAY_prestart_worker_first_driver", "0"
        )  # else each driver starts a process per processor, for nothing
        home = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short: the names of sockets go into it
        patch.setenv("RAY_TMPDIR", home)
        patch.setenv("PYTHONPATH", str(GUARD))
        patch.setenv("CLIKA_HOME", str(tmp_path_factory.mktemp("nodes")))
        patch.setenv("OPENAI_API_KEY", KEY)
        from ray._private import services
        from ray.cluster_utils import Cluster

        patch.setattr(services, "get_node", _patiently(services.get_node))
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        try:
            found = Nodes(cluster, [cluster.head_node, cluster.add_node(**NODE)])
            join(cluster.address)  # once for all runs of this process; the command joins and leaves by itself
            yield found
        finally:
            with suppress(Exception):
                library().shutdown()
                cluster.shutdown()
            shutil.rmtree(home, ignore_errors=True)


class At(SilentListener):
    """Does something once so many replies have arrived; keeps what was said."""

    def __init__(self, number: int, then: Callable[[], None]) -> None:
        self._left, self._then = number, then
        self.said: list[str] = []

    def event(self, plan: Plan, event: Event) -> None:
        self._left -= 1
        if self._left == 0:
            self._then()

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def run(
    nodes: Nodes | None, db: Path, probes: Path, model: str, listener: SilentListener | None = None, ask: str = "auto",
    money: tuple[float, Path] | None = None, actors: int | None = None, gpus: float | None = None, **options: Any,
) -> RunResult:  # fmt: skip
    """On this machine where there are no `nodes`; `money` is the most that may be spent, and the prices."""
    most, prices = money or (None, None)
    config = RunConfig(
        sets=(resolve(str(probes)),), models=(model,), style=get_style("plain"), asking=Asking(ask=ask),  # type: ignore[arg-type]
        cluster=ClusterOptions(nodes.address, actors, gpus) if nodes else None, options=ProviderOptions(**options),
        max_cost=most, prices=prices,
    )  # fmt: skip
    with Store(db) as store:
        return evaluate(store, config, listener or SilentListener())


def replies(db: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(db)
    try:
        rows = connection.execute("SELECT key, text, choice_logprobs, option_figures FROM completions ORDER BY key")
        return rows.fetchall()
    finally:
        connection.close()


def questions(seen: list[Seen]) -> Counter[str]:
    return Counter(one.json()["messages"][-1]["content"] for one in seen if one.method == "POST")


def places(result: RunResult) -> int:
    """On how many nodes a run's replies were made."""
    (told,) = [note for note in result.notes if "asked through Ray" in note]
    return told.count("127.0.0.1 ")


def slowly(seen: Seen) -> Answer:
    return Answer(delay_s=0.05)


def test_a_local_model_gives_the_same_bits_under_the_same_keys_and_a_run_goes_on_elsewhere(
    nodes: Nodes, tmp_path: Path
) -> None:
    """A quarter is asked on this machine, the rest on the cluster, where an actor is killed: as if all were here."""
    model = gguf_factory.make(tmp_path / "tiny.gguf", gguf_factory.Recipe())
    probes = write_probes(tmp_path / "mine.jsonl", 80)
    clika("run", probes, "-m", f"gguf/{model}", "--ask", "logprobs", "--db", tmp_path / "here.db", "--bootstrap", "0")
    clika("run", probes, "-m", f"gguf/{model}", "--ask", "logprobs", "--db", tmp_path / "both.db", "--bootstrap", "0",
          "--limit", "20")  # fmt: skip
    killing = At(10, lambda: os.kill(nodes.workers()[-1], signal.SIGKILL))
    result = run(nodes, tmp_path / "both.db", probes, f"gguf/{model}", killing, "logprobs")
    assert (result.status, result.outcomes[0].asked) == ("done", 120)
    assert replies(tmp_path / "both.db") == replies(tmp_path / "here.db")
    assert any("was lost" in sentence for sentence in killing.said)


def test_likelihoods_of_a_local_model_are_the_same_bits(nodes: Nodes, tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 3)
    asked = (probes, f"gguf/{DEMO}")
    here = run(None, tmp_path / "here.db", *asked, ask="likelihood")
    there = run(nodes, tmp_path / "there.db", *asked, ask="likelihood", actors=1)
    assert here.status == there.status == "done"
    found = replies(tmp_path / "there.db")
    assert found == replies(tmp_path / "here.db")
    assert len(found) == 6
    assert all(figures for *_, figures in found)


def test_two_machines_share_one_limit(nodes: Nodes, tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 20)
    with Loopback() as server:
        result = run(nodes, tmp_path / "c.db", probes, "openai/m", base_url=server.url, rpm=1200)
        times = sorted(one.at for one in server.seen)
    assert (result.status, places(result), len(times)) == ("done", 2, 40), result.notes
    # Twenty a second for both; a late start may be caught up for 50 ms, and arrivals bunch up on a busy machine.
    assert times[-1] - times[0] > 0.8 * 39 / 20


def test_a_lost_worker_loses_no_reply_and_its_questions_are_asked_once_more(nodes: Nodes, tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 40)
    with Loopback(slowly) as server:
        killing = At(20, lambda: os.kill(nodes.workers()[-1], signal.SIGKILL))
        result = run(nodes, tmp_path / "c.db", probes, "openai/m", killing, base_url=server.url, concurrency=8)
        asked = questions(server.seen)
    assert (result.status, count(tmp_path / "c.db")) == ("done", 80)
    assert len(asked) == 80
    assert max(asked.values()) <= 2
    assert sum(asked.values()) - 80 <= 8, "more was asked again than was in flight"
    assert any("was lost" in sentence for sentence in killing.said)


def test_no_ceiling_is_passed_though_a_worker_is_lost_and_the_same_command_asks_what_is_missing(
    nodes: Nodes, tmp_path: Path
) -> None:
    """What was lost with its worker may have been billed: the server's bill holds it, and so does the ceiling."""
    probes, prices, db = write_probes(tmp_path / "mine.jsonl", 40), tmp_path / "prices.toml", tmp_path / "c.db"
    prices.write_text('[[price]]\nmodel = "openai/dear"\ninput = 100\noutput = 400\nsource = "a test"\n')
    each = (50 * 100 + 1 * 400) / 1e6
    with Loopback(slowly) as server:
        given = {"base_url": server.url, "concurrency": 4}
        killing = At(8, lambda: os.kill(nodes.workers()[-1], signal.SIGKILL))
        stopped = run(nodes, db, probes, "openai/dear", killing, money=(0.3, prices), **given)
        first, kept = questions(server.seen), count(db)
        assert (stopped.status, any("was lost" in sentence for sentence in killing.said)) == ("stopped", True)
        assert sum(first.values()) * each <= 0.3
        assert 8 < kept < 80
        done = run(nodes, db, probes, "openai/dear", money=(5.0, prices), **given)
        asked = questions(server.seen)
    assert (done.status, done.outcomes[0].asked, count(db), len(asked)) == ("done", 80 - kept, 80, 80)
    assert sum(asked.values()) - sum(first.values()) == 80 - kept, "more than what was missing was asked"


def test_a_server_tells_the_same_likelihoods_through_the_cluster(nodes: Nodes, tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 3)
    with Loopback(echoing) as server:
        given = {"base_url": server.url, "ask": "likelihood"}
        here = run(None, tmp_path / "here.db", probes, "openai/m", **given)
        there = run(nodes, tmp_path / "there.db", probes, "openai/m", **given)
    assert here.status == there.status == "done"
    assert replies(tmp_path / "there.db") == replies(tmp_path / "here.db")
    assert count(tmp_path / "there.db") == 6


def test_a_killed_driver_leaves_what_it_had_received_and_the_same_command_asks_the_rest(
    nodes: Nodes, tmp_path: Path
) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 40)
    db = tmp_path / "c.db"
    with Loopback(slowly) as server:
        words = ["run", probes, "-m", "openai/m", "--base-url", server.url, "--concurrency", "4", "--db", db,
                 "--bootstrap", "0", "--ray", nodes.address]  # fmt: skip
        driver = subprocess.Popen(
            [*COMMAND, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENAI_API_KEY": KEY, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
        )  # fmt: skip
        try:
            end = time.monotonic() + 300
            while time.monotonic() < end and not (db.exists() and _stored(db) >= 16):
                time.sleep(0.05)
        finally:
            driver.kill()
            driver.wait()
        kept = _stored(db)
        assert 16 <= kept < 80
        clika(*words, OPENAI_API_KEY=KEY, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
        asked = questions(server.seen)
    assert count(db) == 80
    assert len(asked) == 80
    assert sum(asked.values()) - 80 <= 8, "more was asked again than was in flight, or on its way to the file"


def _stored(db: Path) -> int:
    try:
        return count(db)
    except sqlite3.OperationalError:  # not made yet
        return 0


def test_the_cluster_and_what_it_lacks_are_told(nodes: Nodes, tmp_path: Path) -> None:
    done = clika("doctor", "--ray", nodes.address)
    assert done.stdout.count("node 127.0.0.1") == 2
    with pytest.raises(RunError, match="nothing answers there"):
        _reach("127.0.0.1:1")
    probes = write_probes(tmp_path / "mine.jsonl", 2)
    with pytest.raises(RunError, match="the cluster has 0 GPUs"):
        run(nodes, tmp_path / "c.db", probes, "gguf/no.gguf", gpus=1.0)
    with pytest.raises(RunError, match=r"no\.gguf"):
        run(nodes, tmp_path / "c.db", probes, "gguf/no.gguf", actors=1)


def test_a_lost_node_loses_no_reply_and_the_other_goes_on(nodes: Nodes, tmp_path: Path) -> None:
    """The last test: the node does not come back."""
    probes = write_probes(tmp_path / "mine.jsonl", 40)
    with Loopback(slowly) as server:
        killing = At(20, lambda: nodes.kill_node(1))
        result = run(nodes, tmp_path / "c.db", probes, "openai/m", killing, base_url=server.url, concurrency=8)
        asked = questions(server.seen)
    assert (result.status, count(tmp_path / "c.db")) == ("done", 80)
    assert len(asked) == 80
    assert sum(asked.values()) - 80 <= 8, "more was asked again than was in flight"
    assert any("was lost" in sentence for sentence in killing.said)


def test_slots_of_the_dead_are_given_back_and_two_clients_share_one_cap() -> None:
    async def story() -> tuple[int, list[int]]:
        limiter = Limiter(1, None, None, hold_s=0.05)
        await limiter.tell("died", [(1, 1.0)], [])
        assert await limiter.granted("died") == [1]
        await limiter.tell("lives", [(1, 1.0)], [])
        await asyncio.sleep(0)
        held = (await limiter.most_in_flight())[0]
        return held, await asyncio.wait_for(limiter.granted("lives"), 60)

    assert asyncio.run(story()) == (1, [1])


def test_machines_that_would_answer_differently_are_refused_in_a_sentence() -> None:
    shape = Shape("gguf/m.gguf", ProviderOptions(), 2, 1, 0)
    facts = [Facts({"weights": "w", "build": build}, 4, "logprobs", build * 6, "10.0.0.1", 1) for build in "ab"]
    pool = Pool(shape, asyncio.new_event_loop(), lambda _: None)
    try:
        with pytest.raises(RunError, match=r"build is a at 10\.0\.0\.1 aaaaaa and b at 10\.0\.0\.1 bbbbbb"):
            pool._agree([Actor(None, one) for one in facts])
    finally:
        pool._loop.close()
