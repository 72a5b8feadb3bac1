"""`GgufProvider`: a local model behind the same door as every other, with one thread that owns it.

llama.cpp's objects are not thread-safe and evaluation takes the whole machine, so requests wait in a list from
which the thread takes the one that shares most with what is in its cache. Order never changes an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clika_providers.errors import ProviderError, RunError
from clika_providers.gguf.files import ModelFile, fingerprint
from clika_providers.provider import BaseProvider
from clika_providers.types import AskMode, Completion, Json, Request

if TYPE_CHECKING:
    from clika_providers.gguf.context import Settings
    from clika_providers.gguf.runner import ModelSession, Tokenized

_READY = 4
"""Requests in flight that keep the thread from ever waiting, and give it a choice."""


@dataclass(slots=True, eq=False)
class _Job:
    request: Request
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Completion]
    prompt: Tokenized | None = None

    def settle(self, outcome: Completion | Exception) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._settle, outcome)

    def _settle(self, outcome: Completion | Exception) -> None:
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class GgufProvider(BaseProvider):
    """One GGUF model run in this process; loaded by the first request, not before."""

    def __init__(self, name: str, model: ModelFile, settings: Settings, identity: Mapping[str, Json]) -> None:
        self._name = name
        self._model = model
        self._settings = settings
        self._identity = dict(identity)
        self._unchanged = fingerprint(model.parts)
        self._jobs: list[_Job] = []
        self._wake = threading.Condition()
        self._closing = False
        self._release = False
        self._thread: threading.Thread | None = None
        self._session: ModelSession | None = None

    @property
    def runs_here(self) -> bool:
        """It computes in this process."""
        return True

    @property
    def usual_ask(self) -> AskMode:
        """The probabilities of the labels are to be had."""
        return "logprobs"

    @property
    def tells_likelihood(self) -> bool:
        """It evaluates any text."""
        return True

    async def likelihood_form(self) -> str:
        """No server has to be asked."""
        return "computed here"

    @property
    def spec(self) -> str:
        """`gguf/` and the file's name as the user gave it."""
        return f"gguf/{self._name}"

    @property
    def identity(self) -> Mapping[str, Json]:
        """The weights, the library, the template and the way of reading; no path and no thread count."""
        return self._identity

    @property
    def concurrency(self) -> int:
        """Enough waiting requests that the model never waits for one."""
        return max(_READY, 2 * self._settings.n_sequences)

    async def complete(self, request: Request) -> Completion:
        """Answer one request; raises ItemError or RunError."""
        _check(request)
        loop = asyncio.get_running_loop()
        job = _Job(request, loop, loop.create_future())
        with self._wake:
            if self._closing:
                raise RunError(f"{self.spec} has been closed")
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"clika {self._name}", daemon=True)
                self._thread.start()
            self._wake.notify()
        return await job.future

    def exact(self, requests: Sequence[Request]) -> list[list[tuple[int, bytes]]]:
        """Per request, the tokens that would be evaluated before the answer, with their bytes; loads the model."""
        from clika_providers.gguf.runner import ModelSession

        session = ModelSession(self._model, self._settings, str(self._identity["llama_cpp_python"]))
        try:
            prepared = [session.prepare(request) for request in requests]
            return [[(token, session.engine.piece(token)) for token in one.tokens] for one in prepared]
        finally:
            session.close()

    async def release(self) -> None:
        """Give the memory back until the next request, which loads the model again."""
        with self._wake:
            self._release = self._session is not None
            self._wake.notify()

    async def aclose(self) -> None:
        """Stop at the end of the batch under way, drop what waits, and release the memory."""
        with self._wake:
            self._closing = True
            if self._session is not None:
                self._session.engine.stopping = True
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    # --- everything below runs in the model's thread ---------------------------------------------

    def _work(self) -> None:
        failure: ProviderError | None = None
        while waiting := self._waiting():
            with self._wake:
                self._release = False
            if self._session is None and failure is None:
                failure = self._load()
            if self._session is None:
                done = waiting
                for job in waiting:
                    job.settle(failure or RunError(f"{self.spec} could not be loaded"))
            else:
                done = self._serve(self._session, waiting)
            with self._wake:
                self._jobs = [job for job in self._jobs if job not in done]
        with self._wake:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _waiting(self) -> list[_Job]:
        """The requests that wait, at least one; empty when it is time to end."""
        with self._wake:
            while True:
                self._jobs = [job for job in self._jobs if not job.future.cancelled()]
                if self._closing:
                    for job in self._jobs:
                        job.settle(RunError(f"{self.spec} has been closed"))
                    self._jobs = []
                if self._jobs or self._closing:
                    return list(self._jobs)
                if self._release and self._session is not None:
                    session, self._session, self._release = self._session, None, False
                    session.close()
                self._wake.wait()

    def _load(self) -> ProviderError | None:
        """Load the model; the error, if there is one, is the same for every request to come."""
        try:
            from clika_providers.gguf.runner import ModelSession

            if fingerprint(self._model.parts) != self._unchanged:
                return RunError(f"{self._model.path.name!r} was changed while the program ran: start again")
            session = ModelSession(self._model, self._settings, str(self._identity["llama_cpp_python"]))
        except Exception as error:
            return self._told(error)
        with self._wake:
            self._session = session
            session.engine.stopping = self._closing
        return None

    def _serve(self, session: ModelSession, waiting: list[_Job]) -> list[_Job]:
        """Answer one request, or several packed together; returns those that were settled."""
        ready, failed = self._prepare(session, waiting)
        if not ready:
            return failed
        chosen = self._choose(session, ready)
        try:
            if len(chosen) > 1:
                completions = session.answer_packed([prompt for _, prompt in chosen])
            else:
                completions = [session.answer(chosen[0][1])]
        except Exception as error:
            for job, _ in chosen:
                job.settle(self._told(error))
        else:
            for (job, _), completion in zip(chosen, completions, strict=True):
                job.settle(completion)
        return failed + [job for job, _ in chosen]

    def _prepare(self, session: ModelSession, waiting: list[_Job]) -> tuple[list[tuple[_Job, Tokenized]], list[_Job]]:
        ready, failed = [], []
        for job in waiting:
            try:
                job.prompt = job.prompt or session.prepare(job.request)
                ready.append((job, job.prompt))
            except Exception as error:
                job.settle(self._told(error))
                failed.append(job)
        return ready, failed

    def _choose(self, session: ModelSession, ready: list[tuple[_Job, Tokenized]]) -> list[tuple[_Job, Tokenized]]:
        """The request that shares most with the cache, with others where packing is on and they fit."""
        best = max(ready, key=lambda one: session.engine.shared(one[1].tokens))
        most = self._settings.n_sequences
        if most == 1:
            return [best]
        try:
            if not session.can_pack(best[1]):
                return [best]
            chosen, room = [best], self._settings.n_ctx_limit - len(best[1].tokens)
            for one in ready:
                if one is not best and len(chosen) < most and session.can_pack(one[1]) and len(one[1].tokens) < room:
                    chosen.append(one)
                    room -= len(one[1].tokens)
            return chosen
        except ProviderError:
            return [best]  # a label that cannot be written: found again, and reported, one by one

    def _told(self, error: Exception) -> ProviderError:
        # Anything else is a defect, here or below: the waiting request must hear of it, or it waits for ever.
        return error if isinstance(error, ProviderError) else RunError(f"{self.spec}: {type(error).__name__}: {error}")


def _check(request: Request) -> None:
    if request.mode == "likelihood" and not request.options:
        raise RunError("likelihoods need the options that are to be scored")
    first_token = request.mode == "logprobs" or request.grammar
    if first_token and not request.labels:
        raise RunError("label probabilities and grammars need the labels that were shown")
    if first_token and request.thinking:
        raise RunError("a model that thinks first has no first answer token to read; use --ask text, no grammar")
