"""`clika cache`: what the database holds, copies in and out, pruning and verification."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from clika_client.cli import archive_files
from clika_client.cli.common import AsJson, Db, database_path, err, out, print_json
from clika_client.common.errors import UserError
from clika_client.common.wording import counted, instead

app = typer.Typer(help="Look after the database of replies.", no_args_is_help=True)


@app.command("stats")
def stats(db: Db = None, as_json: AsJson = False) -> None:
    """Show what the database holds: replies, tokens and cost per model."""
    from rich.markup import escape
    from rich.table import Table

    from clika_cache import Database, maintenance

    with Database(database_path(db), read_only=True) as database:
        found = maintenance.stats(database)
    _tell_apart(found.models)
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    console = out()
    console.print(
        f"{found.path}: {found.bytes / 1e6:.1f} MB, {counted(found.replies, 'reply')}, "
        f"{counted(found.prompts, 'prompt')}",
        markup=False,
    )
    for kind, count in found.attempts.items():
        console.print(f"requests without an answer, {kind}: {count:,}", markup=False)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    imported = any(row["source"] != "own" for row in found.models)
    for name in ("model", "source") if imported else ("model",):
        table.add_column(name, overflow="fold", min_width=12)
    for name in ("replies", "tokens in", "out", "US$", "last"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.models:
        cost = "" if row["cost_usd"] is None else f"{row['cost_usd']:,.{2 if row['cost_usd'] >= 100 else 4}f}"
        last = datetime.datetime.fromtimestamp(row["last_at"], datetime.UTC).strftime("%Y-%m-%d")
        counts = (f"{row[n]:,}" for n in ("replies", "input_tokens", "output_tokens"))
        names = [escape(row[name]) for name in (("model", "source") if imported else ("model",))]
        table.add_row(*names, *counts, cost, last)
    if found.models:
        console.print(table)


def _tell_apart(rows: Sequence[dict[str, Any]]) -> None:
    """Give models of one spec the names that scores show: two quantizations, or two servers."""
    identities: dict[str, list[str]] = {}
    for row in rows:
        known = identities.setdefault(row["model"], [])
        if row["identity"] not in known:
            known.append(row["identity"])
    names: dict[tuple[str, str], str] = {}
    if any(len(known) > 1 for known in identities.values()):
        from clika_client.scoring.chosen import told_apart

        names = {(s, i): n for s, known in identities.items() for i, n in zip(known, told_apart(s, known), strict=True)}
    for row in rows:
        row["model"] = names.get((row["model"], row.pop("identity")), row["model"])


@app.command("export")
def export(
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write to this file, readable by you alone; .gz and .zst are packed.")
    ] = None,
    db: Db = None,
) -> None:
    """Write every reply as JSON lines, to stdout or a file. A checksum follows every thousand."""
    from clika_cache import Database, archive

    done = archive.Exported()
    with Database(database_path(db), read_only=True) as database:
        if out_file is None:
            for block in archive.export(database, done):
                sys.stdout.buffer.write(block)
        else:
            with archive_files.writing(out_file) as write:
                for block in archive.export(database, done):
                    write(block)
    if done.left_out:
        raise UserError(
            f"{counted(done.left_out, 'reply')} could not be exported: what they refer to is damaged "
            f"(`clika cache verify` says what); exported: {done.replies:,}"
        )
    if out_file is not None:
        err().print(f"{out_file}: {counted(done.replies, 'reply')}", markup=False)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Files that `clika cache export` wrote.")], db: Db = None
) -> None:
    """Take in what `cache export` wrote, as far as each file is whole."""
    from clika_cache import Database, archive

    damaged = []
    with Database(database_path(db)) as database:
        for file in files:
            with archive_files.reading(file) as lines:
                done = archive.import_lines(database, str(file), lines)
            err().print(f"{file}: {counted(done.new, 'new reply')} of {done.read}", markup=False)
            if done.damage:
                damaged.append(f"{done.damage}; taken in from before it: {counted(done.read, 'reply')}")
    if damaged:
        raise UserError("\n".join(damaged))


@app.command("merge")
def merge(
    others: Annotated[list[Path], typer.Argument(help="Other clika databases; they stay as they are.")], db: Db = None
) -> None:
    """Copy replies, sets, cells and runs of other databases into this."""
    from clika_client.store.merge import kinds_met
    from clika_client.store.merge import merge as merge_files
    from clika_client.store.store import Store

    with Store(database_path(db)) as store:
        for other in others:
            replies, cells = merge_files(store, other)
            err().print(f"{other}: {counted(replies, 'new reply')}, {counted(cells, 'cell')}", markup=False)
        for sentence in kinds_met(store):
            err().print(f"note: {sentence}", markup=False, soft_wrap=True)


@app.command("prune")
def prune(
    model: Annotated[str | None, typer.Option(help="Only replies of this model.")] = None,
    before: Annotated[str | None, typer.Option(help="Only what is older than this date, YYYY-MM-DD.")] = None,
    attempts: Annotated[bool, typer.Option("--attempts", help="Only the log of requests without an answer.")] = False,
    unanswered: Annotated[
        bool,
        typer.Option("--unanswered", help="Only what never got a reply: models, sets and runs that failed at once."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    db: Db = None,
) -> None:
    """Delete replies for good; what was paid for is gone. What is left without any reply goes too."""
    from clika_cache import maintenance
    from clika_client.store.prune import prune_unanswered
    from clika_client.store.store import Store

    moment = None
    if before is not None:
        try:
            moment = datetime.datetime.fromisoformat(before).replace(tzinfo=datetime.UTC).timestamp()
        except ValueError as error:
            raise UserError(f"--before {before!r} is not a date like 2026-11-21") from error
    path = database_path(db)
    if not path.exists():
        raise UserError(f"there is no database at {path}")
    if not yes and not typer.confirm("Delete these replies for good?", err=True):
        raise typer.Abort
    with Store(path) as store:
        if model is not None:
            known = {str(row[0]) for row in store.database.connection.execute("SELECT spec FROM models")}
            if model not in known:
                raise UserError(f"the database holds nothing of model {model!r}; {instead(model, known)}")
        deleted = 0
        if not unanswered or before is not None or attempts:
            deleted = maintenance.prune(store.database, model=model, before=moment, attempts=attempts)
        silent = 0 if attempts else prune_unanswered(store, model)
    err().print(f"{counted(deleted, 'row')} deleted; {counted(silent, 'cell')} without any reply removed", markup=False)


@app.command("verify")
def verify(db: Db = None) -> None:
    """Check the file; exit code 2 when something is wrong with it."""
    from clika_cache import Database, maintenance

    path = database_path(db)
    with Database(path, read_only=True) as database:
        problems = maintenance.verify(database)
    if problems:
        raise UserError(f"{path} has {counted(len(problems), 'problem')}:\n" + "\n".join(problems))
    out().print(f"{path} is sound", markup=False)
