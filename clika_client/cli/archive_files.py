"""Exports as files: plain, gzip or zstd by their name; written whole or not at all, readable by their owner alone."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from clika_client.common.errors import UserError
from clika_client.common.files import replacing

_PRIVATE = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
_MOST_LINE = 33_000_000
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@contextmanager
def writing(path: Path) -> Iterator[Callable[[bytes], object]]:
    """A function that takes bytes; the file appears when everything went well."""
    try:
        with replacing(path) as part, os.fdopen(os.open(part, _PRIVATE, 0o600), "wb") as raw:
            with _packing(raw, path.suffix) as packed:
                yield packed.write
            raw.flush()
            os.fsync(raw.fileno())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; choose another file") from error


@contextmanager
def reading(path: Path) -> Iterator[Iterator[bytes]]:
    """The file's lines, unpacked as they are read; what its first bytes say counts, not its name."""
    try:
        with path.open("rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            if start.startswith(_ZSTD):
                with _zstd(path).ZstdDecompressor().stream_reader(raw, read_across_frames=True) as plain:
                    yield _lines(path, plain)
            elif start.startswith(_GZIP):
                with gzip.open(raw) as plain:
                    yield _lines(path, plain)
            else:
                yield _lines(path, raw)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


@contextmanager
def _packing(raw: IO[bytes], suffix: str) -> Iterator[Any]:
    if suffix == ".gz":
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=3, mtime=0) as packed:
            yield packed
    elif suffix == ".zst":
        with _zstd(raw.name).ZstdCompressor(level=3, write_checksum=True).stream_writer(raw, closefd=False) as packed:
            yield packed
    else:
        yield raw


def _lines(path: Path, plain: Any) -> Iterator[bytes]:
    """Lines of bounded length; packed data that is damaged ends the lines with one that says so."""
    rest = b""
    while True:
        try:
            piece = plain.read(1 << 20)
        except Exception as error:
            if isinstance(error, OSError) and error.errno:
                raise
            yield f"damaged: {error}".encode()
            return
        if not piece:
            break
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > _MOST_LINE:
            break
    if rest:
        yield rest


def _zstd(path: object) -> Any:
    try:
        import zstandard
    except ImportError:
        raise UserError(f'{path} is packed with zstd; install "zstandard", or use .gz') from None
    return zstandard
