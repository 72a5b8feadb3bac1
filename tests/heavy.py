"""Libraries that take seconds to import: loaded by the first test that uses them, not while tests are collected."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pytest


class Later:
    """Stands for the module `name` and imports it at the first look inside: `torch = later("torch")`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # pytest asks whatever stands in a file for `__test__` and `_mock_name`
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)


def later(name: str, extra: str | None = None) -> Any:
    """The module `name`, imported when it is used; a file of tests that lacks it is skipped, as `importorskip` does.

    `extra` is what of this project's installation brings it.
    """
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        cure = f"pip install '.[{extra}]'" if extra else "pip install -r requirements/dev.txt"
        pytest.skip(f"{name} is not installed: {cure}", allow_module_level=True)
    return Later(name)
