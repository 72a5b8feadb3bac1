"""A time limit for code that others wrote: a template can loop for years without ever looking up."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from clika_providers.errors import RunError


class _TooLong(BaseException):
    """Raised in the thread that takes too long; not an Exception, so that foreign code does not catch it."""


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """Raise RunError where the block takes longer; `what` begins the sentence.

    Works in any thread, for what runs in Python's interpreter; a single call into C is not interrupted.
    """
    mine = ctypes.c_ulong(threading.get_ident())
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    lock, over = threading.Lock(), [False]

    def stop() -> None:
        with lock:
            if not over[0]:
                raise_in(mine, ctypes.py_object(_TooLong))

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except _TooLong:
        raise RunError(
            f"{what} ran for more than {seconds:g} s and was stopped; use another model file", code="template"
        ) from None
    finally:
        with lock:
            over[0] = True
        timer.cancel()
