"""The code of the three packages, parsed once for all tests that read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "clika_client": ROOT / "clika_client",
    "clika_cache": ROOT / "cache" / "clika_cache",
    "clika_providers": ROOT / "providers" / "clika_providers",
}


@cache
def files(folder: Path) -> tuple[Path, ...]:
    """The modules of a package, in their order."""
    return tuple(sorted(folder.rglob("*.py")))


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every statement, those inside functions, classes and branches too; a tenth of what `ast.walk` visits."""
    left = [tree]
    while left:
        node = left.pop()
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, part, ())
            left += inner
            yield from inner


@cache
def imports(file: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Every import of a module, those inside functions and `TYPE_CHECKING` too."""
    return imports_in(parsed(file))


def imports_in(tree: ast.AST) -> tuple[ast.Import | ast.ImportFrom, ...]:
    return tuple(node for node in statements(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))
