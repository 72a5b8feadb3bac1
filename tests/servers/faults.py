"""Every way in which a chat server was seen, or can be feared, to answer wrongly: by name, as what it sends.

The table is made, not listed: each odd value in each field of a reply and of an error, each odd header, each status,
each broken connection. `tests/test_faults.py` asks through all of them in one run; `benchmarks/faults.py` counts.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from servers.loopback import Answer, chat

ODD: dict[str, str] = {
    "null": "null",
    "true": "true",
    "minus one": "-1",
    "2^63": str(2**63),
    "400 digits": "9" * 400,
    "5,000 digits": "9" * 5000,
    "1e999": "1e999",
    "minus infinity": "-Infinity",
    "not a number": "NaN",
    "half a surrogate pair": '"\\ud800"',
    "a zero byte": '"\\u0000"',
    "superscript two": '"\\u00b2"',
    "a megabyte": '"' + "x" * 1_000_000 + '"',
    "empty text": '""',
    "empty list": "[]",
    "empty object": "{}",
    "a thousand lists deep": "[" * 1000 + "]" * 1000,
    "a list of nulls": "[null, null]",
}
"""JSON texts by name; what a field should hold is none of them."""

_FIELDS: dict[str, tuple[str | int, ...]] = {
    "model": ("model",),
    "fingerprint": ("system_fingerprint",),
    "choices": ("choices",),
    "choice": ("choices", 0),
    "message": ("choices", 0, "message"),
    "content": ("choices", 0, "message", "content"),
    "refusal": ("choices", 0, "message", "refusal"),
    "reasoning": ("choices", 0, "message", "reasoning_content"),
    "finish reason": ("choices", 0, "finish_reason"),
    "logprobs": ("choices", 0, "logprobs"),
    "usage": ("usage",),
    "prompt tokens": ("usage", "prompt_tokens"),
    "completion tokens": ("usage", "completion_tokens"),
    "total tokens": ("usage", "total_tokens"),
    "token details": ("usage", "completion_tokens_details"),
    "error": ("error",),
}
_ERROR_FIELDS: dict[str, tuple[str | int, ...]] = {
    "message": ("error", "message"),
    "code": ("error", "code"),
    "type": ("error", "type"),
    "param": ("error", "param"),
    "details": ("error", "details"),
    "metadata": ("error", "metadata"),
}
_RAW = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "random bytes": bytes(range(1, 200)),
    "less than announced": b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"choices": [',
    "a broken chunk": b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{"choi',
    "a chunk of negative size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nabcde",
    "an endless header": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
    "status 0": b"HTTP/1.1 000 X\r\ncontent-length: 2\r\n\r\n{}",
    "status 999": b"HTTP/1.1 999 X\r\ncontent-length: 2\r\n\r\n{}",
    "not gzip": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nabcde",
    "an unknown packing": b"HTTP/1.1 200 OK\r\ncontent-encoding: lzma\r\ncontent-length: 2\r\n\r\n{}",
}
_BODIES = {
    "empty": b"",
    "a web page": b"<html>maintenance</html>",
    "not JSON": b"{'choices': []}",
    "cut short": b'{"choices": [{"message": {"content": "B"',
    "text": b'"B"',
    "a list": b"[]",
    "a number": b"17",
    "a hundred thousand lists deep": b"[" * 100_000,
    "a hundred thousand objects deep": b'{"a":' * 100_000,
    "not UTF-8": b'{"choices": "\xff\xfe\xfd"}',
    "ten megabytes": b'{"choices": [], "x": "' + b"y" * 10_000_000 + b'"}',
}
_WAITS = (
    "1.2.3s",
    ".s",
    "s",
    "-5",
    "NaN",
    "inf",
    "\u00b2",
    "1e999",
    "0001-01-01",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "5,000",
)
_RESETS = ("1.2.3s", "0001-01-01T00:00:00", "9999-12-31T23:59:59+00:00", "-1", "NaN", "1e999", "9" * 5000)
_STATUSES = (400, 408, 409, 413, 418, 422, 425, 500, 501, 502, 503, 504, 520, 524, 529, 599)
_REDIRECTS = (301, 302, 303, 307, 308)


@cache
def faults() -> dict[str, Answer]:
    """Name → what is sent. Each ends as a failure, or as a reply that can be kept, of one request."""
    return {name: answer for group in (_replies, _errors, _headers, _connections) for name, answer in group()}


def _replies() -> Iterator[tuple[str, Answer]]:
    for field, path in _FIELDS.items():
        for odd, text in ODD.items():
            yield f"{field} is {odd}", Answer(200, _with(chat("B"), path, text))
    for name, body in _BODIES.items():
        yield f"the body is {name}", Answer(200, body)
    bomb = gzip.compress(b'{"x": "' + b"\0" * 200_000_000, 1)
    yield "a gzip bomb", Answer(200, bomb, {"content-encoding": "gzip"})
    deflated = zlib.compress(json.dumps(chat("B")).encode())[:-6]
    yield "deflate, cut short", Answer(200, deflated[: len(deflated) // 2], {"content-encoding": "deflate"})


def _errors() -> Iterator[tuple[str, Answer]]:
    for field, path in _ERROR_FIELDS.items():
        for odd, text in ODD.items():
            yield f"error {field} is {odd}", Answer(400, _with({"error": {"message": "Invalid value"}}, path, text))
    for status in _STATUSES:
        yield f"status {status}", Answer(status, {"error": {"message": "later"}})
    for name, body in _BODIES.items():
        yield f"status 500, the body is {name}", Answer(500, body)
    for status in _REDIRECTS:
        yield f"redirect {status}", Answer(status, b"", {"location": "http://127.0.0.1:9/v1/chat/completions"})
    for odd, text in ODD.items():
        yield (
            f"an error in a success, its code {odd}",
            Answer(200, _with({"error": {"message": "x"}}, ("error", "code"), text)),
        )


def _headers() -> Iterator[tuple[str, Answer]]:
    for value in _WAITS:
        yield f"retry-after {value}", Answer(503, {"error": {"message": "later"}}, {"retry-after": value})
    for value in _RESETS:
        yield f"reset {value[:30]}", Answer(
            200, chat("B"),
            {"x-ratelimit-remaining-requests": "100000", "x-ratelimit-limit-requests": "200000",
             "x-ratelimit-reset-requests": value},
        )  # fmt: skip


def _connections() -> Iterator[tuple[str, Answer]]:
    for name, raw in _RAW.items():
        yield f"the connection gives {name}", Answer(raw=raw)


def _with(reply: dict[str, Any], path: tuple[str | int, ...], text: str) -> bytes:
    """The reply with one field replaced by a JSON text."""
    whole = json.loads(json.dumps(reply))
    holder: Any = whole
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = "\x01mark\x01"
    return json.dumps(whole).replace(json.dumps("\x01mark\x01"), text).encode()
