"""A run's connection to a Ray cluster: joins it, gives each model its actors, and leaves it again.

Nothing is ever told to Ray's makers: their usage report is switched off before the library is imported.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from clika_providers.cluster.actors import Shape
from clika_providers.cluster.flow import NAMESPACE, RemoteFlow, flow_name
from clika_providers.cluster.pool import Pool
from clika_providers.cluster.provider import RayHosted, RayModel
from clika_providers.cluster.settings import ClusterOptions
from clika_providers.errors import RunError
from clika_providers.gguf.discover import HUB
from clika_providers.hosted.adapter import Adapter
from clika_providers.hosted.servers import known_servers
from clika_providers.hosted.several import connect_several
from clika_providers.install import install_hint
from clika_providers.keys import redact
from clika_providers.options import ProviderOptions
from clika_providers.provider import Provider
from clika_providers.registry import connect, parse_spec

T = TypeVar("T")
_REACH_S = 5.0
_SLIVER = 0.01
"""Of a processor, for what only talks to servers; without any, Ray would put all actors where the driver is."""
_HOLD_S = 30.0
"""Beyond a call's time limit: after that a slot's owner is dead."""


def library() -> ModuleType:
    """ray, imported without its usage report; raises RunError where it is not installed."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own making, at import
            import ray
    except ImportError as error:
        raise RunError(f"--ray needs the package ray ({error}). Install it with: {install_hint('ray')}") from None
    found: ModuleType = ray
    return found


def join(address: str) -> bool:
    """Connect this process to a cluster; False where it was connected already. Raises RunError with the cure."""
    ray = library()
    if ray.is_initialized():
        return False
    if "://" in address:
        raise RunError(
            f"--ray {redact(address)!r}: give HOST:PORT of the cluster's head, `auto` on a machine of the cluster, or "
            "`local`; Ray's client protocol is not used, so start clika on a machine of the cluster",
            code="setup",
        )
    if address not in ("auto", "local"):
        _reach(address)
    before = signal.getsignal(signal.SIGTERM) if threading.current_thread() is threading.main_thread() else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=address,
                namespace=NAMESPACE,
                logging_level="ERROR",
                log_to_driver=False,
                configure_logging=False,
            )
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise RunError(
            f"--ray {address}: this machine could not join the cluster: {reason[:300]}. Is a Ray of the same version "
            "running here (`ray start --address=HEAD:6379`)? See docs/scale.md",
            code="setup",
        ) from None
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)  # a stop by signal is ours to put in order
    return True


def _nothing(*_: object, **__: object) -> None:
    """What is printed instead of what Ray would say."""


