"""The driver's side of one model's actors: deals out questions, gathers replies, and makes up for what is lost.

It lives in the event loop of the session's own thread, because a model is asked from several loops in turn. A question
is with one actor at a time. When an actor is lost, what it had not handed over is dealt out again (or given back as a
broken connection is, where a server may bill for it); so nothing is lost, and nothing that arrived is asked twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from clika_providers.cluster.actors import (
    NO_ROOM,
    Actor,
    ActorJob,
    Shape,
    cut_off,
    difference,
    kill,
    no_actor,
    nodes,
    settle,
    started,
)
from clika_providers.cluster.worker import Facts, Outcome, What
from clika_providers.errors import ItemError, ProviderError, RunError
from clika_providers.traffic.retry import TransportReply
from clika_providers.types import Request

_MOST_DEATHS = 3
"""Actors that a question may take with it before it is given up."""
_PATIENCE_S = 120.0
_PAUSE_S = 1.0, 10.0


class Pool:
    """The actors of one model. Every method but `submit` runs in the session's loop."""

    def __init__(
        self,
        shape: Shape,
        loop: asyncio.AbstractEventLoop,
        say: Callable[[str], None],
        make_room: Callable[[Pool], None] = lambda _: None,
    ) -> None:
        self.shape = shape
        self.facts: Facts | None = None
        self.idle = True
        """Nothing is asked of it now: its actors may go where others need the room."""
        self.lost = 0
        self.answered: dict[str, int] = {}
        """Machine → replies."""
        self._loop, self._say, self._make_room = loop, say, make_room
        self._actors: list[Actor] = []
        self._queue: deque[ActorJob] = deque()
        self._number = 0
        self._dealing = self._closing = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._growing: asyncio.Task[None] | None = None

    @property
    def capacity(self) -> int:
        """Questions that one actor is given at a time."""
        each = self.facts.concurrency if self.facts else 1
        return 2 * each if self.shape.block else max(1, -(-each // self.shape.actors))

    def submit(self, what: What, request: Request) -> asyncio.Future[TransportReply]:
        """Ask from any event loop; the future belongs to the one that is running."""
        loop = asyncio.get_running_loop()
        job = ActorJob(what, request, loop, loop.create_future())
        self._loop.call_soon_threadsafe(self._queued, job)
        return job.future

    async def start(self) -> Facts:
        """Make the actors; raises RunError where none can be had or where they would not give the same answers."""
        machines = nodes()
        places = [machines[n % len(machines)] for n in range(self.shape.actors)]
        made = await asyncio.gather(*map(self._start, places), return_exceptions=True)
        actors = [one for one in made if isinstance(one, Actor)]
        failed = [one for one in made if not isinstance(one, Actor)]
        try:
            wrong = [one for one in failed if getattr(one, "code", None) != NO_ROOM]
            if wrong or not actors:
                raise (wrong or failed)[0]
            self._agree(actors)
        except BaseException:
            for actor in actors:
                kill(actor.handle)
            raise
        if failed:
            self._say(f"{self.shape.spec}: {len(actors)} of {self.shape.actors} Ray actors could be started")
        for actor in actors:
            self._take_in(actor)
        return actors[0].facts

    def _agree(self, actors: list[Actor]) -> None:
        first = self.facts = self.facts or actors[0].facts
        for actor in actors:
            differs = difference(first.identity, actor.facts.identity)
            if differs:
                name, one, other = differs
                raise RunError(
                    f"{self.shape.spec} is not the same on all machines of the cluster: {name} is {one} at "
                    f"{first.place} and {other} at {actor.facts.place}, so that their answers are not one model's. Ask "
                    "on machines of one kind and build (`clika doctor --ray` lists them)",
                    code="setup",
                )

    def stop(self) -> None:
        """End the actors; the next question starts them again."""
        actors, self._actors = self._actors, []
        for actor in actors:
            kill(actor.handle)

    async def close(self) -> None:
        """End everything; what still waits is told so."""
        self._closing = True
        jobs = [*self._queue, *(job for actor in self._actors for job in actor.jobs.values())]
        self._queue.clear()
        self.stop()
        settle([(job, RunError(f"{self.shape.spec} has been closed")) for job in jobs])
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def notes(self) -> list[str]:
        """What the actors have to say, each once."""
        found: dict[str, None] = {}
        for actor in self._actors:
            with suppress(Exception):
                found |= dict.fromkeys(await asyncio.wait_for(actor.handle.notes.remote(), 5.0))
        return list(found)

    # -- dealing ----------------------------------------------------------------------------------------------------

    def _queued(self, job: ActorJob) -> None:
        self._queue.append(job)
        self.idle = False
        if self._closing:
            settle([(self._queue.pop(), RunError(f"{self.shape.spec} has been closed"))])
        elif not self._actors:
            self._grow()
        elif not self._dealing:
            self._dealing = True
            self._loop.call_soon(self._deal)

    def _deal(self) -> None:
        """Give waiting questions to the actors with most room: in runs of neighbours, or one by one."""
        self._dealing = False
        parcels: dict[Actor, list[tuple[int, What, Request]]] = {}
        while self._queue and self._actors:
            actor = min(self._actors, key=lambda one: (len(one.jobs), one.given))
            room = self.capacity - len(actor.jobs)
            if room <= (self.capacity // 2 if self.shape.block and actor.jobs else 0):
                break
            for _ in range(min(room, len(self._queue)) if self.shape.block else 1):
                job = self._queue.popleft()
                if job.future.cancelled():
                    continue
                self._number += 1
                actor.jobs[self._number] = job
                actor.given += 1
                parcels.setdefault(actor, []).append((self._number, job.what, job.request))
        for actor, parcel in parcels.items():
            actor.handle.post.remote(parcel)  # if it is lost, so is the call that collects

    def _take_in(self, actor: Actor) -> None:
        self._actors.append(actor)
        self._task(self._gather(actor))
        self._deal()

    def _task(self, work: Any) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _gather(self, actor: Actor) -> None:
        import ray

        try:
            while True:
                done: list[tuple[int, Outcome]] = await actor.handle.collect.remote()
                settled = [(actor.jobs.pop(number), outcome) for number, outcome in done if number in actor.jobs]
                self.answered[actor.facts.place] = self.answered.get(actor.facts.place, 0) + len(settled)
                settle(settled)
                self._deal()
        except ray.exceptions.RayError:
            if actor in self._actors:
                self._lose(actor)

    # -- losing and replacing ---------------------------------------------------------------------------------------

    def _lose(self, actor: Actor) -> None:
        self.lost += 1
        self._actors.remove(actor)
        kill(actor.handle)  # one that is only cut off must not go on asking
        for job in reversed(actor.jobs.values()):
            job.deaths += 1
            if job.what == "attempt":  # it may have been billed: whoever keeps the money has to agree to another
                settle([(job, cut_off(actor.facts.place))])
            elif job.deaths >= _MOST_DEATHS:
                settle([(job, ItemError(f"{job.deaths} Ray actors were lost while they had this question"))])
            else:
                self._queue.appendleft(job)
        self._say(
            f"{self.shape.spec}: an actor at {actor.facts.place} was lost; the {len(actor.jobs)} questions it had are "
            f"asked again, {len(self._actors)} actors go on"
        )
        actor.jobs.clear()
        self._grow()
        self._deal()

    def _grow(self) -> None:
        if self._growing is None or self._growing.done():
            self._growing = self._task(self._fill_up())

    async def _fill_up(self) -> None:
        """Replace what was lost; with none left, wait for room for a while before giving up."""
        since, pause_s = time.monotonic(), _PAUSE_S[0]
        while len(self._actors) < self.shape.actors and not self._closing:
            error: Exception
            try:
                here = [one.facts.node for one in self._actors]
                actor = await self._start(min(nodes(), key=here.count))
                self._agree([actor])
                self._take_in(actor)
                since, pause_s = time.monotonic(), _PAUSE_S[0]
                continue
            except Exception as caught:
                error = caught
            if self._actors and not self._queue and not any(one.jobs for one in self._actors):
                return
            if not self._actors and (isinstance(error, ProviderError) or time.monotonic() - since > _PATIENCE_S):
                told = error if isinstance(error, RunError) else no_actor(self.shape.spec, error)
                jobs, self._queue = list(self._queue), deque()
                settle([(job, told) for job in jobs])
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_S[1])

    async def _start(self, node: str) -> Actor:
        """One more actor, with room made for it; raises ProviderError."""
        self._make_room(self)
        return await started(self.shape, node)
