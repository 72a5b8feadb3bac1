"""What a set holds, for readers: its facts, its counts by tag, and questions in the languages that were named."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import typer

from clika_client.cli import benchmarks_cmd
from clika_client.common.safe_text import shown
from clika_client.common.wording import counted

if TYPE_CHECKING:
    from clika_client.sets.probes import ProbeSet


def facts_record(found: ProbeSet) -> dict[str, Any]:
    """A set's facts as one JSON object."""
    return {
        "set": found.name,
        "version": found.version,
        "items": found.n,
        "choices": found.k,
        "fewest_choices": found.k_range[0],
        "chance": found.chance,
        "languages": list(found.languages),
        "reference": found.reference,
        "licence": found.licence,
        "source": found.source,
    }


def tag_counts(found: ProbeSet) -> dict[str, dict[str, Any]]:
    """Tag → value → items, for the items' own tags; tag → value → language → questions for the others."""
    counts: dict[str, dict[str, Any]] = {}
    for item in found.items:
        for tag, value in item.tags.items():
            values = counts.setdefault(tag, {})
            values[value] = values.get(value, 0) + 1
    for language, probes in found.probes.items():
        for (tag, value), n in Counter(pair for probe in probes for pair in probe.tags.items()).items():
            if tag not in found.items[0].tags:
                counts.setdefault(tag, {}).setdefault(value, {})[language] = n
    return counts


_ABOUT = "about:"
"""Keys of a set's `meta` that tell readers about it."""
_MANY_VALUES = 20
"""A tag with more values than this is a name rather than a property, and only counted."""
_MANY_LANGUAGES = 8
"""More counts than these are summed up; --json has them all."""
_MANY_CHARACTERS = 2_000


def print_facts(found: ProbeSet, counts: dict[str, dict[str, Any]]) -> None:
    """Print a set's facts and how many items bear each tag."""
    reference = "none published (RA uses A = 1)" if found.reference is None else f"A = {found.reference:.3f}"
    choices = benchmarks_cmd.choices_text(found.k_range, found.chance)
    typer.echo(f"{shown(found.name)} {shown(found.version)}: {counted(found.n, 'item')}, {choices}")
    typer.echo(f"reference  {reference}")
    typer.echo(f"licence    {shown(found.licence)}")
    typer.echo(f"source     {shown(found.source)}")
    typer.echo(f"languages  {len(found.languages)}: {', '.join(found.languages)}")
    for key, text in found.meta.items():
        if key.startswith(_ABOUT):
            typer.echo(f"{shown(key.removeprefix(_ABOUT))}: {shown(text)}")
    for word, text in benchmarks_cmd.facts_of(found):
        typer.echo(f"{word:<10} {shown(text)}")
    for tag, values in counts.items():
        if len(values) > _MANY_VALUES or sum(map(len, values)) > _MANY_CHARACTERS:
            typer.echo(f"{shown(tag)}: {len(values)} values")
            continue
        said = [f"{shown(value)} {_count(n, len(found.languages))}" for value, n in values.items()]
        typer.echo(f"{shown(tag)}: {', '.join(said)}")


def _count(n: int | dict[str, int], languages: int) -> str:
    """Items, or questions by language where they differ from language to language."""
    if isinstance(n, int):
        return str(n)
    if len(n) == languages and len(set(n.values())) == 1:
        return f"{next(iter(n.values()))} in every language"
    if len(n) > _MANY_LANGUAGES:
        few, most = min(n, key=lambda tag: n[tag]), max(n, key=lambda tag: n[tag])
        span = f"{n[few]} each" if n[few] == n[most] else f"{n[few]} in {few} to {n[most]} in {most}"
        return f"({counted(len(n), 'language')}: {span})"
    return f"({' '.join(f'{tag} {count}' for tag, count in n.items())})"


def print_questions(part: ProbeSet, tag: str) -> None:
    """Print the questions of one language, the right choice marked."""
    from clika_client.common import languages
    from clika_client.sets.probes import CONTEXT
    from clika_client.sets.wording import latin_labels

    written = ", right to left" if languages.direction(tag) == "rtl" else ""
    typer.echo(f"\n{languages.name(tag)} ({tag}, {languages.script(tag) or 'script unknown'}{written})")
    for item, probe in zip(part.items, part.probes[tag], strict=True):
        if probe.absent:
            continue
        context = probe.fields.get(CONTEXT, "")
        tags = " ".join(f"{key}={value}" for key, value in {**item.tags, **probe.tags}.items())
        typer.echo(f"\n[{shown(item.item_id)}] {shown(tags)}".rstrip())
        if context:
            typer.echo(shown(context, lines=True))
        typer.echo(shown(probe.question, lines=True))
        for position, (label, choice) in enumerate(zip(latin_labels(len(probe.choices)), probe.choices, strict=True)):
            mark = "*" if position == probe.gold else " "
            typer.echo(f" {mark} {label}. {shown(choice)}")


def question_records(part: ProbeSet) -> list[dict[str, Any]]:
    """The questions as `clika sets export` writes them."""
    import json

    from clika_client.sets.export import jsonl_lines

    return [json.loads(line) for line in jsonl_lines(part)]
