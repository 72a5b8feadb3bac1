"""`clika score`: score stored answers again; needs no key, no network and no model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clika_client.cli.common import AsJson, Db, check_csv, database_path, out, print_json, write_text
from clika_client.cli.gate_options import Baseline, FailBelow, FailIfWorse, Gates, GithubSummary, Junit
from clika_client.cli.scoring_options import (
    Anchor,
    Bootstrap,
    Drop,
    EnCo,
    Languages,
    Models,
    Only,
    Prompt,
    ReadingName,
    Reference,
    RunId,
    Seed,
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


def score(
    shards: Annotated[
        list[Path] | None,
        typer.Argument(help="Parquet files that `clika export` wrote, to be scored together in place of --db."),
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
    en_co: EnCo = "jaccard",
    bootstrap: Bootstrap = 10_000,
    bootstrap_seed: Seed = 0,
    only: Only = None,
    drop: Drop = None,
    split: Split = None,
    reference: Reference = None,
    intervals: Annotated[
        bool | None,
        typer.Option("--intervals/--no-intervals", help="Show the interval under each figure [default: if few rows]."),
    ] = None,
    show: Annotated[
        str, typer.Option(help="Figures to show: ra, en_co, accuracy, kappa_correct, transfer, …; comma-separated.")
    ] = "ra_unclipped,en_co,en_co_chance_corrected",
    details: Annotated[
        bool, typer.Option("--details", help="Also what is said of all languages at once: gap, AC3, Fleiss, all pairs.")
    ] = False,
    db: Db = None,
    as_json: AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Also write the records as CSV to this file.")] = None,
    fail_below: FailBelow = None,
    baseline: Baseline = None,
    fail_if_worse: FailIfWorse = False,
    junit: Junit = None,
    github_summary: GithubSummary = False,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw heat maps: .html (interactive), .svg, .png or .pdf; needs [report].")
    ] = None,
) -> None:
    """Score the stored answers: every metric, with intervals, from the database alone."""
    from clika_client.report.scores_csv import to_csv
    from clika_client.report.terminal import render
    from clika_client.scoring.score import score_store

    gates = Gates(tuple(fail_below or ()), baseline, fail_if_worse, junit, github_summary)
    gates.check()
    check_csv(csv)
    wanted = make_wanted(model, sets, languages, source, prompt, reading, run, set_version)
    options = make_options(anchor, en_co, bootstrap, bootstrap_seed, drop, split, reference, only)
    if shards:
        from clika_client.conductivity.about import STATE
        from clika_client.conductivity.experiment_folder import ASKED
        from clika_client.scoring.shards import score_shards

        for folder in shards:
            if (folder / STATE).is_file() or (folder / ASKED).is_file():
                raise UserError(f"{folder} is an experiment of teaching; score it with: clika teach score {folder}")
        gates.refuse_baseline()
        scores = score_shards(shards, wanted, options)
    else:
        with opened(database_path(db)) as store:
            scores = score_store(store, wanted=wanted, options=options)
    if csv is not None:
        write_text(csv, to_csv(scores))
    if figure is not None:
        from clika_client.report.figure import save_figure

        save_figure(scores, figure)
    if as_json:
        print_json(scores.to_json())
    else:
        render(scores, out(), intervals=intervals, show=words(show), details=details)
    if shards:
        gates.judge(None, scores, run, options)
        return
    with opened(database_path(db)) as store:
        gates.judge(store, scores, run, options)
