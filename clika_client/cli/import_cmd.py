"""`clika import`: bring in responses that others collected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clika_client.cli.common import AsJson, Db, database_path, err, out, print_json
from clika_client.common.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from clika_client.importers.common import ImportReport, Progress


def import_(
    path: Annotated[Path, typer.Argument(help="A checkout of the authors' release, or a log, result file or table.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="clika-release, lm-eval, inspect, openai-batch, anthropic-batch, gemini-batch, x-fakt, table "
            "[default: look]."
        ),
    ] = None,
    probe_set: Annotated[
        str | None, typer.Option("--set", help="Probe set (name or file) that the replies answer, matched by item id.")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="PART=COLUMN of a table, e.g. item_id=qid,text=answer; PART==VALUE for all rows."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name of the model, where the file has none.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Language of all rows, where the file does not say.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the probe set built from the file's own questions.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Name of the way the questions were asked.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the replies come from; shown in every report.")] = None,
    custom_id: Annotated[
        str | None, typer.Option(help="How a batch's custom_id is made, e.g. '{language}/{item_id}'.")
    ] = None,
    requests: Annotated[Path | None, typer.Option(help="The batch's input file, to keep the prompts too.")] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Import responses others collected. Importing twice changes nothing; nothing is mixed with our own answers."""
    from clika_client.common.languages import canonical
    from clika_client.importers.detect import ImportOptions, import_path
    from clika_client.sets.catalogue import resolve
    from clika_client.store.store import Store

    stored = probe_set is not None and _is_stored(database_path(db), probe_set)
    options = ImportOptions(
        format=format,
        probe_set=None if probe_set is None or stored else resolve(probe_set),
        mapping=tuple(map_ or ()),
        model=model,
        language=None if language is None else canonical(language),
        set_name=probe_set if stored else name,
        prompt=prompt,
        source=source,
        custom_id=custom_id,
        requests=requests,
    )
    with Store(database_path(db)) as store, show_bar(err()) as progress:
        report = import_path(store, path, options, progress)
    if as_json:
        print_json(report.to_json())
    else:
        show_report(report, out())


def _is_stored(path: Path, name: str) -> bool:
    """Whether a name is that of a set which earlier logs made: more of its questions or languages may come."""
    from clika_client.importers.built_sets import BUILT
    from clika_client.sets.catalogue import known_names, load_registry
    from clika_client.store.store import Store

    if name in known_names(load_registry()) or Path(name).exists() or not path.exists():
        return False
    with Store(path, read_only=True) as store:
        return any(i.name == name and store.probe_set(i.set_id).source == BUILT for i in store.set_infos())


def show_report(report: ImportReport, console: Console) -> None:
    """What was taken and what was not, with reasons."""
    from clika_client.report.terminal import cleaned

    stored = f"{report.new:,} new" + (
        f", {report.replies - report.new:,} already stored" if report.replies > report.new else ""
    )
    lines = [
        f"Taken from {report.source}: {counted(report.replies, 'reply')} ({stored}) in {counted(report.cells, 'cell')}",
        f"  models ({len(report.models)}): {_some(sorted(report.models))}",
        f"  sets: {', '.join(sorted(report.sets))}; languages: {', '.join(sorted(report.languages))}",
    ]
    if report.columns:
        named = ", ".join(f"{part} from {column!r}" for part, column in report.columns.items())
        lines.append(f"  columns: {named}")
    for name, joined in report.joined.items():
        if joined not in ("item_id", "id"):
            what = "the place in the file: the documents have no id" if joined == "position" else repr(joined)
            lines.append(f"  questions of {name} joined across languages by {what}")
    if report.missing:
        lines.append(f"  {report.missing:,} requests had failed: missing answers, not wrong ones")
    if report.changed:
        lines.append(
            f"  not taken, {counted(report.changed, 'reply')}: unlike the one already stored for the same question, "
            "or to another prompt; the stored is kept. Import them under another --prompt or --source to have both."
        )
    for title, counts in (("Files left out", report.skipped_files), ("Rows left out", report.skipped_rows)):
        if counts:
            lines.append(f"{title}: {counts.total():,}")
            for reason, count in counts.most_common():
                example = report.examples.get(reason)
                lines.append(f"  {count:,} x {reason}" + (f" (first: {example})" if example else ""))
    for line in lines:
        console.print(cleaned(line, console), markup=False, soft_wrap=True)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


@contextmanager
def show_bar(console: Console) -> Iterator[Progress]:
    """A progress bar on a terminal; nothing elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=None)

        def advance(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, description=what)

        yield advance
