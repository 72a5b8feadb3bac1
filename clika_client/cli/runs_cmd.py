"""`clika runs`: what was asked when: list, show, name, compare, repeat, resume and delete runs."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, Db, database_path, err, out, print_json, say_hanging
from clika_client.common.errors import UserError
from clika_client.common.safe_text import shown
from clika_client.common.wording import counted

if TYPE_CHECKING:
    from clika_client.store.store import RunRow, Store

app = typer.Typer(help="List, show, name, compare, repeat, resume and delete runs.", no_args_is_help=True)
Run = Annotated[str, typer.Argument(help="Its id, the beginning of it, its tag, or last.")]


@app.command("list")
def list_(db: Db = None, as_json: AsJson = False) -> None:
    """Every run, newest last."""
    with _opened(db) as store:
        rows = [_row(store, run) for run in store.runs()]
    if as_json:
        print_json({"runs": rows})
        return
    if not rows:
        out().print("No runs yet.", markup=False)
    for row in rows:
        name = f" [{row['tag']}]" if row["tag"] else ""
        asked = f"{', '.join(row['models'])} on {', '.join(row['sets'])}"
        line = f"{row['run']}{name}  {row['started_at'][:16]}  {row['status']:<10} {row['asked']:>7,}  {asked}"
        say_hanging(shown(line), 4)


@app.command("show")
def show(
    context: typer.Context,
    run: Run,
    toml: Annotated[bool, typer.Option("--toml", help="As a study file, for `clika run`.")] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """One run: its settings, how it ended, what it noted."""
    from clika_client.cli.study import study_text
    from clika_client.store.named_runs import find_run

    with _opened(db) as store:
        found = find_run(store, run)
        row = _row(store, found)
    if toml:
        typer.echo(study_text(_settings(found, db), f"Run {found.run_id} of {row['started_at']}."), nl=False)
    elif as_json:
        print_json({**row, "config": dict(found.config)})
    else:
        for name, value in {**row, **found.config, "settings": None, "command": _command(context, found)}.items():
            if value not in (None, [], {}, ""):
                said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                line = shown(f"{name:<14}{said}")
                if name == "command":  # left to the terminal to break, so that it can be copied
                    out().print(line, markup=False, soft_wrap=True)
                else:
                    say_hanging(line, 14)


@app.command("tag")
def tag(
    run: Run,
    name: Annotated[
        str | None, typer.Argument(help="Its name from now on; without one the name is taken away.")
    ] = None,
    db: Db = None,
) -> None:
    """Name a run, so that it is found by that name."""
    from clika_client.store.named_runs import find_run, tag_run

    with _opened(db, write=True) as store:
        tag_run(store, find_run(store, run), name)


@app.command("compare")
def compare(a: Run, b: Run, db: Db = None, as_json: AsJson = False) -> None:
    """Is the second run better than the first? Models are paired by name, or as they are where each has one."""
    from clika_client.report.comparison import render_comparisons
    from clika_client.scoring.gates import compare_runs
    from clika_client.store.named_runs import find_run

    with _opened(db) as store:
        found = compare_runs(store, find_run(store, a).run_id, find_run(store, b).run_id)
    if as_json:
        print_json({"comparisons": [comparison.to_json() for comparison in found]})
        return
    render_comparisons(found, out())


@app.command("repeat")
def repeat(
    context: typer.Context,
    run: Run,
    refresh: Annotated[bool, typer.Option("--refresh/--no-refresh", help="Ask again what is stored.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be asked and what it costs.")] = False,
    db: Db = None,
) -> None:
    """Ask a run's questions again, with all its settings; the new replies take the place of the old."""
    _again(context, run, db, ["--refresh"] if refresh else [], dry_run)


@app.command("resume")
def resume(
    context: typer.Context,
    run: Run,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be asked and what it costs.")] = False,
    db: Db = None,
) -> None:
    """Ask what a run left without a reply, with all its settings."""
    _again(context, run, db, [], dry_run)


@app.command("delete")
def delete(
    run: Run,
    replies: Annotated[bool, typer.Option("--replies", help="Also the replies that only this run asked for.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    db: Db = None,
) -> None:
    """Forget a run; its replies stay unless --replies is given."""
    from clika_client.store.named_runs import delete_run, find_run

    with _opened(db, write=True) as store:
        found = find_run(store, run)
        what = " and the replies that only it asked for" if replies else "; its replies stay"
        if not yes and not typer.confirm(f"Delete run {found.run_id}{what}?", err=True):
            raise typer.Abort
        gone = delete_run(store, found, replies)
    err().print(f"run {found.run_id} deleted, {counted(gone, 'reply')} with it", markup=False)


def _again(context: typer.Context, name: str, db: Any, more: list[str], dry_run: bool) -> None:
    from clika_client.cli.study import study_arguments
    from clika_client.store.named_runs import find_run

    with _opened(db) as store:
        found = find_run(store, name)
    command: Any = context.find_root().command
    settings = {key: value for key, value in _settings(found, db).items() if key != "refresh"}
    words = study_arguments(command.commands["run"], settings)
    words += [*more, *(["--dry-run"] if dry_run else []), "--db", str(database_path(db))]
    command.commands["run"].main(args=words, prog_name="clika run", standalone_mode=False)


def _command(context: typer.Context, run: RunRow) -> str | None:
    """The command line that asks the same; None where a script asked for what no command can name."""
    from clika_client.asking.repeatable import OBJECTS
    from clika_client.cli.study import study_arguments

    settings = run.config.get("settings")
    if not isinstance(settings, dict) or OBJECTS in settings:
        return None
    command: Any = context.find_root().command
    return shlex.join(["clika", "run", *study_arguments(command.commands["run"], settings)])


def _settings(run: RunRow, db: Any) -> dict[str, Any]:
    from clika_client.asking.repeatable import OBJECTS, call_of

    settings = run.config.get("settings")
    if not isinstance(settings, dict):
        raise UserError(f"run {run.run_id} is older than kept settings; `clika runs show` has what is known of it")
    made = settings.get(OBJECTS)
    if isinstance(made, dict):
        raise UserError(
            f"run {run.run_id} asked {', '.join(made)}, which a script made ({', '.join(map(str, made.values()))}) and "
            f"no name stands for; pass it again from Python:\n{call_of(settings, str(database_path(db)))}"
        )
    return dict(settings)


def _row(store: Store, run: RunRow) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "tag": run.config.get("tag"),
        "started_at": _time(run.created_at),
        "finished_at": None if run.finished_at is None else _time(run.finished_at),
        "status": run.status,
        "models": run.config.get("models") or [],
        "sets": run.config.get("sets") or [],
        "asked": sum(len(positions) for positions in store.run_positions(run.run_id).values()),
        "notes": list(run.notes),
        "events": list(run.events),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _opened(db: Any, write: bool = False) -> Store:
    from clika_client.store.store import Store

    path = database_path(db)
    return Store(path, read_only=not write or not path.exists())
