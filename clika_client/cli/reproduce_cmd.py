"""`clika reproduce`: the published figures again, from the published responses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clika_client.cli.common import AsJson, check_csv, err, out, print_json, write_text
from clika_client.cli.import_cmd import show_bar
from clika_client.cli.scoring_options import Bootstrap, Drop, EnCo, Seed, make_options


def reproduce(
    path: Annotated[Path, typer.Argument(help="Your checkout of the authors' release.")],
    en_co: EnCo = "jaccard",
    bootstrap: Bootstrap = 10_000,
    bootstrap_seed: Seed = 0,
    drop: Drop = None,
    as_json: AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Also write the records as CSV to this file.")] = None,
) -> None:
    """RA and en-CO of every published model, set and language, and the paper's questions answered from them."""
    from clika_client.report.reproduction import render_reproduction
    from clika_client.report.scores_csv import to_csv
    from clika_client.scoring.reproduce import reproduce as compute

    check_csv(csv)
    options = make_options(en_co=en_co, bootstrap=bootstrap, seed=bootstrap_seed, drop=drop)
    with show_bar(err()) as progress:
        result = compute(path, options, progress)
    if csv is not None:
        write_text(csv, to_csv(result.scores))
    if as_json:
        print_json(result.to_json())
    else:
        render_reproduction(result, out())