def _reach(address: str) -> None:
    """Find out within seconds what Ray finds out within minutes."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S):
            return
    except ValueError:
        raise RunError(f"--ray {address!r} is not HOST:PORT, `auto` or `local`", code="setup") from None
    except OSError as error:
        raise RunError(
            f"--ray {address}: nothing answers there ({error.strerror or error}); start the head with `ray start "
            "--head --port=6379`, or check the address",
            code="setup",
        ) from None


class ClusterSession:
    """The models of one run on one cluster; used from any thread, at home in a thread of its own."""

    def __init__(self, options: ClusterOptions, say: Callable[[str], None] = lambda _: None) -> None:
        self.options = options
        self._ours = join(options.address)
        self._say = say
        self._pools: list[Pool] = []
        self._ended: list[Pool] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="clika-ray", daemon=True)
        self._thread.start()

    def connect(self, spec: str, options: ProviderOptions) -> Provider:
        """The provider for a spec, asked through actors; raises RunError as on one machine, and for the cluster."""
        name, model = parse_spec(spec)
        server = known_servers().get(name)
        if server is not None and server.kind == "gguf":
            return self._local(name, model, options)
        if options.more_urls:
            return connect_several(spec, options, lambda one: self.connect(spec, one))
        provider = connect(spec, options)
        if not isinstance(provider, Adapter):
            shape = Shape(spec, options, self.options.actors or self._machines(), _SLIVER, 0)
            pool, facts = self._open(shape)
            return RayModel(
                provider.spec, pool, facts, self, runs_here=provider.runs_here, has_server=provider.has_server
            )
        flow = RemoteFlow(
            flow_name(provider.flow_name()), provider.concurrency, options.rpm, options.tpm, options.timeout_s + _HOLD_S
        )
        shape = Shape(spec, _shipped(options), self.options.actors or self._machines(), _SLIVER, 0, flow)
        pool, _ = self._open(shape)
        return RayHosted(provider, pool, flow, self)

    def events(self) -> list[str]:
        """By how many machines each model was asked, and what was lost on the way."""
        told = []
        for pool in (*self._pools, *self._ended):
            if pool.answered:
                counts = ", ".join(f"{place} {count}" for place, count in sorted(pool.answered.items()))
                lost = f"; {pool.lost} of its actors were lost, and their questions asked again" if pool.lost else ""
                told.append(f"{pool.shape.spec}: asked through Ray ({counts}){lost}")
        return told

    def close(self) -> None:
        """End all actors, and leave the cluster if this run joined it."""
        for pool in list(self._pools):
            self._wait(self._finished(pool))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._ours:
            library().shutdown()

    # -- for the models ---------------------------------------------------------------------------------------------

    async def in_session(self, work: Callable[[], object]) -> None:
        """Do something in the session's loop."""
        self._loop.call_soon_threadsafe(work)

    async def notes_of(self, pool: Pool) -> list[str]:
        """What a pool's actors have to say."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(pool.notes(), self._loop))

    async def finish(self, pool: Pool) -> None:
        """End a model's actors."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._finished(pool), self._loop))

    # -- actors -----------------------------------------------------------------------------------------------------

    def _local(self, name: str, model: str, options: ProviderOptions) -> RayModel:
        path = Path(model).expanduser()
        if not model.startswith(HUB) and path.exists():
            model = str(path.resolve())  # actors have another working folder, and the same file system
        gpus = self.options.gpus
        there = float(library().cluster_resources().get("GPU", 0))
        if gpus is None:
            gpus = 1.0 if there else 0.0
        if gpus > there:
            raise RunError(f"--ray-gpus {gpus:g} for each actor, and the cluster has {there:g} GPUs", code="setup")
        actors = self.options.actors or (int(there // gpus) if gpus else self._machines())
        cpus = float(options.n_threads or 1)
        shape = Shape(f"{name}/{model}", _shipped(options), actors, cpus, gpus, block=True)
        pool, facts = self._open(shape)
        row = Path(model).name if not model.startswith(HUB) else model
        spec = f"{name}/{row}" + (f"+{options.lora.name}" if options.lora else "")
        return RayModel(spec, pool, facts, self, runs_here=True)

    def _machines(self) -> int:
        return max(1, sum(bool(node["Alive"]) for node in library().nodes()))

    def _open(self, shape: Shape) -> tuple[Pool, Any]:
        pool = Pool(shape, self._loop, self._say, self._make_room)
        facts = self._wait(pool.start())
        self._pools.append(pool)
        return pool, facts

    def _make_room(self, pool: Pool) -> None:
        """Models take turns: what is not asked now gives up its processors and GPUs."""
        for other in self._pools:
            if other is not pool and other.idle and other.shape.block:
                other.stop()

    async def _finished(self, pool: Pool) -> None:
        if pool in self._pools:
            self._pools.remove(pool)
            self._ended.append(pool)
            await pool.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _shipped(options: ProviderOptions) -> ProviderOptions:
    """The options with paths that mean the same in every working folder."""
    paths = {
        name: value.expanduser().resolve()
        for name in ("lora", "models_dir", "capabilities")
        if (value := getattr(options, name)) is not None
    }
    return replace(options, **paths)
