"""One word, one thing: no two classes of the three packages share a name, and messages of errors end alike."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from parsed import FOLDERS, ROOT, files, parsed, statements


def modules() -> Mapping[Path, ast.Module]:
    """Every file of the three packages, parsed."""
    found = {file: parsed(file) for folder in FOLDERS.values() for file in files(folder)}
    assert len(found) > 300
    return found


def classes_named_twice(trees: Mapping[Path, ast.Module], root: Path) -> list[str]:
    """A line for each name that several classes have, private and nested ones too, with all their places."""
    places: dict[str, list[str]] = defaultdict(list)
    for file, tree in trees.items():
        for node in statements(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{file.relative_to(root).as_posix()}:{node.lineno}")
    return [f"{name}: {' and '.join(found)}" for name, found in sorted(places.items()) if len(found) > 1]


def test_every_class_has_a_name_of_its_own() -> None:
    told = classes_named_twice(modules(), ROOT)
    assert not told, "say in each name what it is; twice there are\n" + "\n".join(told)


def test_a_second_class_of_a_name_would_be_noticed(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("class Plan: ...\nclass Row: ...\n")
    other.write_text("Cell = int\n\ndef build():\n    class Plan: ...\n")
    trees = {file: ast.parse(file.read_text()) for file in (one, other)}
    assert classes_named_twice(trees, tmp_path) == ["Plan: one.py:1 and other.py:4"]


def full_stops(tree: ast.Module) -> list[tuple[int, str]]:
    """Line and text of each message of an error that ends in a full stop; it may be shown within a sentence, too."""
    found = []
    for node in statements(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            message = node.exc.args[0]
            last = message.values[-1] if isinstance(message, ast.JoinedStr) else message
            if isinstance(last, ast.Constant) and str(last.value).endswith("."):
                found.append((node.lineno, str(last.value)))
    return found


def test_messages_of_errors_end_without_a_full_stop() -> None:
    told = [
        f"{file.relative_to(ROOT)}:{line}: {text}"
        for file, tree in modules().items()
        for line, text in full_stops(tree)
    ]
    assert told == []
    assert full_stops(ast.parse("raise RunError(f'{name} is gone.')\nraise ItemError('gone')")) == [(1, " is gone.")]
