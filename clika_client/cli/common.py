"""What every command shares: where the database is, where text goes, and how errors end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.common.paths import home
from clika_client.common.safe_text import json_shown

if TYPE_CHECKING:
    from rich.console import Console

Db = Annotated[
    Path | None,
    typer.Option("--db", envvar="CLIKA_DB", show_default=False, help="Database file [default: in your data folder]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout instead of tables.")]


def language_tags(*given: str) -> tuple[str, ...]:
    """Tags written one way and each once, from options that hold several, comma-separated.

    Raises UserError for what is no language, and where nothing is named.
    """
    from clika_client.common.errors import UserError
    from clika_client.common.languages import canonical

    tags = tuple(dict.fromkeys(canonical(tag) for text in given for tag in text.split(",") if tag.strip()))
    if given and not tags:
        raise UserError(f"{', '.join(map(repr, given))} names no language; write tags such as en,de")
    return tags


def database_path(given: Path | None) -> Path:
    """`--db`, else `CLIKA_DB`, else `clika.db` in the user's data folder."""
    return given if given is not None else home() / "clika.db"


def out() -> Console:
    """Results: stdout; into a file or pipe as wide as `COLUMNS` says, else wide enough for ten languages."""
    from clika_client.cli.words import WordConsole

    wide = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else 120
    return WordConsole(width=wide, highlight=False, emoji=False)


def say_hanging(text: str, hang: int, style: str = "") -> None:
    """One line of stdout; where a terminal must break it, what follows stands under its letter number `hang`."""
    from rich.table import Table
    from rich.text import Text

    console = out()
    if not console.is_terminal or hang >= console.width // 2:
        console.print(Text(text, style=style), soft_wrap=True)
        return
    grid = Table.grid()
    grid.add_column(width=hang, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(text[:hang], style=style), Text(text[hang:], style=style))
    console.print(grid)


def err() -> Console:
    """Progress and messages: stderr."""
    from clika_client.cli.words import WordConsole

    return WordConsole(stderr=True, highlight=False, emoji=False)


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document on stdout; non-finite numbers are not JSON and must be null before."""
    sys.stdout.write(json_shown(json.dumps(document, ensure_ascii=False, allow_nan=False)))
    sys.stdout.write("\n")


_OTHER_FORMS = (".html", ".json", ".jsonl", ".md", ".parquet", ".pdf", ".png", ".sqlite", ".svg", ".tex", ".xlsx")


def check_csv(path: Path | None) -> None:
    """Refuse a name for `--csv` that says another format, or stdout; before anything is asked or computed."""
    from clika_client.common.errors import UserError

    if path is not None and (str(path) == "-" or path.suffix.lower() in _OTHER_FORMS):
        cure = "clika report --format csv" if str(path) == "-" else f"clika report {path}"
        raise UserError(f"--csv writes a file of comma-separated values, not {str(path)!r}; for that: {cure}")


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: a half-written result must not be mistaken for one."""
    from clika_client.common.errors import UserError
    from clika_client.common.files import replacing

    try:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another file") from error
