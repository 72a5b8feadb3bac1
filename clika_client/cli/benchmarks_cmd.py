"""`clika sets` for public benchmarks: adding them from files, fetching them from the hub, and what is known of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, err, language_tags, print_json
from clika_client.common.errors import UserError
from clika_client.common.safe_text import shown
from clika_client.common.wording import counted

if TYPE_CHECKING:
    from clika_client.sets.benchmarks.hub import BenchmarkOffer
    from clika_client.sets.benchmarks.join import DroppedRows
    from clika_client.sets.benchmarks.kept import Added
    from clika_client.sets.probes import ProbeSet

_SHOWN = 5
"""Keys of left-out rows that are named; `--json` has them all."""


def add_benchmark(name: str, places: Sequence[Path], languages: Sequence[str] | None, as_json: bool) -> None:
    """Read a benchmark's files, keep the set, and say what it holds and what was left out."""
    from clika_client.sets.benchmarks.kept import add

    if len(places) != 1:
        raise UserError(f"{name} is a public benchmark: name the one folder, zip or file that holds it")
    _report(*_with_dropped(add(name, places[0], languages)), as_json)


def _with_dropped(made: tuple[Any, Any]) -> tuple[Added, DroppedRows]:
    return made[0], made[1].dropped


def fetch(
    name: Annotated[str, typer.Argument(help="A benchmark of `clika sets list`.")],
    languages: Annotated[
        str | None,
        typer.Option("--languages", "-l", help="Language tags, comma-separated [default: all]."),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            help="Branch, tag or commit of the hub's repository [default: the one fetched before, else the newest]."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be downloaded.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch a public benchmark from the Hugging Face hub and add it (extra `hub`)."""
    from clika_client.sets.benchmarks.hub import download, look_up
    from clika_client.sets.benchmarks.kept import add, added
    from clika_client.sets.benchmarks.table import benchmark

    known = benchmark(name)
    before = added().get(name)
    pinned = revision or (before.revision if before is not None else None)
    tags = _tags(languages)
    offer = look_up(known, tags, pinned)
    _say_offer(offer)
    if dry_run:
        if as_json:
            print_json(_offer(offer))
        return
    folder = download(offer, _Progress(offer))
    _report(*_with_dropped(add(name, folder, tags, offer.revision)), as_json)


def _tags(languages: str | None) -> tuple[str, ...] | None:
    return None if languages is None else language_tags(languages)


def _offer(offer: BenchmarkOffer) -> dict[str, Any]:
    return {
        "set": offer.benchmark.name,
        "repository": offer.benchmark.hub,
        "revision": offer.revision,
        "licence": offer.benchmark.licence,
        "bytes": offer.size,
        "files": [path for path, _ in offer.files],
        "languages": list(offer.languages),
    }


def _say_offer(offer: BenchmarkOffer) -> None:
    """Size and licence before anything is downloaded."""
    known = offer.benchmark
    typer.echo(
        f"{known.title} from {known.hub} at {shown(offer.revision[:10])}: {counted(len(offer.files), 'file')}, "
        f"{offer.size / 1e6:.1f} MB; licence {known.licence}",
        err=True,
    )


class _Progress:
    """Says how much has arrived: on a terminal in one line that is written over, else nothing but the end."""

    def __init__(self, offer: BenchmarkOffer) -> None:
        self._offer = offer
        self._files = self._bytes = 0
        self._console = err()

    def __call__(self, path: str, size: int) -> None:
        self._files += 1
        self._bytes += size
        files, megabytes = len(self._offer.files), self._offer.size / 1e6
        text = f"{self._files} of {files} files, {self._bytes / 1e6:.1f} of {megabytes:.1f} MB"
        if self._console.is_terminal:
            self._console.print(text, end="\n" if self._files == files else "\r", markup=False)
        elif self._files == files:
            typer.echo(text, err=True)


def _report(facts: Added, dropped: DroppedRows, as_json: bool) -> None:
    if as_json:
        rows = [
            {"language": tag, "reason": reason, "rows": len(keys), "keys": keys}
            for (tag, reason), keys in dropped.rows.items()
        ]
        print_json({**dataclasses.asdict(facts), "dropped": rows})
        return
    typer.echo(
        f"{shown(facts.name)}: {counted(facts.items, 'item')}, {choices_text(facts.choices, facts.chance)}, "
        f"{counted(len(facts.languages), 'language')} ({', '.join(facts.languages)})"
    )
    for (tag, reason), keys in dropped.rows.items():
        named = ", ".join(shown(key) for key in keys[:_SHOWN]) + (" …" if len(keys) > _SHOWN else "")
        typer.echo(f"left out for {tag}: {len(keys)} ({shown(reason)}): {named}", err=True)
    for note in facts.notes:
        typer.echo(f"note: {shown(note)}", err=True)


def choices_text(choices: Sequence[int], chance: float) -> str:
    """`4 choices, chance .250`, or `2–10 choices, chance .106` where questions differ."""
    low, high = choices
    if chance == 0:
        return "asked openly"
    return f"{low if low == high else f'{low}–{high}'} choices, chance {f'{chance:.3f}'.removeprefix('0')}"


def rows() -> list[dict[str, Any]]:
    """What the list says of each benchmark, those that are here first."""
    from clika_client.sets.benchmarks.kept import added
    from clika_client.sets.benchmarks.table import benchmark, names

    here = added()
    listed = []
    for name in sorted(names(), key=lambda n: (n not in here, n)):
        known, facts = benchmark(name), here.get(name)
        listed.append(
            {
                "set": name,
                "title": known.title,
                "items": known.items or None if facts is None else facts.items,
                "choices": known.choices if facts is None else _span(facts.choices),
                "languages": known.languages if facts is None else len(facts.languages),
                "licence": known.licence,
                "parallel": not known.not_parallel,
                "here": facts is not None,
                "revision": None if facts is None else facts.revision,
                "get": known.how_to_get(),
            }
        )
    return listed


def _span(choices: Sequence[int]) -> str:
    low, high = choices
    return str(low) if low == high else f"{low}–{high}"


def facts_of(found: ProbeSet) -> list[tuple[str, str]]:
    """(word, text) lines that `sets show` adds for a benchmark."""
    from clika_client.sets.benchmarks.blind import most_often_right
    from clika_client.sets.benchmarks.kept import added
    from clika_client.sets.benchmarks.table import benchmark, known

    if not known(found.name):
        return []
    table, facts = benchmark(found.name), added().get(found.name)
    lines = [("about", table.about), ("citation", table.citation)]
    if facts is not None:
        from_ = f"{facts.path}" + (f" (revision {facts.revision})" if facts.revision else "")
        lines += [("files", from_), ("added", facts.added)]
        if facts.examples:
            lines.append(("examples", f"{counted(facts.examples, 'question')} reserved for --shots"))
        lines += [("left out", f"{tag}: {n} ({why})") for tag, each in facts.dropped.items() for why, n in each.items()]
    if table.not_parallel:
        lines.append(("parallel", f"no: {table.not_parallel}"))
    language, accuracy = most_often_right(found)
    said = f"{accuracy:.3f}".removeprefix("0")
    lines.append(("blind", f"{said} ({language}) by always choosing what is most often right in the other questions"))
    return lines + [("known", defect) for defect in table.defects]


def refuse_file_options(mapping: Sequence[str], reference: float | None) -> None:
    """A benchmark's columns are known."""
    if mapping or reference is not None:
        raise UserError(
            "a public benchmark needs neither --map nor --reference, its columns are known; for a set of your own "
            "choose another name"
        )
