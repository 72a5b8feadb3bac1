"""Replies of bounded size: bytes are counted as they arrive and as they are unpacked, so that none fills the memory.

Four megabytes on the wire can be four gigabytes of text. The HTTP libraries unpack whatever comes; so replies are asked
for as gzip or plain, and unpacked here, up to a limit. `send` serves httpx and httpx2, which share their interface.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Iterable
from typing import Any

from clika_providers.errors import RetryableError

MOST_REPLY = 8_000_000
"""Bytes of one reply, unpacked: a thousand times what the longest sensible answer takes."""
MOST_ERROR = 64_000
"""Bytes that are read of an error's body; what is said later is not needed."""
ACCEPTED = "gzip, deflate"
_PACKED = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Unpacker:
    """One body, piece by piece; raises RetryableError beyond `most` bytes, or cuts there when `cut` is set."""

    def __init__(self, encodings: Iterable[str], most: int, *, cut: bool = False) -> None:
        names = [e for e in (name.strip().lower() for name in encodings) if e and e != "identity"]
        if len(names) > 1 or not all(name in _PACKED for name in names):
            raise RetryableError(
                f"the reply is packed as {', '.join(names)[:60]}, which was not asked for", code="shape"
            )
        self._unpack = zlib.decompressobj(_PACKED[names[0]]) if names else None
        self._most, self._cut = most, cut
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> bool:
        """Take a piece as it came; False when no more is wanted."""
        try:
            plain = piece if self._unpack is None else self._unpack.decompress(piece, self._most - self._size + 1)
        except zlib.error as error:
            words = f"the server's reply was not usable: it cannot be unpacked ({error})"
            raise RetryableError(words, code="shape") from None
        self._parts.append(plain)
        self._size += len(plain)
        if self._size <= self._most:
            return True
        if not self._cut:
            raise RetryableError(
                f"the server's reply was not usable: it is longer than {self._most:,} bytes", code="shape"
            )
        return False

    @property
    def body(self) -> bytes:
        """What has come so far."""
        return b"".join(self._parts)[: self._most]


async def collected(status: int, encodings: str, pieces: AsyncIterable[bytes]) -> bytes:
    """The body of a streamed reply, unpacked, within its limit; `encodings` is its Content-Encoding."""
    failed = status >= 300
    unpacker = Unpacker(encodings.split(","), MOST_ERROR if failed else MOST_REPLY, cut=failed)
    async for piece in pieces:
        if not unpacker.add(piece):
            break
    return unpacker.body


async def send(http: Any, client: Any, request: Any, **options: Any) -> Any:
    """As a client's own `send`, with the body read within its limit; `http` is the library, httpx or httpx2.

    Redirects are not followed: a reply from elsewhere is not an answer of the model that was asked.
    """
    whole = not options.pop("stream", False)
    options["follow_redirects"] = False
    response = await client(request, stream=True, **options)
    if not whole and response.status_code < 300:  # a failure's body is read by the library, all of it
        return response
    try:
        packed = response.headers.get("content-encoding", "")
        body = await collected(response.status_code, packed, response.aiter_raw())
    finally:
        await response.aclose()
    kept = [(n, v) for n, v in response.headers.multi_items() if n not in ("content-encoding", "content-length")]
    return http.Response(response.status_code, headers=kept, content=body, request=request)
