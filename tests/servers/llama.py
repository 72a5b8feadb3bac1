"""Starts a server of one model with real label probabilities on loopback: `llama_cpp.server`, or llama-server."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDS = ("llama_cpp", "fastapi", "uvicorn", "sse_starlette", "starlette_context", "pydantic_settings", "yaml")
BINARY = "CLIKA_LLAMA_SERVER"
"""Environment variable that names llama.cpp's own llama-server."""


def missing() -> str | None:
    """Why `llama_cpp.server` cannot be started here, or None."""
    absent = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    return f"llama_cpp.server needs {', '.join(absent)}" if absent else None


def binary_missing() -> str | None:
    """Why llama-server cannot be started here, or None."""
    return None if Path(os.environ.get(BINARY, "")).is_file() else f"{BINARY} names no llama-server binary"


@contextmanager
def llama_server(gguf: Path, alias: str = "tiny") -> Iterator[str]:
    """Serve one model by llama-cpp-python's server; yields the base URL."""
    words = ["--model", gguf, "--model_alias", alias, "--n_ctx", 512, "--n_threads", 1, "--verbose", "false"]
    with _serving([sys.executable, "-m", "llama_cpp.server", *words]) as url:
        yield url


@contextmanager
def llama_cpp_server(gguf: Path, *words: object) -> Iterator[str]:
    """Serve one model by llama-server; yields the base URL."""
    usual = ["--model", gguf, "--ctx-size", 1024, "--threads", 1, "--parallel", 1, "--no-webui", *words]
    with _serving([os.environ[BINARY], *usual]) as url:
        yield url


@contextmanager
def _serving(command: list[object]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1"
    words = [*map(str, command), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(process, url)
            yield url
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/models", timeout=60):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start within 300 s")
