"""`clika export`: replies, items, scores and runs for other tools: SQL, data frames, spreadsheets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clika_client.cli.common import Db, database_path, err
from clika_client.cli.scoring_options import (
    Anchor,
    Drop,
    Languages,
    Models,
    Only,
    Prompt,
    ReadingName,
    Reference,
    RunId,
    Sets,
    SetVersion,
    Sources,
    Split,
    make_options,
    make_wanted,
    opened,
)
from clika_client.common.errors import UserError
from clika_client.common.wording import counted


def export(
    file: Annotated[
        Path,
        typer.Argument(help="Where to: .sqlite (all four relations, for SQL), .parquet, .csv or .jsonl; - is stdout."),
    ],
    what: Annotated[
        str, typer.Option("--what", help="replies, items, scores or runs; a .sqlite file has all.")
    ] = "replies",
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="sqlite, parquet, csv or jsonl, whatever the suffix; on stdout csv or jsonl [default: jsonl].",
        ),
    ] = None,
    model: Models = None,
    sets: Sets = None,
    set_version: SetVersion = None,
    languages: Languages = None,
    source: Sources = None,
    prompt: Prompt = None,
    run: RunId = None,
    reading: ReadingName = "standard",
    anchor: Anchor = "en",
    only: Only = None,
    drop: Drop = None,
    split: Split = None,
    reference: Reference = None,
    db: Db = None,
) -> None:
    """Write one row per reply (or item, score, run) for other tools; docs/sql.md has the columns and questions."""
    from clika_client.report.rows.export import export as write
    from clika_client.report.rows.export import export_text

    wanted = make_wanted(model, sets, languages, source, prompt, reading, run, set_version)
    options = make_options(anchor, drop=drop, split=split, reference=reference, only=only)
    with opened(database_path(db)) as store:
        if str(file) == "-":
            if format_ not in (None, "jsonl", "csv"):
                raise UserError(f"--format {format_!r} cannot go to stdout; choose jsonl or csv, or name a file")
            export_text(store, sys.stdout, f".{format_ or 'jsonl'}", what, wanted, options)
            return
        if format_ not in (None, "sqlite", "parquet", "csv", "jsonl"):
            raise UserError(f"--format {format_!r} is none of sqlite, parquet, csv and jsonl")
        count = write(store, file, what, wanted, options, suffix=f".{format_}" if format_ else None)
    err().print(f"{counted(count, 'row')} in {file}", markup=False, soft_wrap=True)
