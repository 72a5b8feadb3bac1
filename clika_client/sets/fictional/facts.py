"""The invented world: 20 continents with 60 places each, half of them taught in both languages, half in one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from clika_client.common.errors import UserError
from clika_client.sets.fictional.language import languages as known_languages
from clika_client.sets.fictional.language import read
from clika_client.sets.fictional.names import (
    NAME_KINDS,
    Coinages,
    Coiner,
    NameKind,
    Names,
    invent,
    real_places,
)
from clika_client.sets.fictional.text import similarity
from clika_client.sets.probes import Item, Probe, ProbeSet, build

CONTINENTS = 20
PLACES = 60
"""Per continent. The paper has 20; then a test of 200 facts tells .10 from .05, but no language from another."""
SEED = 20240404
VERSION = "3"
"""Of the tables: names of another version are other names."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One place lies on one continent."""

    fact_id: str
    place: Names
    continent: int
    """Index into `World.continents`."""
    type: int
    """0: taught in both languages; 1: taught in one and asked in the other."""


@dataclass(frozen=True, slots=True)
class World:
    """All facts of one seed, in every language."""

    seed: int
    continents: tuple[Names, ...]
    facts: tuple[Fact, ...]
    names: NameKind = "coined"
    """Whether languages have words of their own for a thing, or spell the same one."""

    def answer(self, fact: Fact, language: str) -> str:
        """The name of a fact's continent."""
        return self.continents[fact.continent][language]


@lru_cache(maxsize=4)
def make_world(
    seed: int = SEED, continents: int = CONTINENTS, places: int = PLACES, names: NameKind = "coined"
) -> World:
    """The facts of a seed: `places` per continent, half of them of each type; the same seed, the same world.

    The names do not depend on which languages are asked for. Raises UserError for fewer than two continents, an odd
    number of places, or an unknown kind of names.
    """
    if continents < 2 or places < 2 or places % 2:
        raise UserError(
            f"a world needs two continents or more and an even number of places on each, got {continents} x {places}"
        )
    if names not in NAME_KINDS:
        raise UserError(f"names must be {' or '.join(NAME_KINDS)}, got {names!r}")
    rng = random.Random(f"clika fictional {VERSION} {seed}")
    named = (_coined if names == "coined" else _transliterated)(seed, continents, places, rng)
    facts = []
    for continent in range(continents):
        types = [0, 1] * (places // 2)
        rng.shuffle(types)
        for n, kind in enumerate(types):
            number = continent * places + n
            facts.append(Fact(f"f{number + 1:04d}", named[continents + number], continent, kind))
    return World(seed, named[:continents], tuple(facts), names)


def _coined(seed: int, continents: int, places: int, rng: random.Random) -> tuple[Names, ...]:
    """Words of its own in every language."""
    tags = known_languages()
    coiner = Coiner(f"clika fictional {VERSION} {seed}", [read(tag) for tag in tags], real_places())
    first = coiner.continents(continents)

    @cache
    def words(tag: str) -> tuple[str, ...]:
        return (*first[tag], *coiner.places(tag, continents * places))

    return tuple(Coinages(number, tags, words) for number in range(continents * (places + 1)))


def _transliterated(seed: int, continents: int, places: int, rng: random.Random) -> tuple[Names, ...]:
    """The same word in every language, spelled by its table."""
    kinds = ["continent"] * continents + ["place"] * (continents * places)
    return invent([read(tag) for tag in known_languages()], kinds, rng, real_places())


def load(
    languages: Sequence[str] | None = None, *, seed: int = SEED, k: int = CONTINENTS, names: NameKind = "coined"
) -> ProbeSet:
    """The built-in set `fictional`: all facts as multiple-choice questions in the test wordings."""
    return _load(tuple(languages) if languages else None, seed, k, names)


@lru_cache(maxsize=2)
def _load(languages: Sequence[str] | None, seed: int, k: int, names: NameKind) -> ProbeSet:
    """A set is a value that nobody changes; coining and spelling 48,000 questions takes seconds."""
    return probe_set(make_world(seed, names=names), languages, k=k)


def probe_set(world: World, languages: Sequence[str] | None = None, *, k: int = CONTINENTS) -> ProbeSet:
    """The facts of a world as questions with `k` continents to choose from, in the same order in every language.

    Raises UserError for an unknown language or a `k` the world cannot offer.
    """
    if not 2 <= k <= len(world.continents):
        raise UserError(f"k must be 2 to {len(world.continents)}, got {k}")
    options = choice_order(world, k)
    tags = tuple(languages) if languages else known_languages()
    return build(
        "fictional",
        [Item(f.fact_id, {"type": str(f.type)}) for f in world.facts],
        [_probe(world, n, tag, options[f.fact_id]) for tag in tags for n, f in enumerate(world.facts)],
        version=f"{VERSION}.{world.seed}" + ("" if world.names == "coined" else f".{world.names}"),
        licence="MIT",
        source="invented places, generated by clika-client",
    )


def choice_order(world: World, k: int) -> Mapping[str, tuple[int, ...]]:
    """Fact id → the continents offered for it: the right one and `k` - 1 others, in a seeded order."""
    rng = random.Random(f"clika fictional choices {world.seed} {k}")
    offered = {}
    for fact in world.facts:
        others = [c for c in range(len(world.continents)) if c != fact.continent]
        chosen = [fact.continent, *rng.sample(others, k - 1)]
        rng.shuffle(chosen)
        offered[fact.fact_id] = tuple(chosen)
    return offered


def _probe(world: World, number: int, tag: str, options: tuple[int, ...]) -> Probe:
    fact = world.facts[number]
    wordings = read(tag).test
    return Probe(
        fact.fact_id,
        tag,
        wordings[number % len(wordings)].format(place=fact.place[tag]),
        tuple(world.continents[c][tag] for c in options),
        options.index(fact.continent),
        {"similarity": f"{similarity(fact.place[tag], fact.place['en']):.3f}", "script": read(tag).spelling.script},
    )
