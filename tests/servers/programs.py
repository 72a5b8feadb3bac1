"""Starting servers written by others; a test whose program is not installed skips and says what is missing."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
_PLACES = [HERE / "node_modules", Path.home() / ".cache" / "clika-client" / "test-servers" / "node_modules"]
_INSTALL = "npm install --no-package-lock --prefix tests/servers"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _node_package(name: str) -> Path:
    places = [Path(os.environ["CLIKA_TEST_SERVERS"])] if os.environ.get("CLIKA_TEST_SERVERS") else _PLACES
    for place in places:
        if (place / name).is_dir():
            return place / name
    pytest.skip(f"{name} is not installed: {_INSTALL}")


def axe() -> Path:
    """The accessibility checker, as a script for a page."""
    return _node_package("axe-core") / "axe.min.js"


def _need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@contextlib.contextmanager
def _running(command: list[str], url: str, *, seconds: float = 300.0) -> Iterator[None]:
    """The program, from the moment it answers at `url`."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=HERE)
    try:
        until = time.monotonic() + seconds
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command[0]} did not start: {command}")
            time.sleep(0.03)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def ask(url: str, body: Any = None, method: str | None = None) -> Any:
    """One exchange with a program's own controls, as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=300) as reply:
        text = reply.read()
    return json.loads(text) if text else None


@contextlib.contextmanager
def llmock_server(*arguments: str) -> Iterator[str]:
    """llmock in a process of its own; gives its root address."""
    if importlib.util.find_spec("llmock") is None:
        pytest.skip("llmock is not installed: pip install llmock")
    root = f"http://127.0.0.1:{(port := free_port())}"
    program = "from llmock.cli import *; import llmock.cli as c; c.app()"
    command = [sys.executable, "-c", program, "serve", "--port", str(port), "--log-level", "error", *arguments]
    with _running(command, f"{root}/health"):
        yield root


@contextlib.contextmanager
def aimock_server(fixtures: list[dict[str, Any]], folder: Path, *arguments: str) -> Iterator[str]:
    """aimock with these fixtures; gives its root address."""
    package, node = _node_package("@copilotkit/aimock"), _need("node")
    file = folder / "fixtures.json"
    file.write_text(json.dumps({"fixtures": fixtures}))
    root = f"http://127.0.0.1:{(port := free_port())}"
    command = [
        node,
        str(package / "dist" / "cli.js"),
        "-p",
        str(port),
        "-f",
        str(file),
        "--log-level",
        "silent",
        *arguments,
    ]
    with _running(command, f"{root}/health"):
        yield root


@contextlib.contextmanager
def wiremock_server(folder: Path) -> Iterator[str]:
    """WireMock without any mapping; gives its root address. Its controls are under /__admin."""
    package, java = _node_package("wiremock"), _need("java")
    jar = next((package / "build").glob("*.jar"), None)
    if jar is None:
        pytest.skip(f"the wiremock package holds no jar: {_INSTALL}")
    root = f"http://127.0.0.1:{(port := free_port())}"
    # The quickest of the machine's compilers alone: the better ones take longer than they save in a minute of tests.
    lean = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
    command = [java, *lean, "-jar", str(jar), "--port", str(port), "--bind-address", "127.0.0.1"]
    command += ["--disable-banner", "--no-request-journal", "--root-dir", str(folder)]
    with _running(command, f"{root}/__admin/mappings"):
        yield root
