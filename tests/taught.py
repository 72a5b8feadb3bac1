"""Taught models with a known truth: who compares spellings, names one continent, knows what it was told, or conducts.

Each is scored on worlds that are drawn anew, after one or more teachings, by the product's own functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from clika_client.conductivity.answerer import Kind, name
from clika_client.conductivity.certainty import difference, paired_shares, stacked, xrr
from clika_client.conductivity.chance import shuffle
from clika_client.conductivity.loss import change, forgetful
from clika_client.conductivity.trials import Trial
from clika_client.scoring.records import Figure

CONTINENTS, PLACES = 20, 30
"""Continents, and facts of the test on each."""
KNOWN = 0.97
"""Share of the facts that are known in the language of teaching; the rest is guessed."""
CEILING = 0.05
"""Of copying: names that spelling does not give away."""
SHARES = (0.02, 0.40)
"""How much of what decides about a fact belongs to its continent and to itself; the rest is chance, a part of which may
be the same for a whole teaching."""
SPREAD = 0.02
"""That part: XRR then has a standard deviation of about .05 between seeds."""

Numbers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shape:
    """How many facts a world has, and what decides about one."""

    continents: int = CONTINENTS
    places: int = PLACES
    shares: tuple[float, float] = SHARES


@dataclass(frozen=True)
class World:
    """Facts, and what spelling alone would answer to them."""

    answer: Numbers
    copied: Numbers
    hard: npt.NDArray[np.float64]
    """How hard each fact is to conduct, standard normal without its chance part."""
    shape: Shape = Shape()


def make(random: np.random.Generator, ceiling: float = CEILING, shape: Shape = Shape()) -> World:
    """A world whose copying is right in this share of the facts on average."""
    continents, places = shape.continents, shape.places
    answer = np.repeat(np.arange(continents), places)
    others = (answer + random.integers(1, continents, answer.size)) % continents
    copied = np.where(random.random(answer.size) < ceiling, answer, others)
    continent = np.repeat(random.standard_normal(continents), places) * shape.shares[0] ** 0.5
    return World(answer, copied, continent + random.standard_normal(answer.size) * shape.shares[1] ** 0.5, shape)


Answers = Callable[[np.random.Generator, World, Bools], Numbers]
"""What is answered to each fact, -1 for nothing, by who knows these in the language of teaching."""


def conductor(share: float, spread: float = 0.0) -> Answers:
    """Carries over this share of what it knows, and guesses the rest; `spread` is what its teachings differ by."""
    limit = NormalDist().inv_cdf(share) if share else -np.inf

    def answers(random: np.random.Generator, world: World, known: Bools) -> Numbers:
        n = world.answer.size
        drawn = random.standard_normal() * spread**0.5
        drawn = drawn + random.standard_normal(n) * (1 - sum(world.shape.shares) - spread) ** 0.5
        carried = known & (world.hard + drawn < limit)
        return np.where(carried, world.answer, random.integers(0, world.shape.continents, n))

    return answers


def matcher(random: np.random.Generator, world: World, known: Bools) -> Numbers:
    """Compares spellings and nothing else."""
    return world.copied


def constant(random: np.random.Generator, world: World, known: Bools) -> Numbers:
    """Names one continent, whatever is asked."""
    return np.full(world.answer.size, int(random.integers(CONTINENTS)))


def memoriser(random: np.random.Generator, world: World, known: Bools) -> Numbers:
    """Says nothing to half of what it was not told, and guesses the other half."""
    guesses = random.integers(0, CONTINENTS, world.answer.size)
    return np.where(random.random(world.answer.size) < 0.5, -1, guesses)


@dataclass(frozen=True)
class Simulated:
    """A kind of answerer, and what there is to find out about it."""

    answers: Answers
    raw: float
    """Its true accuracy in the language of asking."""
    kinds: tuple[Kind, ...]
    """What it may be called."""
    ceiling: float = CEILING
    shape: Shape = Shape()


def conducted(share: float, continents: int = CONTINENTS) -> float:
    """Accuracy of a conductor: what it carries over, and a guess at the rest."""
    carried = KNOWN * share
    return carried + (1 - carried) / continents


ANSWERERS: dict[str, Simulated] = {
    "matcher, coined names": Simulated(matcher, CEILING, ("copier",)),
    "matcher, names like the paper's": Simulated(matcher, 0.5, ("copier",), 0.5),
    "constant": Simulated(constant, 1 / CONTINENTS, ("constant",)),
    "memoriser": Simulated(memoriser, 0.5 / CONTINENTS, ("memoriser",)),
    "conductor of 0": Simulated(conductor(0), 1 / CONTINENTS, ("memoriser",)),
    "conductor of .2": Simulated(conductor(0.2), conducted(0.2), ("conductor",)),
    "conductor of .6": Simulated(conductor(0.6), conducted(0.6), ("conductor",)),
}
UNLIKE_TEACHINGS = {
    "conductor of .2, seeds differ": Simulated(conductor(0.2, SPREAD), conducted(0.2), ("conductor",)),
    "conductor of .6, seeds differ": Simulated(conductor(0.6, SPREAD), conducted(0.6), ("conductor",)),
}
"""After one teaching nothing can tell how far another would differ, so these are for several."""


def unlike(share: float, spread: float, shape: Shape) -> Simulated:
    """A conductor in a world of this shape, whose teachings differ by this much."""
    return Simulated(conductor(share, spread), conducted(share, shape.continents), ("conductor",), CEILING, shape)


OTHER_SHAPES: dict[str, tuple[int, Simulated]] = {
    "20 x 30 facts, .2, seeds' sd .03": (3, unlike(0.2, 0.01, Shape())),
    "20 x 30 facts, .6, seeds' sd .02": (3, unlike(0.6, 0.002, Shape())),
    "20 x 30 facts, .6, seeds' sd .12": (3, unlike(0.6, 0.1, Shape())),
    "20 x 30 facts, .6, seeds' sd .12, five": (5, unlike(0.6, 0.1, Shape())),
    "20 x 30 facts, .6, seeds' sd .05, five": (5, unlike(0.6, 0.02, Shape())),
    "20 x 30 facts, .6, seeds' sd .05, two": (2, unlike(0.6, 0.02, Shape())),
    "20 x 10 facts, .2, seeds' sd .04": (3, unlike(0.2, 0.02, Shape(places=10))),
    "20 x 10 facts, .6, equal seeds": (3, unlike(0.6, 0.0, Shape(places=10))),
    "20 x 30 facts, .6, continents alike, hard facts": (3, unlike(0.6, 0.02, Shape(shares=(0.0, 0.7)))),
    "20 x 30 facts, .6, continents unlike, hard facts": (3, unlike(0.6, 0.02, Shape(shares=(0.15, 0.6)))),
    "20 x 30 facts, .6, continents unlike, one": (1, unlike(0.6, 0.0, Shape(shares=(0.15, 0.6)))),
    "4 x 15 facts, .6, seeds' sd .05": (3, unlike(0.6, 0.02, Shape(4, 15))),
    "4 x 15 facts, .6, one": (1, unlike(0.6, 0.0, Shape(4, 15))),
    "2 x 30 facts, .6, seeds' sd .05": (3, unlike(0.6, 0.02, Shape(2, 30))),
}
"""Teachings and answerers that the rule of the intervals was not chosen by."""


def trials(random: np.random.Generator, kind: Simulated, teachings: int) -> list[Trial]:
    """One experiment: a world, and so many teachings of it."""
    return taught(random, make(random, kind.ceiling, kind.shape), kind, teachings)


def taught(random: np.random.Generator, world: World, kind: Simulated, teachings: int) -> list[Trial]:
    """So many teachings of one world."""
    n, continents = world.answer.size, world.shape.continents
    done = []
    for _ in range(teachings):
        known = random.random(n) < KNOWN
        given = kind.answers(random, world, known)
        guessed = random.random(n) < 1 / continents
        done.append(
            Trial(
                tuple(f"f{number:04d}" for number in range(n)),
                tuple(f"c{number}" for number in range(continents)),
                world.answer,
                given,
                world.copied,
                given == world.answer,
                known | guessed,
                None,
                np.zeros(n, np.bool_),
                continents,
            )
        )
    return done


@dataclass
class Tally:
    """How often each figure's interval held the truth, and how often the name was right."""

    experiments: int = 0
    raw: int = 0
    ratio: int = 0
    above: int = 0
    named: int = 0


