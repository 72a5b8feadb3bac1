"""`clika cite`: BibTeX of the paper, this tool and the sets that were asked."""

from __future__ import annotations

from typing import Annotated

import typer

from clika_client.cli.common import Db, database_path


def cite(
    sets: Annotated[
        list[str] | None, typer.Argument(help="Sets by name or file [default: those of the database].")
    ] = None,
    db: Db = None,
) -> None:
    """Print what to cite, as BibTeX."""
    from clika_client.cli.scoring_options import opened
    from clika_client.report.documents.cite import bibtex
    from clika_client.sets.catalogue import resolve

    if sets:
        found = [resolve(name) for name in dict.fromkeys(sets)]
    elif database_path(db).is_file():
        with opened(database_path(db)) as store:
            found = [store.probe_set(info.set_id) for info in store.set_infos()]
    else:
        found = []
    typer.echo(bibtex(found), nl=False)
