"""Write the parts of docs/ that are made from the program; `--check` only says whether they are up to date.

A generated part stands between `<!-- begin generated NAME -->` and `<!-- end generated -->`.
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
_PART = re.compile(r"(<!-- begin generated (\S+) -->\n).*?(<!-- end generated -->)", re.DOTALL)


def cli() -> str:
    """The help text of every command."""
    import typer.main

    from clika_client.cli.app import app

    def walk(command: object, path: list[str]) -> list[list[str]]:
        children = getattr(command, "commands", {})
        below = [found for name in children for found in walk(children[name], [*path, name])]
        return [path, *below]

    parts = []
    for path in walk(typer.main.get_command(app), []):
        title = " ".join(["clika", *path])
        parts.append(f"## `{title}`\n\n```text\n{_help(path)}\n```\n")
    return "\n".join(parts)


def _help(path: list[str]) -> str:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    for name in ("CLIKA_DB", "CLIKA_HOME"):
        environment.pop(name, None)
    code = "from clika_client.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *path, "--help"], capture_output=True, text=True, env=environment, check=True
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def providers() -> str:
    """The table of known servers."""
    from clika_providers.registry import provider_table

    return _table([dataclasses.asdict(row) for row in provider_table()])


def metrics() -> str:
    """The table of metrics with their formulas and sources."""
    from clika_client.metrics import metric_table

    return _table(metric_table())


def atlas() -> str:
    """Items of atlas per relation, and its languages."""
    from clika_client.atlas.counts import markdown

    return markdown()


PARTS: dict[str, Callable[[], str]] = {"cli": cli, "providers": providers, "metrics": metrics, "atlas-counts": atlas}


def _table(rows: list[dict[str, str]]) -> str:
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(row[n].replace("|", "\\|") for n in names) + " |" for row in rows]
    return "\n".join(lines)


def stale(check: bool) -> list[str]:
    """Write the generated parts of every page, or with `check` only name the pages that would change."""
    changed = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        made = _PART.sub(lambda m: f"{m[1]}\n{PARTS[m[2]]().strip()}\n\n{m[3]}" if m[2] in PARTS else m[0], text)
        if made != text:
            changed.append(page.name)
            if not check:
                page.write_text(made, encoding="utf-8")
    return changed


if __name__ == "__main__":
    only_check = "--check" in sys.argv
    pages = stale(only_check)
    print("\n".join(pages) if pages else "up to date")
    sys.exit(1 if only_check and pages else 0)
