"""Options that every command which scores stored answers shares, and what they mean together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clika_client.cli.common import language_tags

if TYPE_CHECKING:
    from clika_client.scoring.chosen import Wanted
    from clika_client.scoring.score_sets import Options
    from clika_client.store.store import Store

QUESTIONS = "Questions"
"""Heading of the options that choose what is asked or scored."""

Models = Annotated[list[str] | None, typer.Option("--model", "-m", help="Only this model; repeatable.")]
Sets = Annotated[str | None, typer.Option("--sets", help="Only these probe sets, comma-separated.")]
Languages = Annotated[str | None, typer.Option("--languages", "-l", help="Only these languages, comma-separated.")]
SetVersion = Annotated[
    str | None,
    typer.Option(
        "--set-version", help="Of sets that share a name: the version of this number, or all [default: the newest]."
    ),
]
Sources = Annotated[str | None, typer.Option("--source", help="Only answers from these sources (own, or an import's).")]
Prompt = Annotated[str | None, typer.Option("--prompt", help="Only answers to this prompt style.")]
RunId = Annotated[str | None, typer.Option("--run", help="Only what this run asked (its id).")]
ReadingName = Annotated[
    str,
    typer.Option(
        "--reading",
        help="Reading of text replies: standard, first-letter (the paper's); of likelihoods: sum, per-token, per-byte, "
        "pmi. Comma-separated.",
    ),
]
Anchor = Annotated[str, typer.Option(help="Anchor language of en-CO.")]
EnCo = Annotated[str, typer.Option("--en-co", help="Variant of en-CO: jaccard, recall or dice.")]
Bootstrap = Annotated[int, typer.Option(min=0, help="Draws for the gap between languages; 0: no intervals at all.")]
Seed = Annotated[int, typer.Option("--bootstrap-seed", min=0, help="Seed of the bootstrap.")]
Only = Annotated[
    str | None,
    typer.Option(help="Only items with these tags: TAG or TAG=VALUE, comma-separated.", rich_help_panel=QUESTIONS),
]
Drop = Annotated[
    str | None,
    typer.Option(
        help="Leave out items with one of these tags, in every language: ambiguous,adapted,TAG=VALUE.",
        rich_help_panel=QUESTIONS,
    ),
]
Split = Annotated[str | None, typer.Option(help="Split by a tag of the items: relation, region, original_lang, …")]
Reference = Annotated[
    str | None,
    typer.Option(help="What counts as RA = 1 where none is published: a fraction, or a stored model's name."),
]


def make_wanted(
    models: Sequence[str] | None = None,
    sets: str | None = None,
    languages: str | None = None,
    sources: str | None = None,
    prompt: str | None = None,
    reading: str = "standard",
    run_id: str | None = None,
    set_version: str | None = None,
) -> Wanted:
    """The part of the database that the options name; raises UserError for an unknown reading."""
    from clika_client.answers.cells import reading_stamp
    from clika_client.scoring.chosen import Wanted

    readings = words(reading) or ("standard",)
    for name in readings:
        reading_stamp(name)
    return Wanted(
        run_id=run_id,
        models=tuple(models or ()),
        sets=words(sets),
        languages=() if languages is None else language_tags(languages),
        readings=readings,
        sources=words(sources),
        prompts=(prompt,) if prompt else (),
        set_version=set_version,
    )


def make_options(
    anchor: str = "en",
    en_co: str = "jaccard",
    bootstrap: int = 10_000,
    seed: int = 0,
    drop: str | None = None,
    split: str | None = None,
    reference: str | None = None,
    only: str | None = None,
) -> Options:
    """How to score."""
    from clika_client.common.languages import canonical
    from clika_client.scoring.score_sets import Options

    return Options(canonical(anchor), en_co, bootstrap, seed, words(drop), split, _reference(reference), words(only))


def words(text: str | None) -> tuple[str, ...]:
    """The parts of a comma-separated option."""
    return tuple(dict.fromkeys(piece.strip() for piece in (text or "").split(",") if piece.strip()))


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """A database that must exist; opened for writing where possible, so that readings are kept."""
    from clika_client.store.store import Store

    writable = path.is_file() and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    with Store(path, read_only=not writable) as store:
        yield store


def _reference(text: str | None) -> float | str | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text
