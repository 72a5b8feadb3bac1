"""`clika power`: which difference could a run of this size show, before money is spent?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clika_client.cli.common import AsJson, Db, database_path, language_tags, out, print_json
from clika_client.cli.scoring_options import Anchor, Drop, Only, make_options, make_wanted, opened
from clika_client.common.errors import UserError
from clika_client.common.wording import counted

if TYPE_CHECKING:
    from clika_client.scoring.power import Power
    from clika_client.scoring.score_sets import ScoredSet
    from clika_client.sets.probes import ProbeSet


def power(
    probe_set: Annotated[str, typer.Argument(metavar="SET", help="The set that would be asked.")],
    languages: Annotated[
        str | None, typer.Option("--languages", "-l", help="Languages that would be asked, comma-separated [all].")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Items per language that would be asked [all].")] = None,
    effect: Annotated[
        float | None, typer.Option(min=0.1, max=100, help="A difference in points of accuracy: would it be found?")
    ] = None,
    anchor: Anchor = "en",
    drop: Drop = None,
    only: Only = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Say which difference between two models a run could show; asks nothing and costs nothing."""
    from clika_client.scoring.power import plan
    from clika_client.sets.filters import kept_items

    chosen = _named(probe_set, db)
    if languages is not None:
        chosen = chosen.select(language_tags(languages))
    options = make_options(anchor, drop=drop, only=only)
    kept = kept_items(chosen, options.drop, options.only)
    if not len(kept):
        raise UserError("no item is left to ask; loosen --drop or --only")
    stored = _stored(chosen, db, languages)
    clusters = [chosen.items[i].cluster for i in kept][: limit or None]
    result = plan(
        chosen.name, len(clusters), len(chosen.languages), clusters, stored, None if effect is None else effect / 100
    )
    if as_json:
        print_json(result.to_json())
        return
    for line in _sentences(result):
        out().print(line, markup=False, highlight=False)


def _named(name: str, db: Db) -> ProbeSet:
    """A set that can be asked, or one that is known only from the answers in the database."""
    from clika_client.sets.catalogue import resolve

    try:
        return resolve(name)
    except UserError:
        path = database_path(db)
        if path.is_file():
            with opened(path) as store:
                known = [info.set_id for info in store.set_infos() if info.name == name]
                if known:
                    return store.probe_set(known[-1])
        raise


def _stored(chosen: ProbeSet, db: Db, languages: str | None) -> ScoredSet | None:
    """Answers to this set that are in the database already."""
    from clika_client.common.errors import ClikaError
    from clika_client.scoring.load import load
    from clika_client.scoring.score_sets import make_parts

    path = database_path(db)
    if not path.is_file():
        return None
    # A database that cannot be opened is told: only what is not in it may be assumed.
    with opened(path) as store:
        try:
            loaded = load(store, make_wanted(sets=chosen.name, languages=languages))
        except ClikaError:
            return None
    parts = list(make_parts(loaded.blocks, loaded.sets, make_options()))
    return max(parts, key=lambda part: len(part.blocks)) if parts else None


def _sentences(p: Power) -> list[str]:
    clusters = f" in {counted(p.clusters, 'cluster')}" if p.clusters else ""
    tongues = counted(p.languages, "language")
    said = [
        f"{p.set}: {counted(p.items, 'item')}{clusters}, {tongues}. Two models asked the same questions can be "
        "told apart, four times out of five, from these differences in accuracy on (points):",
        f"  in the mean over the languages  {100 * p.mean:.1f}",
        f"  in one language                 {100 * p.one_language:.1f}",
    ]
    if p.languages > 1:
        said.append(f"  in one of all {p.languages}, after Holm   {100 * p.one_of_all:.1f}")
    if p.effect is not None and p.chance_to_find is not None:
        said.append(
            f"A difference of {100 * p.effect:g} points in the mean would be found {p.chance_to_find:.0%} of the time; "
            f"four times out of five takes {p.items_needed:,} items."
        )
    where = (
        f"From {counted(p.stored, 'row')} of stored answers to this set"
        if p.stored
        else "Assumed, as no answers of two models to this set are stored that a correlation could be taken from"
    )
    facts = [f"accuracy {p.accuracy:.2f}", f"correlation of two models' answers {p.between_models:.2f}"]
    if p.languages > 1:
        assumed = " (assumed: no two models have answers in two languages)" if p.stored and p.languages_assumed else ""
        facts.append(f"of their differences between languages {p.between_languages:.2f}{assumed}")
    if p.clusters:
        facts.append(f"design effect of clusters {p.design_effect:.2f}")
    return [*said, f"{where}: {', '.join(facts)}."]
