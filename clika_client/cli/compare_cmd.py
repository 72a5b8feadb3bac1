"""`clika compare`: is B better than A, in which languages, and can these items tell?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, Db, database_path, out, print_json
from clika_client.cli.scoring_options import (
    Anchor,
    Drop,
    EnCo,
    Languages,
    Only,
    Prompt,
    Reference,
    Sets,
    SetVersion,
    Sources,
    Split,
    make_options,
    make_wanted,
    opened,
)
from clika_client.common.errors import UserError

if TYPE_CHECKING:
    from clika_client.scoring.load import LoadedAnswers
    from clika_client.scoring.score_sets import Options


def compare(
    models: Annotated[
        list[str] | None, typer.Argument(help="Two models, A and B; or one, to compare its languages with the anchor.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="Groups of models instead: base=MODEL,MODEL,tuned=MODEL. Repeatable. Shows the change per language."
        ),
    ] = None,
    sets: Sets = None,
    set_version: SetVersion = None,
    languages: Languages = None,
    source: Sources = None,
    prompt: Prompt = None,
    reading: Annotated[
        str, typer.Option("--reading", help="Reading of text replies: standard or first-letter.")
    ] = "standard",
    anchor: Anchor = "en",
    en_co: EnCo = "jaccard",
    only: Only = None,
    drop: Drop = None,
    split: Split = None,
    reference: Reference = None,
    details: Annotated[
        bool, typer.Option("--details", help="Every language, also where many leave only those with a difference.")
    ] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Compare two models, one model's languages, or groups of models, with paired tests."""
    from clika_client.scoring.load import load

    named = list(models or [])
    if bool(named) == bool(group) or len(named) > 2:
        raise UserError("name one or two models, or groups of them: clika compare A B, or --group base=A,tuned=B")
    chosen = None if group else named
    wanted = make_wanted(chosen, sets, languages, source, prompt, reading, set_version=set_version)
    if len(wanted.readings) > 1:
        raise UserError(f"--reading {reading!r}: a comparison takes one reading")
    options = make_options(anchor, en_co, drop=drop, split=split, reference=reference, only=only)
    with opened(database_path(db)) as store:
        loaded = load(store, wanted)
    if group:
        _groups(loaded, ",".join(group), options, as_json, details)
    else:
        _models(loaded, named, options, as_json, details)


def _models(loaded: LoadedAnswers, named: list[str], options: Options, as_json: bool, details: bool) -> None:
    from clika_client.report.comparison import render_comparison
    from clika_client.scoring.compare import compare as compare_models
    from clika_client.scoring.compare import compare_languages

    rows = [[block for block in loaded.blocks if block.key.model == name] for name in named]
    for name, found in zip(named, rows, strict=True):
        if not found:
            similar = sorted({block.key.model for block in loaded.blocks})
            raise UserError(f"{name!r} stands for several models; name one of: {', '.join(similar)}")
    if len(rows) == 1:
        result = compare_languages(rows[0], loaded.sets, options)
    else:
        result = compare_models(rows[0], rows[1], loaded.sets, options)
    if as_json:
        print_json(result.to_json())
    else:
        render_comparison(result, out(), details)


def _groups(loaded: LoadedAnswers, text: str, options: Options, as_json: bool, details: bool) -> None:
    from clika_client.report.comparison import render_changes
    from clika_client.scoring.compare_groups import group_changes, parse_groups, summary

    groups = parse_groups(text)
    changes = group_changes(loaded.blocks, loaded.sets, groups, options, pool=options.anchor)
    if not as_json:
        render_changes(changes, out(), options.variant, details)
        return
    document: dict[str, Any] = {
        "groups": {name: list(members) for name, members in groups.items()},
        "changes": [change.to_dict() for change in changes],
        "summary": summary(changes),
        "en_co_variant": options.variant,
    }
    print_json(document)
