"""Docs that are made from the program are up to date, every command is documented, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_generated_parts_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "tools" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_docs"] = module
    spec.loader.exec_module(module)
    assert module.stale(check=True) == [], "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_no_page_names_an_option_that_does_not_exist() -> None:
    help_text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    known = set(re.findall(r"--[a-z][a-z-]+", help_text))
    for page in (ROOT / "README.md", ROOT / "docs" / "providers.md", ROOT / "docs" / "local-models.md"):
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"^\s*clika .*$", text, re.MULTILINE):
            unknown = set(re.findall(r"(?<!\S)--[a-z][a-z-]+", line)) - known
            assert not unknown, f"{page.name}: {line.strip()} uses {unknown}"
