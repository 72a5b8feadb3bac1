"""One actor of a model: how it is started and ended, what it has in hand, and how its replies reach those who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from clika_providers.cluster.flow import RemoteFlow
from clika_providers.cluster.worker import Facts, Outcome, What, Worker
from clika_providers.errors import ErrorCode, ProviderError, RetryableError, RunError
from clika_providers.options import ProviderOptions
from clika_providers.traffic.retry import TransportReply
from clika_providers.types import Json, Request

_OPEN_S = 300.0
"""How long an actor may take to start and to name its weights."""
NO_ROOM: ErrorCode = "circuit"
"""Code of an actor that could not be had, which may be another time."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model is asked through."""

    spec: str
    options: ProviderOptions
    actors: int
    cpus: float
    gpus: float
    flow: RemoteFlow | None = None
    block: bool = False
    """Deal out runs of neighbours, which share the beginnings of their prompts."""


@dataclass(slots=True, eq=False)
class ActorJob:
    """A question, and who waits for its reply in which event loop."""

    what: What
    request: Request
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[TransportReply]
    deaths: int = 0
    """Actors that were lost while they had it."""


@dataclass(slots=True, eq=False)
class Actor:
    """One actor, as the driver knows it."""

    handle: Any
    facts: Facts
    jobs: dict[int, ActorJob] = field(default_factory=dict)
    """What it has in hand."""
    given: int = 0
    """Questions that it was ever given."""


async def started(shape: Shape, node: str) -> Actor:
    """One more actor, at `node` if there is room, with its model set up; raises ProviderError."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    handle = (
        ray.remote(Worker)
        .options(
            num_cpus=shape.cpus, num_gpus=shape.gpus, max_concurrency=10_000, max_restarts=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True),
        )
        .remote()
    )  # fmt: skip
    try:
        said = await asyncio.wait_for(handle.open.remote(shape.spec, shape.options, shape.flow), _OPEN_S)
    except BaseException as error:
        kill(handle)
        if isinstance(error, TimeoutError | ray.exceptions.RayError):
            raise no_actor(shape.spec, error) from error
        raise
    if isinstance(said, ProviderError):
        kill(handle)
        raise said
    return Actor(handle, said)


def no_actor(spec: str, error: Exception) -> RunError:
    """What to say where no actor can be had."""
    reason = str(error).strip().splitlines()[-1:] if not isinstance(error, TimeoutError) else ["no room in time"]
    words = reason[0][:300] if reason else type(error).__name__
    missing = " (is clika installed on every machine of the cluster?)" if "No module named" in words else ""
    return RunError(
        f"{spec}: no Ray actor could be started: {words}{missing}. Everything that arrived is kept; `clika doctor "
        "--ray` says what the cluster offers",
        code=NO_ROOM,
    )


def cut_off(place: str) -> RetryableError:
    """What became of a try whose machine is gone: it was sent, and may have been billed."""
    error = RetryableError(f"the machine that asked was lost ({place})", code="connection")
    error.sent = True
    return error


def nodes() -> list[str]:
    """The machines that are there, by Ray's names."""
    import ray

    return [str(node["NodeID"]) for node in ray.nodes() if node["Alive"]]


def difference(one: Mapping[str, Json], other: Mapping[str, Json]) -> tuple[str, Json, Json] | None:
    """(name, what the one tells, what the other tells) of the first thing that two identities tell differently."""
    names = [*one, *(name for name in other if name not in one)]
    return next(((n, one.get(n), other.get(n)) for n in names if one.get(n) != other.get(n)), None)


def kill(handle: Any) -> None:
    """End an actor; one that is gone already is no matter."""
    import ray

    with suppress(Exception):
        ray.kill(handle, no_restart=True)


def settle(settled: list[tuple[ActorJob, Outcome]]) -> None:
    """Hand outcomes to those who wait, with one wake-up per event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[ActorJob, Outcome]]] = {}
    for job, outcome in settled:
        by_loop.setdefault(job.loop, []).append((job, outcome))
    for loop, pairs in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_hand_over, pairs)


def _hand_over(pairs: list[tuple[ActorJob, Outcome]]) -> None:
    for job, outcome in pairs:
        if job.future.done():
            continue
        if isinstance(outcome, BaseException):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)
