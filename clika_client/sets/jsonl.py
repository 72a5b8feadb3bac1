"""Reads text files whose mistakes a user must be able to find: every problem is named with file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError


def read_bytes(path: Path) -> bytes:
    """The whole file; raises UserError where it cannot be read or is empty."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not data.strip():
        raise _empty(path)
    return data


def _unreadable(path: Path, error: OSError) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path}: no such file")
    return UserError(f"{path}: cannot read this file: {error.strerror}")


def _empty(path: Path) -> UserError:
    return UserError(f"{path}: the file is empty; give it at least one item")


def decode(path: Path, data: bytes) -> str:
    """UTF-8 text, with or without a byte order mark; raises UserError naming the line that is not."""
    _refuse_utf16(path, data)
    return _decode(path, 1, data)


def _refuse_utf16(path: Path, data: bytes) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{path}: this is UTF-16; save it as UTF-8")


def _decode(path: Path, line: int, data: bytes) -> str:
    """The text of `data`, which begins at a line of that number."""
    try:
        return data.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        # The codec that skips the mark counts bytes after it.
        start = error.start + (len(data) - len(error.object))
        number = line + data.count(b"\n", 0, start)
        raise UserError(
            f"{path}, line {number}: byte 0x{data[start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) for every line that is not blank; raises UserError naming file and line.

    Reads a line at a time: a file may hold a million questions.
    """
    blank = True
    # Only \n ends a line: JSON strings may hold U+2028 and its like, which splitlines would break at.
    for number, raw in enumerate(_raw_lines(path), 1):
        if number == 1:
            _refuse_utf16(path, raw)
        line = _decode(path, number, raw)
        if not line.strip():
            continue
        blank = False
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {number}: not valid JSON ({error}); write one object per line") from None
        if not isinstance(row, dict):
            raise UserError(
                f'{path}, line {number}: a JSON object is needed, such as {{"item_id": …}}, got {_kind(row)}; '
                "write one object per line"
            )
        yield number, row
    if blank:
        raise _empty(path)


def first_character(path: Path) -> bytes:
    """The first character that is no space, b"" where the file cannot be read or has none."""
    try:
        with path.open("rb") as file:
            return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    except OSError:
        return b""


def _raw_lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise _unreadable(path, error) from None


def _kind(value: object) -> str:
    return {list: "a list", str: "a string", type(None): "null", bool: "true or false"}.get(type(value), "a number")
