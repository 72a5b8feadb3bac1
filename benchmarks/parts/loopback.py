"""A chat server on loopback that answers after a fixed delay, cheap enough not to be what is measured."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def _reply(letter: str) -> bytes:
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "bench",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": letter}}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 1, "total_tokens": 61},
        }
    ).encode()
    return _HEAD % len(body) + body


class Chat(asyncio.Protocol):
    """One connection: waits for whole requests, answers each after `delay` seconds."""

    delay = 0.05
    served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and an empty buffer."""
        self.transport = transport
        self.buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self.buffer += data
        while (head := self.buffer.find(b"\r\n\r\n")) >= 0:
            headers = bytes(self.buffer[:head]).lower()
            at = headers.find(b"content-length:")
            length = int(headers[at + 15 :].split(b"\r\n")[0]) if at >= 0 else 0
            end = head + 4 + length
            if len(self.buffer) < end:
                return
            letter = "ABCDE"[len(self.buffer[head:end]) % 5]
            del self.buffer[:end]
            Chat.served += 1
            asyncio.get_running_loop().call_later(self.delay, self._send, _reply(letter))

    def _send(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)  # type: ignore[attr-defined]


async def main(delay: float) -> None:
    """Serve until killed; the first line of output is the port."""
    Chat.delay = delay
    server = await asyncio.get_running_loop().create_server(Chat, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds before each answer")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args().delay))
