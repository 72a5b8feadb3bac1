"""Write the parts of docs/ that are made from the program; `--check` only says whether they are up to date.

A generated part stands between `<!-- begin generated NAME -->` and `<!-- end generated -->`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parent.parent
_PART = re.compile(r"(<!-- begin generated (\S+) -->\n).*?(<!-- end generated -->)", re.DOTALL)


def cli() -> str:
    """The help text of every command."""
    from clika_client.cli.app import command

    def walk(node: object, path: list[str]) -> list[list[str]]:
        children = getattr(node, "commands", {})
        below = [found for name in children for found in walk(children[name], [*path, name])]
        return [path, *below]

    parts = []
    for path in walk(command(), []):
        title = " ".join(["clika", *path])
        parts.append(f"## `{title}`\n\n```text\n{_help(path)}\n```\n")
    return "\n".join(parts)


def _help(path: list[str]) -> str:
    """What a command's --help prints, made in this process: forty processes would take half a minute."""
    from clika_client.cli.app import command

    plain = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    kept = {name: value for name, value in os.environ.items() if name not in ("CLIKA_DB", "CLIKA_HOME")}
    said = io.StringIO()
    with mock.patch.dict(os.environ, {**kept, **plain}, clear=True), contextlib.redirect_stdout(said):
        command()(args=[*path, "--help"], prog_name="clika", standalone_mode=False)
    return "\n".join(line.rstrip() for line in said.getvalue().strip().splitlines())


def providers() -> str:
    """The table of known servers."""
    from clika_providers.registry import provider_table

    def code(text: str) -> str:
        return f"`{text}`" if text else ""

    return _table(
        [
            {
                "name": code(row.name),
                "server": row.title,
                "address": code(row.base_url),
                "key": row.key_env,
                "label probabilities": row.logprobs,
                "likelihood of options": row.likelihood,
                "thinking off": row.thinking_off,
                "note": row.note,
            }
            for row in provider_table()
        ]
    )


def metrics() -> str:
    """The table of metrics with their formulas and sources."""
    from metric_examples import metric_table

    return _table(metric_table())


def atlas() -> str:
    """Items of atlas per relation, and its languages."""
    from clika_client.sets.atlas.counts import markdown
    from clika_client.sets.atlas.frozen import load

    return markdown(load(), load(name="atlas-names"))


def atlas_corrections() -> str:
    """Which names of atlas were put right, by kind of mistake."""
    from clika_client.sets.atlas.corrections import markdown

    return markdown()


def benchmarks() -> str:
    """The public benchmarks that are known by name."""
    from clika_client.sets.benchmarks.table import benchmark, names

    rows = []
    for name in names():
        table = benchmark(name)
        rows.append(
            {
                "set": f"`{name}`",
                "": table.about,
                "items": str(table.items or "–"),
                "choices": table.choices,
                "languages": str(table.languages),
                "licence": table.licence,
                "from": table.hub or table.get.removeprefix("git clone https://"),
            }
        )
    return _table(rows)


def defects() -> str:
    """What is known to be wrong with the published files, benchmark by benchmark."""
    from clika_client.sets.benchmarks.table import benchmark, names

    return "\n".join(
        f"- `{name}`: {'; '.join(benchmark(name).defects)}." for name in names() if benchmark(name).defects
    )


def columns() -> str:
    """The columns of the exported relations, without the two ends of each figure's interval."""
    from clika_client.report.rows.columns import RELATIONS

    kinds = {"int": "integer", "flag": "true or false", "time": "moment", "texts": "texts", "reals": "numbers"}
    parts = []
    for name, found in RELATIONS.items():
        rows = [
            {"column": f"`{c.name}`", "type": kinds.get(c.kind, c.kind), "": c.about}
            for c in found
            if not c.name.endswith(("_low", "_high"))
        ]
        parts.append(f"### `{name}`\n\n{_table(rows)}")
    return "\n\n".join(parts)


def session() -> str:
    """What `clika demo` prints, run here and now."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COLUMNS": "112", "NO_COLOR": "1", "CLIKA_HOME": folder}
        code = "from clika_client.cli import main; main()"
        done = subprocess.run([sys.executable, "-c", code, "demo"], capture_output=True, text=True, env=environment)
        if done.returncode:
            sys.exit(f"the session in README cannot be made: `clika demo` ended with {done.returncode}\n{done.stderr}")
        said = done.stderr.replace(str(Path(folder)), "~/.local/share/clika-client")
    # Rates and times differ with every run; everything else is as printed.
    before, _, after = said.partition("\nNext, ")
    lines = [line for line in before.splitlines() if " asked, " not in line]
    shown = "\n".join([*lines, done.stdout.rstrip(), "", "Next, " + after.rstrip()])
    return f"```text\n$ clika demo\n{shown}\n```"


def reliability() -> str:
    """Ten lines of what can be relied on, with the counts of the last series."""
    from reliability import COUNTS, lines

    return lines(json.loads(COUNTS.read_text(encoding="utf-8")))


PARTS: dict[str, Callable[[], str]] = {
    "cli": cli,
    "providers": providers,
    "metrics": metrics,
    "atlas-counts": atlas,
    "atlas-corrections": atlas_corrections,
    "benchmarks": benchmarks,
    "benchmark-defects": defects,
    "columns": columns,
    "session": session,
    "reliability": reliability,
}
# Written, not checked here: the session needs llama.cpp, and another processor may round an answer the other way; the
# parts of atlas are held against the program by its own tests, which have it built.
UNCHECKED = {"session", "atlas-counts", "atlas-corrections"}


def _table(rows: list[dict[str, str]]) -> str:
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(row[n].replace("|", "\\|") for n in names) + " |" for row in rows]
    return "\n".join(lines)


def _made(part: re.Match[str], skip: set[str]) -> str:
    return part[0] if part[2] in skip else f"{part[1]}\n{PARTS[part[2]]().strip()}\n\n{part[3]}"


def stale(check: bool) -> list[str]:
    """Write the generated parts of every page, or with `check` only name the pages that would change."""
    skip = UNCHECKED if check else set[str]()
    changed = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        made = _PART.sub(lambda m: _made(m, skip), text)
        if made != text:
            changed.append(page.name)
            if not check:
                page.write_text(made, encoding="utf-8")
    return changed


if __name__ == "__main__":
    only_check = "--check" in sys.argv
    if not only_check:
        from clika_client.sets.atlas.page import write_pages

        write_pages(ROOT / "docs" / "atlas-questions")
    pages = stale(only_check)
    print("\n".join(pages) if pages else "up to date")
    sys.exit(1 if only_check and pages else 0)
