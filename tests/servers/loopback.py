"""A small HTTP server on loopback for speed and fault injection, with nothing but the standard library.

`Loopback` runs it in a thread of the test; `python tests/servers/loopback.py --help` runs it as a process of its own,
for measurements in which its CPU must not count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "loopback-served",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "B"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 50, "completion_tokens": 1, "total_tokens": 51},
}

SAYS_B = CHAT | {"type": "message", "content": [{"type": "text", "text": "B"}], "stop_reason": "end_turn"}
"""A reply that says B in every wire format at once: a new one adds its fields."""


@dataclass
class Seen:
    """One request as it arrived."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What to send back: a body, or a fault."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    raw: bytes | None = None
    """Sent as it is, status line included, and the connection closed."""
    hang: bool = False
    """Never answer."""


Behaviour = Callable[[Seen], Answer]


def chat(text: str = "B", **changes: Any) -> dict[str, Any]:
    """A chat completion saying `text`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {**CHAT, "choices": [choice], **changes}


def every_tenth_refused(retry_after: str = "1", every: int = 10, delay_s: float = 0.0) -> Behaviour:
    """Answers 429 with Retry-After to every tenth request."""

    def behave(seen: Seen) -> Answer:
        if seen.number % every == 0:
            return Answer(429, {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}},
                          {"retry-after": retry_after}, delay_s)  # fmt: skip
        return Answer(delay_s=delay_s)

    return behave


def token_bucket(per_s: float, capacity: float, retry_after: str | None, delay_s: float = 0.0) -> Behaviour:
    """Allows `per_s` requests a second after a first `capacity`; 429 beyond."""
    level, updated = capacity, time.monotonic()

    def behave(seen: Seen) -> Answer:
        nonlocal level, updated
        now = time.monotonic()
        level, updated = min(capacity, level + (now - updated) * per_s), now
        if level >= 1:
            level -= 1
            return Answer(delay_s=delay_s)
        headers = {} if retry_after is None else {"retry-after": retry_after}
        return Answer(429, {"error": {"message": "Rate limit reached"}}, headers)

    return behave


_ATTACHED_S = 0.005
"""Until then every connection that was accepted has attached to its server."""


async def _rounds() -> None:
    """Some rounds of the event loop: what was due in it has been done, and what that asked for."""
    for _ in range(10):
        await asyncio.sleep(0)


class Server:
    """The server proper, in whichever event loop runs it."""

    def __init__(self, behave: Behaviour, *, die_after: int | None = None, keep: bool = True) -> None:
        self.behave, self.die_after, self.keep = behave, die_after, keep
        self.seen: list[Seen] = []
        self.count = self.answered = 0
        self._server: asyncio.Server | None = None
        self._dead = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._default = json.dumps(CHAT).encode()

    async def start(self, port: int = 0) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 20)
        return int(self._server.sockets[0].getsockname()[1])

    def die(self) -> None:
        """Close the door and cut every connection."""
        server, self._server, self._dead = self._server, None, True
        if server is not None:
            loop = asyncio.get_running_loop()
            for door in server.sockets:
                loop.remove_reader(door.fileno())
            # Connections accepted a moment ago have yet to attach to the server; closed before, they leak (3.11).
            loop.call_later(_ATTACHED_S, server.close)
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while not self._dead and await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.count += 1
        method, path, _ = first.split(" ", 2)
        seen = Seen(self.count, method, path, headers, body, time.monotonic())
        if self.keep:
            self.seen.append(seen)
        answer = self.behave(seen)
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        if answer.hang:
            await asyncio.sleep(3600)
        if answer.raw is not None:
            writer.write(answer.raw)
            await writer.drain()
            return False
        if self.die_after is not None and answer.status == 200 and self.answered >= self.die_after:
            self.die()
            return False
        self.answered += answer.status == 200
        writer.write(self._encode(answer))
        await writer.drain()
        return True

    def _encode(self, answer: Answer) -> bytes:
        body = answer.body
        data = self._default if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        extra = "".join(f"{k}: {v}\r\n" for k, v in answer.headers.items())
        kind = "" if "content-type" in answer.headers else "content-type: application/json\r\n"
        return f"HTTP/1.1 {answer.status} X\r\n{kind}{extra}content-length: {len(data)}\r\n\r\n".encode() + data


class Loopback:
    """`with Loopback(behave) as server:` serves from a thread; `server.url` is its base URL."""

    def __init__(
        self, behave: Behaviour = lambda seen: Answer(), *, die_after: int | None = None, port: int = 0
    ) -> None:
        self.server = Server(behave, die_after=die_after)
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Loopback:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self.server.start(self._port), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        mine = asyncio.current_task()
        for pause_s in (2 * _ATTACHED_S, 0.0):
            self.server.die()
            # A connection accepted just now is served by a task that has to begin: cancelled before, it closes nothing.
            await asyncio.sleep(pause_s)
            await _rounds()
            self.server.die()
            others = [t for t in asyncio.all_tasks() if t is not mine]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            # Aborted connections are closed by callbacks of the next rounds; stopping before would leak them.
            await _rounds()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def seen(self) -> list[Seen]:
        return self.server.seen


def main() -> None:
    """Run as a process: prints the port, serves until killed."""
    args = argparse.ArgumentParser(description=main.__doc__)
    args.add_argument("--port", type=int, default=0)
    args.add_argument("--delay-ms", type=float, default=0.0)
    args.add_argument("--refuse-every", type=int, default=0)
    args.add_argument("--bucket", type=float, default=0.0, help="requests per second")
    args.add_argument("--capacity", type=float, default=None)
    args.add_argument("--retry-after", default="1")
    args.add_argument("--die-after", type=int, default=None)
    given = args.parse_args()
    delay = given.delay_ms / 1000
    if given.refuse_every:
        behave = every_tenth_refused(given.retry_after, given.refuse_every, delay)
    elif given.bucket:
        behave = token_bucket(given.bucket, given.capacity or given.bucket, given.retry_after, delay)
    else:
        behave = lambda seen: Answer(delay_s=delay)  # noqa: E731
    asyncio.run(_serve_forever(behave, given.port, given.die_after))


async def _serve_forever(behave: Behaviour, port: int, die_after: int | None) -> None:
    server = Server(behave, die_after=die_after, keep=False)
    print(await server.start(port), flush=True)
    while True:
        await asyncio.sleep(3600)


if __name__ == "__main__":
    main()
