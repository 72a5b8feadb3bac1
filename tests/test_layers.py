"""Imports point one way: clika_client → clika_cache → clika_providers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from parsed import FOLDERS, ROOT, files, imports, imports_in, parsed

from clika_cache import Database

FORBIDDEN = {
    "clika_client": set[str](),
    "clika_cache": {"clika_client"},
    "clika_providers": {"clika_client", "clika_cache"},
}
HEAVY = {"openai", "llama_cpp", "torch", "transformers", "pyarrow", "altair", "babel", "pandas"}


BUILT_ON = {"httpx", "llama-cpp-python", "openai", "rich", "sqlite-utils", "tenacity"}


def named(found: Iterable[ast.Import | ast.ImportFrom]) -> set[str]:
    """The packages that are imported."""
    names = set()
    for node in found:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("layer", FOLDERS)
def test_no_layer_imports_from_above(layer: str) -> None:
    assert files(FOLDERS[layer])
    for file in files(FOLDERS[layer]):
        upward = named(imports(file)) & FORBIDDEN[layer]
        assert not upward, f"{file} imports {upward}"


def test_an_upward_import_would_be_noticed() -> None:
    tree = ast.parse("def load():\n    if True:\n        from clika_client.store.store import Store")
    assert named(imports_in(tree)) & FORBIDDEN["clika_providers"]


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from clika_client.cli.app import run\n"
        "try:\n    run(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"heavy = sorted({HEAVY!r} & set(sys.modules))\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_command_loads_itself_and_no_other_nor_what_it_does_not_need(tmp_path: Path) -> None:
    Database(tmp_path / "c.db").close()
    code = (
        "import sys\n"
        "from clika_client.cli.app import COMMANDS, run\n"
        "try:\n    run(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "others = [place.partition(':')[0] for name, place in COMMANDS.items() if name != 'cache']\n"
        "assert len(others) > 20\n"
        "print([m for m in (*(f'clika_client.cli.{o}' for o in others), 'numpy', 'pandas') if m in sys.modules])\n"
    )
    arguments = ["cache", "stats", "--json", "--db", str(tmp_path / "c.db")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("layer", FOLDERS)
def test_every_module_opens_with_one_sentence(layer: str) -> None:
    for file in files(FOLDERS[layer]):
        doc = ast.get_docstring(parsed(file))
        assert doc, f"{file} has no docstring"
        opening = doc.split("\n\n")[0].rstrip()
        assert opening[-1] in ".:!?", f"{file}: its docstring does not open with a sentence"


def test_what_the_project_is_built_on_is_declared_and_used() -> None:
    """A faster way around one of them is no reason to drop it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["local"]]
    assert {re.split("[<>=]", each)[0] for each in declared} >= BUILT_ON
    used = {name for folder in FOLDERS.values() for file in files(folder) for name in named(imports(file))}
    assert {name.partition(".")[0] for name in used} >= {
        {"llama-cpp-python": "llama_cpp"}.get(name, name.replace("-", "_")) for name in BUILT_ON
    }
