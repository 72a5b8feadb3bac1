"""`clika sets`: which questions can be asked, adding one's own, and handing them on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli import benchmarks_cmd
from clika_client.cli.common import AsJson, language_tags, out, print_json
from clika_client.cli.set_view import facts_record, print_facts, print_questions, question_records, tag_counts
from clika_client.common.errors import ClikaError, UserError
from clika_client.common.safe_text import shown
from clika_client.common.wording import counted
from clika_client.sets.packed import set_digest
from clika_providers.install import install_hint

if TYPE_CHECKING:
    from clika_client.sets.probes import ProbeSet

sets_app = typer.Typer(
    help="Probe sets: list, show, add your own, export, rebuild.", no_args_is_help=True, rich_markup_mode=None
)
Name = Annotated[str, typer.Argument(help="Name of a set (see `clika sets list`) or path of a file.")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help="Which column is what: question=q,choices=a|b|c,language==en; repeatable."),
]
Languages = Annotated[
    str | None, typer.Option("--languages", "-l", help="Language tags, comma-separated [default: all].")
]


sets_app.command("fetch")(benchmarks_cmd.fetch)


@sets_app.command("list")
def list_sets(as_json: AsJson = False) -> None:
    """List the sets that can be asked now, and the public benchmarks that can be had by name."""
    from clika_client.sets.catalogue import known_names, load_registry

    benchmarks = benchmarks_cmd.rows()
    here = {row["set"] for row in benchmarks}
    rows = [_row(name) for name in known_names(load_registry()) if name not in here]
    if as_json:
        print_json({"sets": rows, "benchmarks": benchmarks})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("set", "items", "choices", "languages", "A for RA = 1", "licence", box=None, pad_edge=False)
    for row in rows:
        if row["error"] is not None:
            typer.echo(f"{shown(row['set'])} cannot be read: {shown(row['error'])}", err=True)
            continue
        reference = "–" if row["reference"] is None else f"{row['reference']:.3f}"
        cells = (row["set"], row["items"], row["choices"], len(row["languages"]), reference, row["licence"])
        table.add_row(*(Text(shown(str(cell))) for cell in cells))
    out().print(table)
    table = Table("benchmark", "items", "choices", "languages", "licence", "files", box=None, pad_edge=False)
    for row in benchmarks:
        files = "here" if row["here"] else "no"
        cells = (row["set"], row["items"] or "–", row["choices"], row["languages"], row["licence"], files)
        table.add_row(*(Text(shown(str(cell))) for cell in cells))
    out().print()
    out().print(table)
    typer.echo("Get a benchmark: clika sets fetch NAME, or clika sets add NAME FOLDER", err=True)
    typer.echo("Add your own: clika sets add NAME FILE. The paper's: clika sets add clika-release FOLDER", err=True)


def _row(name: str) -> dict[str, Any]:
    """What the list says of one set; a set that cannot be read says why."""
    from clika_client.sets.catalogue import outline

    try:
        found, languages = outline(name)
        return {**facts_record(found), "languages": list(languages), "error": None}
    except ClikaError as error:
        return {"set": name, "error": str(error)}


@sets_app.command()
def show(
    name: Name,
    languages: Languages = None,
    limit: Annotated[int | None, typer.Option(help="Questions to show per language [default: 5].")] = None,
    limit_seed: Annotated[int, typer.Option(help="Seed of --limit's choice of questions.")] = 0,
    map_: Map = None,
    as_json: AsJson = False,
) -> None:
    """Show what a set holds: facts, counts by tag, and questions in the languages you name."""
    from clika_client.sets.catalogue import resolve

    found = resolve(name, mapping=map_ or ())
    wanted = _split(languages)
    part = found.select(wanted, 5 if limit is None else limit, limit_seed) if wanted or limit is not None else None
    counts = tag_counts(found)
    if as_json:
        print_json(
            {
                **facts_record(found),
                "digest": set_digest(found),
                "facts": [list(pair) for pair in benchmarks_cmd.facts_of(found)],
                "tags": counts,
                "questions": [] if part is None else question_records(part),
            }
        )
        return
    if part is None or limit is None:
        print_facts(found, counts)
    if part is None:
        typer.echo(f"\nSee its questions: clika sets show {shown(name)} --languages {found.languages[0]} --limit 5")
        return
    for tag in part.languages:
        print_questions(part, tag)


def _choices(found: ProbeSet) -> str:
    low, high = found.k_range
    return f"{low if low == high else f'{low}–{high}'} choices"


def _split(languages: str | None) -> tuple[str, ...] | None:
    return None if languages is None else language_tags(languages)


@sets_app.command()
def add(
    name: Annotated[
        str, typer.Argument(help="A name of your own, a benchmark's (see `clika sets list`), or `clika-release`.")
    ],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="JSON(L), CSV or Parquet: one file, or one per language; a benchmark's folder or zip; the release.",
        ),
    ],
    map_: Map = None,
    reference: Annotated[
        float | None, typer.Option(help="Accuracy that counts as RA = 1, as a fraction such as 0.95.")
    ] = None,
    languages: Annotated[
        str | None, typer.Option("--languages", "-l", help="Of a benchmark, only these [default: all that are there].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register your own set, a public benchmark or the authors' release, after checking all of it."""
    from clika_client.sets import catalogue
    from clika_client.sets.benchmarks.table import known

    if known(name):
        benchmarks_cmd.refuse_file_options(map_ or (), reference)
        benchmarks_cmd.add_benchmark(name, files, _split(languages), as_json)
        return
    if languages is not None or as_json:
        raise UserError("--languages and --json belong to public benchmarks (see `clika sets list`)")
    for found in catalogue.add(name, *files, mapping=map_ or (), reference=reference):
        typer.echo(
            f"{shown(found.name)}: {counted(found.n, 'item')}, {_choices(found)}, "
            f"{counted(len(found.languages), 'language')} ({', '.join(found.languages)})"
        )


