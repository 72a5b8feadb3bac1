"""The prompts of in-context conductivity: a few invented facts in English, and a question in each language."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clika_client.answers.open.named import NamesOffered
from clika_client.common.errors import UserError
from clika_client.conductivity.build import ANCHOR, offer
from clika_client.conductivity.ceiling import with_copied
from clika_client.conductivity.material import ExperimentQuestion, Form
from clika_client.conductivity.question_sets import QuestionSet, question_set
from clika_client.sets.fictional.facts import SEED, Fact, World, make_world
from clika_client.sets.fictional.language import read
from clika_client.sets.fictional.names import NameKind, Names
from clika_client.sets.fictional.text import similarity

PLACES = 20
"""Per continent: a prompt holds a few facts, so fewer than for teaching do."""
_HEAD = "Some facts:"
_FACT = "- The place {place} lies on the continent {continent}."
_NAMES = "Some names:"
_NAME = "- In {language}, {english} is called {name}."


@dataclass(frozen=True, slots=True)
class Setting:
    """What is asked; the same setting, the same prompts."""

    languages: tuple[str, ...]
    facts: int = 8
    """Facts in each prompt, the one asked for included; each lies on a continent of its own."""
    limit: int = 100
    """Questions per language, the same facts in every language."""
    form: Form = "text"
    k: int = 4
    """Choices, where the form is `choice`."""
    seed: int = SEED
    names: NameKind = "coined"


def world_of(setting: Setting) -> World:
    """The invented facts that prompts are made of."""
    return make_world(setting.seed, places=PLACES, names=setting.names)


def as_set(setting: Setting, questions: Sequence[ExperimentQuestion]) -> QuestionSet:
    """The questions as one set, the same facts in English and in each language."""
    languages = dict.fromkeys(q.language for q in questions)
    by_language = {tag: [q for q in questions if q.language == tag] for tag in languages}
    offered = names_told(world_of(setting), by_language)
    return question_set("in-context", by_language, setting.form, {"facts": str(setting.facts)}, offered)


def names_told(world: World, languages: Iterable[str]) -> dict[str, tuple[NamesOffered, ...]]:
    """Every continent by its name in the language, and in English too: no one told the model what X calls it."""
    named = {tag: NamesOffered(tag, tuple(names[tag] for names in world.continents)) for tag in (ANCHOR, *languages)}
    return {tag: tuple(dict.fromkeys((named[tag], named[ANCHOR]))) for tag in languages}


def build(setting: Setting) -> tuple[ExperimentQuestion, ...]:
    """The control's questions, then those of each language; raises UserError for a setting that cannot be."""
    world = world_of(setting)
    continents = len(world.continents)
    if not 2 <= setting.facts <= continents:
        raise UserError(f"--facts must be 2 to {continents}, the number of continents, got {setting.facts}")
    if not 2 <= setting.k <= setting.facts:
        raise UserError(f"--k must be 2 to {setting.facts}, the number of facts in a prompt, got {setting.k}")
    languages = tuple(dict.fromkeys(setting.languages))
    if not languages or ANCHOR in languages:
        raise UserError("name languages beside English with --languages; English itself is the control")
    rng = random.Random(f"clika in-context {setting.seed} {setting.facts} {setting.k}")
    chosen = rng.sample(world.facts, min(setting.limit, len(world.facts)))
    asked = [(fact, _block(world, fact, setting.facts, rng)) for fact in chosen]
    offers = [offer(range(len(block)), block.index(fact), setting.k, rng) for fact, block in asked]
    return tuple(
        _question(world, tag, number, fact, block, [block[n].continent for n in order], gold)
        for tag in (ANCHOR, *languages)
        for number, ((fact, block), (order, gold)) in enumerate(zip(asked, offers, strict=True))
    )


def _block(world: World, fact: Fact, size: int, rng: random.Random) -> list[Fact]:
    """The fact and its distractors in random order, each on another continent."""
    others = rng.sample([c for c in range(len(world.continents)) if c != fact.continent], size - 1)
    block = [fact, *(rng.choice([f for f in world.facts if f.continent == c]) for c in others)]
    rng.shuffle(block)
    return block


def _question(
    world: World, tag: str, number: int, fact: Fact, block: Sequence[Fact], offered: Sequence[int], gold: int
) -> ExperimentQuestion:
    told = [_FACT.format(place=f.place[ANCHOR], continent=world.answer(f, ANCHOR)) for f in block]
    if world.names == "coined" and tag != ANCHOR:
        told += ["", _NAMES, *_named(world, tag, block)]
    wordings = read(tag).test
    asked = wordings[number % len(wordings)].format(place=fact.place[tag])
    question = ExperimentQuestion(
        f"in-context.{tag}.{fact.fact_id}",
        tag,
        "control" if tag == ANCHOR else "in-context",
        tag,
        fact.fact_id,
        "\n".join([_HEAD, *told, "", asked]),
        world.answer(fact, tag),
        tuple(world.continents[c][tag] for c in offered),
        gold,
        round(similarity(fact.place[tag], fact.place[ANCHOR]), 4),
    )
    places = [(f.place[ANCHOR], world.answer(f, tag)) for f in block]
    return with_copied([question], [fact.place[tag]], places)[0]


def _named(world: World, tag: str, block: Sequence[Fact]) -> list[str]:
    """The block's places and continents by their names in a language, in the order of those names."""
    things: list[Names] = [names for f in block for names in (f.place, world.continents[f.continent])]
    language = read(tag).name
    return [
        _NAME.format(language=language, english=names[ANCHOR], name=names[tag])
        for names in sorted(things, key=lambda names: names[tag])
    ]
