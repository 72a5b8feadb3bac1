"""`clika view`: the page of a database in the browser, on this machine alone, also while a run goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from clika_client.cli.common import Db, database_path, err
from clika_client.cli.scoring_options import (
    Anchor,
    Languages,
    Models,
    Prompt,
    ReadingName,
    RunId,
    Sets,
    SetVersion,
    Sources,
    make_options,
    make_wanted,
)


def view(
    model: Models = None,
    sets: Sets = None,
    set_version: SetVersion = None,
    languages: Languages = None,
    source: Sources = None,
    prompt: Prompt = None,
    run: RunId = None,
    reading: ReadingName = "standard",
    anchor: Anchor = "en",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port [default: any that is free].")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
    db: Db = None,
) -> None:
    """Serve the page of a database on this machine until Ctrl-C; it says when new replies have come."""
    import webbrowser

    from clika_client.common.errors import UserError
    from clika_client.report.page.serve import Served

    wanted = make_wanted(model, sets, languages, source, prompt, reading, run, set_version)
    try:
        server = Served(database_path(db), wanted, make_options(anchor), port)
    except OSError as error:
        raise UserError(f"port {port} cannot be used: {error.strerror}; leave --port out for a free one") from error
    with server:
        server.text()
        err().print(server.address, markup=False, soft_wrap=True)
        err().print("Only this machine can open it. Ctrl-C ends it.", markup=False)
        if browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            err().print("ended", markup=False)
