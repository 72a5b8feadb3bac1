"""Chromium as a reader has it, with the network off: it notes every request, error and line of its console."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync"]

_PATIENCE_MS = 300_000
"""A page that never opens fails the test; one that opens slowly, beside other work, does not."""


@dataclass
class Window:
    """One page, and what it did that it must not."""

    page: Any
    complaints: list[str] = field(default_factory=list)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser; a machine without one skips."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("chromium is not installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS, timeout=_PATIENCE_MS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def window(browser: Any, address: str | Path, *, width: int = 1280, scheme: str = "light") -> Iterator[Window]:
    """A page that has been opened and is ready; a file is opened with the network off."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=isinstance(address, Path)
    )
    context.set_default_timeout(_PATIENCE_MS)
    opened = Window(context.new_page())
    page = opened.page
    page.on("console", lambda message: opened.complaints.append(f"console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: opened.complaints.append(f"error: {error}"))
    page.on("request", lambda request: _note(opened, request.url, address))
    try:
        page.goto(address.as_uri() if isinstance(address, Path) else address)
        page.wait_for_selector("html[data-ready]")
        yield opened
    finally:
        context.close()


def _note(opened: Window, url: str, address: str | Path) -> None:
    own = address.as_uri() if isinstance(address, Path) else str(address)
    if not url.startswith(("data:", own)):
        opened.complaints.append(f"request: {url}")
