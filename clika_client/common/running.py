"""Running a coroutine to its end from plain code, also where an event loop is running already: in a notebook."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")

_YOUNG_OBJECTS = 10_000
"""How many more objects there may be before Python looks through the young ones; usually 700."""

Handler = Callable[[int, Any], object]
_instead: list[Handler] = []
"""What `interrupt` calls, the last one, while Ctrl-C itself is ignored and may not have a handler."""


def interrupt(*_: object) -> None:
    """Do what Ctrl-C does, also where Ctrl-C is ignored, as it is for `command &` in a script."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        (_instead[-1] if _instead else signal.default_int_handler)(signal.SIGINT, None)
    else:
        signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def on_interrupt(handler: Handler) -> Iterator[None]:
    """Have Ctrl-C call `handler` in here; where Ctrl-C is ignored, `interrupt` alone does. Only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    _instead.append(handler)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        _instead.pop()
        if before != signal.SIG_IGN:
            signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def seldom_collecting() -> Iterator[None]:
    """Leave what exists alone when Python looks for circles of garbage, and have it look less often.

    The objects of a question are let go of in order; looking through all others again and again took a twentieth of
    the CPU of asking. For a process of our own: what others made in it would not be looked at either.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def run_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """`asyncio.run(work())`, which `interrupt` ends in order also where Ctrl-C is ignored."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        return asyncio.run(work())

    async def with_handler() -> T:
        # asyncio takes the place of the usual handler only: it had that for a moment, and now has made its own.
        cancels = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with on_interrupt(cancels):  # type: ignore[arg-type]
            return await work()

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return asyncio.run(with_handler())
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def finish(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `work()` returns. Inside a running loop it has a loop of its own in another thread, and the caller waits.

    Ctrl-C (or a notebook's stop button) cancels the work and is raised once the work has put things in order.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run_loop(work)
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def noted() -> T:
        task = asyncio.current_task()
        assert task is not None
        begun.set_result((asyncio.get_running_loop(), task))
        return await work()

    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, thread_name_prefix="clika-run") as threads:
        done = threads.submit(context.run, lambda: asyncio.run(noted()))
        try:
            return done.result()
        except KeyboardInterrupt:
            loop, task = begun.result()
            loop.call_soon_threadsafe(task.cancel)
            wait([done])
            raise


async def in_thread(work: Callable[[], T]) -> T:
    """What `work()` returns, computed beside the loop; cancelling waits until the thread has let go of what it uses."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Run all side by side; when one fails, or this is cancelled, the others are cancelled and waited for first.

    A TaskGroup does the same, but wraps the one error, which whoever called has to tell by its class, in a group.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