def tally(kind: Simulated, teachings: int, experiments: int, deals: int, seed: int) -> Tally:
    """Score so many experiments as the product scores them."""
    random = np.random.default_rng([seed, teachings, experiments])
    found = Tally(experiments)
    chance = 1 / kind.shape.continents
    known = KNOWN + (1 - KNOWN) * chance
    truth = (kind.raw, kind.raw / known, (kind.raw - chance) / (known - chance))
    for _ in range(experiments):
        done = trials(random, kind, teachings)
        figures = xrr(done)
        found.raw += holds(figures.raw, truth[0])
        found.ratio += holds(figures.ratio, truth[1])
        found.above += holds(figures.above_chance, truth[2])
        if deals:
            found.named += named(done, deals, int(random.integers(2**31))) in kind.kinds
    return found


def holds(figure: Figure, truth: float) -> bool:
    """Whether an interval holds the truth."""
    return figure.low <= truth <= figure.high


def named(done: list[Trial], deals: int, seed: int) -> Kind:
    """What the product calls the model."""
    asked, _ = stacked(done)
    copies = np.stack([trial.copies_right for trial in done]).astype(np.float64)
    return name(done, False, shuffle(done, deals, seed).p, paired_shares(done, asked, copies)).kind


def false_alarms(teachings: int, experiments: int, seed: int) -> float:
    """How often two models of equal conductivity, whose teachings differ, are told apart on the same facts at .05."""
    random = np.random.default_rng([seed, teachings])
    told = 0
    for _ in range(experiments):
        world = make(random)
        kind = Simulated(conductor(0.4, SPREAD if teachings > 1 else 0.0), conducted(0.4), ())
        one, other = (taught(random, world, kind, teachings) for _ in range(2))
        told += difference(one, other).p < 0.05
    return told / experiments


def forgetters(experiments: int, seed: int) -> Iterator[tuple[float, float, float, float]]:
    """True accuracy on real facts before and after; how often the loss is in its interval, and named."""
    random = np.random.default_rng(seed)
    for before, after in ((0.6, 0.6), (0.6, 0.35), (0.9, 0.6)):
        held, named_so = 0, 0
        for _ in range(experiments):
            hard = random.standard_normal(60)
            # The same questions: what is hard before is mostly hard after.
            knew, knows = (
                hard * 0.7 + random.standard_normal(60) * 0.51**0.5 < NormalDist().inv_cdf(p) for p in (before, after)
            )
            found = change(int((knew & ~knows).sum()), int((knows & ~knew).sum()), 60)
            held += found.low <= after - before <= found.high
            named_so += forgetful(found)
        yield before, after, held / experiments, named_so / experiments
