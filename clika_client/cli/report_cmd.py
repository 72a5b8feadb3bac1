"""`clika report`: the scores as something to look at or to print: a page, a document, a table for a paper."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clika_client.cli.common import Db, database_path, write_text
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
    RunId,
    Sets,
    SetVersion,
    Sources,
    Split,
    make_options,
    make_wanted,
    opened,
    words,
)
from clika_client.common.errors import UserError
from clika_client.common.safe_text import json_shown

if TYPE_CHECKING:
    from clika_client.scoring.chosen import Wanted
    from clika_client.scoring.records import Scores
    from clika_client.scoring.score_sets import Options
    from clika_client.store.store import Store

_SHOWN = "ra_unclipped,en_co,en_co_chance_corrected"
_KINDS = {
    ".html": "html", ".md": "md", ".tex": "latex", ".csv": "csv", ".json": "json", ".parquet": "parquet",
    ".svg": "figure", ".png": "figure", ".pdf": "figure",
}  # fmt: skip
_FILES_ONLY = ("html", "parquet", "figure")


def report(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Where to; its suffix is the format: .html, .md, .tex, .csv, .json, .parquet, or a heat map as .svg, "
            ".png, .pdf."
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Whatever the suffix: html, md, latex, csv, json or parquet; without a file on stdout: md, latex, csv "
            "or json.",
        ),
    ] = None,
    show: Annotated[str, typer.Option(help="Figures by language, comma-separated; in a heat map also pairs.")] = _SHOWN,
    transpose: Annotated[
        bool | None,
        typer.Option("--transpose/--no-transpose", help="Languages on lines [default: in documents, if narrower]."),
    ] = None,
    xrr: Annotated[
        list[Path] | None,
        typer.Option("--xrr", help="For the page: conductivity, as `clika teach score --json` wrote it; repeatable."),
    ] = None,
    width: Annotated[float | None, typer.Option("--width", min=20, help="Width of a heat map in mm.")] = None,
    model: Models = None,
    sets: Sets = None,
    set_version: SetVersion = None,
    languages: Languages = None,
    source: Sources = None,
    prompt: Prompt = None,
    run: RunId = None,
    reading: ReadingName = "standard",
    anchor: Anchor = "en",
    en_co: EnCo = "jaccard",
    only: Only = None,
    drop: Drop = None,
    split: Split = None,
    reference: Reference = None,
    db: Db = None,
) -> None:
    """Write a report: one page to look at (.html), a document (.md, .tex) or the scores as data."""
    if file is None and format_ is None:
        raise UserError("name a file, such as report.html, or a --format for stdout: md, latex, csv, json")
    kind = format_ or _KINDS.get(file.suffix if file else "", "")
    if kind not in _KINDS.values() or (file is None and kind in _FILES_ONLY) or format_ == "figure":
        if format_ is not None and file is not None:
            raise UserError(f"--format {format_!r} is none of html, md, latex, csv, json and parquet")
        said = f"--format {format_!r} cannot go to stdout" if file is None else f"{file.name!r} has no known suffix"
        raise UserError(f"{said}; name a file that ends in {', '.join(_KINDS)}, or --format md, latex, csv or json")
    if xrr and kind != "html":
        raise UserError("--xrr goes into the page: name a file that ends in .html")
    wanted = make_wanted(model, sets, languages, source, prompt, reading, run, set_version)
    options = make_options(anchor, en_co, drop=drop, split=split, reference=reference, only=only)
    with opened(database_path(db)) as store:
        if file is not None and kind in ("html", "parquet"):
            _binary(store, file, kind, wanted, options, xrr or [])
            return
        from clika_client.scoring.score import score_store

        scores = score_store(store, wanted=wanted, options=options)
    if file is not None and kind == "figure":
        from clika_client.report.figure import Look, save_figure

        save_figure(scores, file, Look(words(show), bool(transpose), width))
        return
    text = _text(scores, kind, words(show), transpose)
    if file is None:
        sys.stdout.write(text)
    else:
        write_text(file, text)


def _binary(store: Store, file: Path, kind: str, wanted: Wanted, options: Options, xrr: Sequence[Path]) -> None:
    if kind == "html":
        from clika_client.report.page.taught import read_taught
        from clika_client.report.page.write import save_page

        save_page(store, file, wanted, options, read_taught(xrr))
        return
    from clika_client.report.rows.export import export

    export(store, file, "scores", wanted, options, suffix=".parquet")


def _text(scores: Scores, kind: str, show: Sequence[str], transpose: bool | None) -> str:
    from clika_client.report.documents.formats import WRITERS
    from clika_client.report.scores_csv import to_csv

    if kind == "csv":
        return to_csv(scores)
    if kind == "json":
        return json_shown(json.dumps(scores.to_json(), ensure_ascii=False, allow_nan=False)) + "\n"
    return WRITERS[kind](scores, show, transpose)
