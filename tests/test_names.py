"""One word, one thing: no two classes of the three packages share a name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from test_floors import HOUSES, ROOT


def classes_named_twice(files: Iterable[Path], root: Path) -> list[str]:
    """A line for each name that several classes have, private and nested ones too, with all their places."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{file.relative_to(root).as_posix()}:{node.lineno}")
    return [f"{name}: {' and '.join(found)}" for name, found in sorted(places.items()) if len(found) > 1]


def test_every_class_has_a_name_of_its_own() -> None:
    files = [file for folder, _ in HOUSES.values() for file in sorted(folder.rglob("*.py"))]
    assert len(files) > 300
    told = classes_named_twice(files, ROOT)
    assert not told, "say in each name what it is; twice there are\n" + "\n".join(told)


def test_a_second_class_of_a_name_would_be_noticed(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("class Plan: ...\nclass Row: ...\n")
    other.write_text("Cell = int\n\ndef build():\n    class Plan: ...\n")
    assert classes_named_twice([one, other], tmp_path) == ["Plan: one.py:1 and other.py:4"]
