"""`clika items`: which questions are hard for everyone, and which are lost in one language only?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, Db, database_path, out, print_json, say_hanging
from clika_client.cli.scoring_options import (
    Anchor,
    Drop,
    Languages,
    Models,
    Only,
    Prompt,
    ReadingName,
    Sources,
    make_options,
    make_wanted,
    opened,
)
from clika_client.common.errors import UserError
from clika_client.common.safe_text import shown
from clika_client.common.wording import counted

if TYPE_CHECKING:
    from clika_client.scoring.item_difficulty import Difficulty
    from clika_client.scoring.score_sets import ScoredSet

_LISTED = 20
_QUESTION = 70
_INDENT = 10


def items(
    probe_set: Annotated[str, typer.Argument(metavar="SET", help="A set that at least three models have answered.")],
    model: Models = None,
    languages: Languages = None,
    source: Sources = None,
    prompt: Prompt = None,
    reading: ReadingName = "standard",
    anchor: Anchor = "en",
    drop: Drop = None,
    only: Only = None,
    seed: Annotated[int, typer.Option("--simulation-seed", min=0, help="Seed of the simulated answers.")] = 0,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Separate items, languages and items in a language, by a logistic model of all stored answers to a set."""
    from clika_client.scoring.item_difficulty import item_difficulty
    from clika_client.scoring.load import load
    from clika_client.scoring.score_sets import make_parts

    wanted = make_wanted(model, probe_set, languages, source, prompt, reading)
    with opened(database_path(db)) as store:
        loaded = load(store, wanted)
    parts = list(make_parts(loaded.blocks, loaded.sets, make_options(anchor, drop=drop, only=only)))
    if not parts:
        raise UserError("no item is left to look at; loosen --drop or --only")
    documents = []
    for part in parts:
        found = item_difficulty(part, anchor, seed)
        if as_json:
            documents.append(_document(part, found))
        else:
            _print(part, found, anchor)
    if as_json:
        print_json({"sets": documents})


def _document(part: ScoredSet, found: Difficulty) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "set": part.probe_set.name,
        "models": found.models,
        "item_sd": found.item_sd,
        "item_language_sd": found.item_language_sd,
        "language_effects": [asdict(effect) for effect in found.effects],
        "lost_in_one_language": [asdict(item) for item in found.lost],
        "missed_by_chance": found.missed_by_chance,
        "difficulty": dict(zip(found.items, map(float, found.difficulty), strict=True)),
    }


def _print(part: ScoredSet, found: Difficulty, anchor: str) -> None:
    def say(text: str) -> None:
        out().print(shown(text), markup=False, highlight=False)

    share = found.item_language_sd**2 / (found.item_sd**2 + found.item_language_sd**2)
    say(
        f"{part.probe_set.name}: {counted(len(found.items), 'item')}, {counted(found.models, 'model')}. Of the "
        f"difficulty of a question in a language {share:.0%} is its own in that language (sd "
        f"{found.item_language_sd:z.2f} logits), the rest is the item's in all languages (sd {found.item_sd:z.2f})."
    )
    say(f"How much harder or easier than in {anchor}, in logits with 95 % interval (-1: odds of being right / 2.7):")
    for effect in sorted(found.effects, key=lambda e: e.effect):
        say(f"  {effect.language:<8}{effect.effect:+z.2f} [{effect.low:+z.2f}, {effect.high:+z.2f}]")
    suspicious = [item for item in found.lost if item.suspicious]
    say(
        f"Lost in one language only: {len(found.lost)}. Of these no model is right in {len(suspicious)}, marked !, "
        f"though most answers elsewhere are right (by chance alone {found.missed_by_chance:z.1f}): look at their "
        "translation first."
    )
    for item in found.lost[:_LISTED]:
        mark = " !" if item.suspicious else ""
        question = part.probe_set.probes[item.language][int(part.positions[item.position])].question
        first = question.splitlines()[0]
        line = (
            f"  {item.language:<8}{item.right} of {item.models} right, {item.expected:z.1f} expected, elsewhere "
            f"{item.elsewhere:.0%}: item {item.item_id}{mark}  "
            f"{first if len(first) <= _QUESTION else first[: _QUESTION - 1] + '…'}"
        )
        say_hanging(shown(line), _INDENT)
    if len(found.lost) > _LISTED:
        say(f"  and {len(found.lost) - _LISTED} more: --json")
