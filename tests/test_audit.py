"""The bill of materials names every locked package; a known flaw fails, and silence is told apart from safety."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def auditor(folder: Path, text: str, code: int) -> str:
    """A program in place of the auditor's Python, which says this."""
    (folder / "said").write_text(text)
    program = folder / "python"
    program.write_text(f'#!/bin/sh\ncat "{folder}/said"\necho "no route to the service" >&2\nexit {code}\n')
    program.chmod(0o755)
    return str(program)


def test_every_locked_package_is_on_the_bill_with_its_hashes(audit: ModuleType) -> None:
    parts = {part["name"]: part for part in audit.bill()["components"]}
    assert {"numpy", "openai", "llama-cpp-python", "pytest", "hatchling", "zstandard"} <= parts.keys()
    assert all(len(digest["content"]) == 64 for part in parts.values() for digest in part["hashes"])
    assert all(part["hashes"] and part["purl"] == f"pkg:pypi/{name}@{part['version']}" for name, part in parts.items())


def test_a_known_vulnerability_is_named_with_its_cure(audit: ModuleType, tmp_path: Path) -> None:
    flaw = {"id": "CVE-1", "fix_versions": ["2"]}
    said = {
        "dependencies": [{"name": "a", "version": "1", "vulns": [flaw]}, {"name": "b", "version": "1", "vulns": []}]
    }
    bad, unknown = audit.audit(auditor(tmp_path, json.dumps(said), 1), audit.LOCKS[0])
    assert bad == ["core.txt: a 1: CVE-1, mended in 2"]
    assert unknown == ""


def test_what_could_not_be_asked_is_said_with_its_reason(audit: ModuleType, tmp_path: Path) -> None:
    assert audit.audit(auditor(tmp_path, "", 1), audit.LOCKS[0]) == (
        [],
        "the service could not be asked: no route to the service",
    )
    said = {"dependencies": [{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}]}
    _, unknown = audit.audit(auditor(tmp_path, json.dumps(said), 0), audit.LOCKS[0])
    assert unknown == "1 of 2 packages could not be asked about (not found)"
