"""The rooms of the house follow the flow: an import goes down or stays in its room, never up, never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from parsed import FOLDERS, ROOT, files, imports

# From the ground up; rooms that share a floor do not know each other.
CLIENT = (
    ("common",),
    ("sets",),
    ("prompts", "store"),
    ("asking", "answers"),
    ("importers", "judging"),
    ("scoring",),
    ("report", "conductivity"),
    ("api",),
    ("cli",),
    ("__main__",),
)
PROVIDERS = (
    ("types", "install"),
    ("errors",),
    ("userfiles", "time_limit", "provider"),
    ("options", "keys"),
    ("traffic",),
    ("hosted", "gguf", "mock"),
    ("registry",),
    ("cluster",),
    ("batches", "prices", "model_check"),
    ("price_check",),
)
FLOORS = {"clika_client": CLIENT, "clika_providers": PROVIDERS}


@dataclass(frozen=True)
class Arrow:
    """One import: the module it stands in, its line, and the module it names."""

    source: str
    target: str
    place: str


@cache
def arrows(package: str) -> tuple[Arrow, ...]:
    """All imports of a package's own modules, those inside functions and `TYPE_CHECKING` too."""
    return tuple(_arrows(FOLDERS[package], package))


def _arrows(folder: Path, package: str) -> Iterator[Arrow]:
    modules = {module_of(file, folder, package) for file in files(folder)}
    for file in files(folder):
        source = module_of(file, folder, package)
        for node in imports(file):
            for name in imported(node):
                target = name if name in modules else name.rpartition(".")[0]
                if target in modules and target != source:
                    yield Arrow(source, target, f"{file.relative_to(ROOT)}:{node.lineno}")


def module_of(file: Path, folder: Path, package: str) -> str:
    parts = file.relative_to(folder).with_suffix("").parts
    return ".".join((package, *(part for part in parts if part != "__init__")))


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        assert node.level == 0, "imports are absolute, so that they can be searched for"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def upward(found: Sequence[Arrow], floors: tuple[tuple[str, ...], ...]) -> list[str]:
    """The arrows that climb, or cross to a neighbour on the same floor, as sentences."""
    level = {room: number for number, rooms in enumerate(floors) for room in rooms}
    told = []
    for arrow in found:
        source, target = (name.split(".")[1] if "." in name else None for name in (arrow.source, arrow.target))
        if source is None or source == target:
            continue  # the package's own front door may name anything
        assert source in level, f"{arrow.place}: the room {source!r} stands on no floor; add it to tests/test_floors.py"
        if target is None or level[target] >= level[source]:
            told.append(f"{arrow.place}: {arrow.source} imports {arrow.target}")
    return told


def circle(found: list[Arrow]) -> list[str]:
    """One circle of modules, as the places of its imports; empty when there is none."""
    below: dict[str, list[Arrow]] = {}
    for arrow in found:
        below.setdefault(arrow.source, []).append(arrow)
    done: set[str] = set()

    def walk(module: str, path: list[Arrow]) -> list[str]:
        for arrow in below.get(module, ()):
            on_path = [step.source for step in path] + [module]
            if arrow.target in on_path:
                start = on_path.index(arrow.target)
                return [step.place for step in [*path, arrow][start:]]
            if arrow.target not in done and (met := walk(arrow.target, [*path, arrow])):
                return met
        done.add(module)
        return []

    for module in sorted(below):
        if module not in done and (met := walk(module, [])):
            return met
    return []


@pytest.mark.parametrize("package", FLOORS)
def test_no_import_goes_up(package: str) -> None:
    climbing = upward(arrows(package), FLOORS[package])
    assert not climbing, "\n".join(climbing)


@pytest.mark.parametrize("package", FOLDERS)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    front_door = package  # its lazy names point everywhere
    found = [arrow for arrow in arrows(package) if front_door not in (arrow.source, arrow.target)]
    assert not circle(found), "a circle: " + " → ".join(circle(found))


def test_an_arrow_up_and_a_circle_would_be_noticed() -> None:
    up = Arrow("clika_client.report.page", "clika_client.cli.common", "report/page.py:3")
    down = Arrow("clika_client.cli.common", "clika_client.report.page", "cli/common.py:9")
    assert upward([up, down], CLIENT) == ["report/page.py:3: clika_client.report.page imports clika_client.cli.common"]
    assert circle([up, down]) == ["cli/common.py:9", "report/page.py:3"]
    assert circle([down]) == []


def test_no_module_is_called_like_a_public_name() -> None:
    """Such a module would take the name's place in the package as soon as anything imports it."""
    import clika_client

    files = {path.stem for path in (ROOT / "clika_client").iterdir()}
    assert not files & set(clika_client.__all__)


LINES = 300


def test_no_file_of_the_house_is_longer_than_one_step_of_the_flow() -> None:
    """Where a file grows beyond, it holds a second step: say which, and give it a file of its own."""
    rooms = ("clika_client", "cache", "providers", "tools", "benchmarks")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    lengths = {str(file.relative_to(ROOT)): file.read_bytes().count(b"\n") for file in files}
    assert len(lengths) > 300
    assert [f"{file}: {lines} lines" for file, lines in lengths.items() if lines > LINES] == []
