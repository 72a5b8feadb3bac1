"""Running a coroutine to its end from plain code, also where an event loop is running already: in a notebook."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")


def finish(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `work()` returns. Inside a running loop it has a loop of its own in another thread, and the caller waits.

    Ctrl-C (or a notebook's stop button) cancels the work and is raised once the work has put things in order.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
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
    """Run all side by side; when one fails, or this is cancelled, the others are cancelled and waited for first."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
