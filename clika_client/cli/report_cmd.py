"""`clika report`: the scores as something to look at or to print: a page, a document, a table for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clika_client.cli.common import Db, database_path, err
from clika_client.cli.scoring_options import (
    Anchor,
    Drop,
    EnCo,
    Languages,
    Models,
    Only,
    Prompt,
    ReadingName,
    Reference,
    Sets,
    SetVersion,
    Sources,
    Split,
    make_options,
    make_wanted,
    opened,
)


def report(
    file: Annotated[Path, typer.Argument(help="Where to: .html.")],
    model: Models = None,
    sets: Sets = None,
    set_version: SetVersion = None,
    languages: Languages = None,
    source: Sources = None,
    prompt: Prompt = None,
    run: Annotated[str | None, typer.Option("--run", help="Only what this run asked (its id).")] = None,
    reading: ReadingName = "standard",
    anchor: Anchor = "en",
    en_co: EnCo = "jaccard",
    only: Only = None,
    drop: Drop = None,
    split: Split = None,
    reference: Reference = None,
    db: Db = None,
) -> None:
    """Write a report."""
    from clika_client.report.page.write import save_page

    wanted = make_wanted(model, sets, languages, source, prompt, reading, run, set_version)
    options = make_options(anchor, en_co, drop=drop, split=split, reference=reference, only=only)
    with opened(database_path(db)) as store:
        save_page(store, file, wanted, options)
    err().print(f"{file}", markup=False, soft_wrap=True)
