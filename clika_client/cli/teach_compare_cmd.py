"""`clika teach compare`: one table over many experiments, and what differs between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clika_client.cli.common import AsJson, out, print_json


def compare(
    experiments: Annotated[list[Path], typer.Argument(help="Folders of experiments, or folders that hold them.")],
    bootstrap: Annotated[int, typer.Option("--deals", min=100, help="Deals of the test against chance.")] = 10_000,
    as_json: AsJson = False,
) -> None:
    """One row per model, way of teaching and direction, over all seeds: against chance, copying and one another."""
    from clika_client.conductivity.between import between
    from clika_client.conductivity.report_between import render

    found = between(experiments, draws=bootstrap)
    if as_json:
        print_json(found.to_json())
    else:
        render(found, out())