@sets_app.command()
def remove(name: Annotated[str, typer.Argument(help="The name of a set you added.")]) -> None:
    """Forget a set you added; its file stays."""
    from clika_client.sets import catalogue

    files = ", ".join(map(str, catalogue.remove(name)))
    typer.echo(f"{shown(name)} removed from the list; its file stays: {shown(files)}", err=True)


@sets_app.command()
def export(name: Name, languages: Languages = None, map_: Map = None) -> None:
    """Write a set to stdout as JSONL: item_id, language, question, choices, gold, tags."""
    from clika_client.sets.catalogue import resolve
    from clika_client.sets.export import jsonl_lines

    found = resolve(name, mapping=map_ or ())
    wanted = _split(languages)
    # Bytes, so that the file is UTF-8 with \n on every system.
    for line in jsonl_lines(found if wanted is None else found.select(wanted)):
        sys.stdout.buffer.write(line.encode())
    sys.stdout.buffer.flush()


@sets_app.command()
def build(
    name: Annotated[str, typer.Argument(help="The set to build again; only `atlas` is built from a source.")] = "atlas",
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for its files [default: the installed data, replaced].")
    ] = None,
) -> None:
    """Build atlas again from its pinned sources (extra `[atlas]`)."""
    if name != "atlas":
        raise UserError(f"{name!r} is not built from a source; only atlas is: clika sets build atlas")
    try:
        from clika_client.sets.atlas.build import build as build_atlas
    except ImportError as error:
        raise UserError(f"building atlas needs {error.name}; install it with: {install_hint('atlas')}") from None
    for file in build_atlas() if out_dir is None else build_atlas(out_dir):
        typer.echo(str(file))


@sets_app.command()
def check(
    name: Annotated[str, typer.Argument(help="The set to check; only `atlas` has sources.")] = "atlas",
    as_json: AsJson = False,
) -> None:
    """Compare the facts of atlas with the installed releases; list what has changed (extra `[atlas]`)."""
    if name != "atlas":
        raise UserError(f"{name!r} has no sources to compare with; only atlas has: clika sets check atlas")
    from clika_client.sets.atlas.check import changes
    from clika_client.sets.atlas.sources import PINNED, installed

    found = list(changes())
    releases = [{"package": p, "frozen": PINNED[p], "installed": v} for p, v in installed().items()]
    if as_json:
        rows = [{"key": c.key, "frozen": c.frozen, "now": c.now, "items": list(c.items)} for c in found]
        print_json({"sources": releases, "changes": rows})
        return
    for row in releases:
        typer.echo(f"{row['package']}: frozen {row['frozen']}, installed {row['installed']}", err=True)
    for change in found:
        rests = f" ({', '.join(change.items[:5])}{' …' if len(change.items) > 5 else ''})" if change.items else ""
        typer.echo(f"{shown(change.key)}: {shown(change.frozen) or '–'} → {shown(change.now) or '–'}{rests}")
    typer.echo(f"{len(found)} changes" if found else "nothing has changed", err=True)
