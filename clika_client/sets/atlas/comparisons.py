"""Items that name nothing and ask for the greatest of four: by area, by inhabitants, by latitude."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from clika_client.sets.atlas.candidates import Candidate, Known, cities
from clika_client.sets.atlas.draw import hashed

TIERS = ("hard", "medium", "easy")
MIDDLE = "medium"


@dataclass(frozen=True, slots=True)
class Scale:
    """What is compared, and how far the second must lie behind the first in each tier."""

    relation: str
    kind: str
    """Of the facts: `area`, `population`, `latitude`."""
    bands: Mapping[str, tuple[float, float]]
    """Tier → least and greatest lead of the first over the second."""
    lead: Callable[[float, float], float]
    """How far the first value leads the second."""
    confirmed: bool
    """Whether a model was right more often where the lead is larger; else every item is of the middle tier."""
    widest: float
    """Nothing that lies further behind is offered beside it: an island beside a continent is no question."""


def _ratio(first: float, second: float) -> float:
    return first / second if second > 0 else float("inf")


def _gap(first: float, second: float) -> float:
    return first - second


_RATIOS = {"hard": (1.25, 1.6), "medium": (1.6, 3.0), "easy": (3.0, 8.0)}
SCALES = (
    Scale("largest-area", "area", _RATIOS, _ratio, True, 40.0),
    Scale("largest-population", "population", _RATIOS, _ratio, False, 40.0),
    Scale(
        "farthest-north", "latitude", {"hard": (2.0, 4.0), "medium": (4.0, 9.0), "easy": (9.0, 30.0)}, _gap, True, 60.0
    ),
)
"""A ratio of 1.25 is wider than what sources differ by; 2° are 220 km."""


@dataclass(frozen=True, slots=True)
class GradedComparison:
    """A comparison with its wrong choices, nearest first: the first of them decides how hard it is."""

    candidate: Candidate
    wrong: tuple[str, ...]
    tier: str


def comparisons(known: Known, fit: Callable[[str], bool], seed: str) -> Iterator[GradedComparison]:
    """Each country or city of a continent is the greatest in one item at most; tiers take turns.

    So what is right in one item is wrong in others, and "the one that wins most often" wins nothing. `fit` says
    whether an entity can be shown.
    """
    for scale in SCALES:
        yield from _of_scale(scale, known, fit, seed)


def _of_scale(scale: Scale, known: Known, fit: Callable[[str], bool], seed: str) -> Iterator[GradedComparison]:
    entities = {key: code for key, code in _entities(scale, known) if fit(key)}
    value = {key: float(known.facts[f"{scale.kind}:{key.partition(':')[2]}"]) for key in entities}
    used: Counter[str] = Counter()
    order = sorted(entities, key=lambda key: hashed(seed, scale.relation, key))
    turn = 0
    for key in order:
        for attempt in range(len(TIERS)):
            tier = TIERS[(turn + attempt) % len(TIERS)]
            wrong = _behind(scale, key, tier, entities, value, known, used, seed)
            if wrong is None:
                continue
            turn += 1
            used.update(wrong[:3])
            code = entities[key]
            place = known.curated.countries[code]
            item_id = f"{scale.relation}:{key.partition(':')[2]}"
            candidate = Candidate(item_id, scale.relation, "", key, (wrong,), place, code, code)
            yield GradedComparison(candidate, wrong, tier if scale.confirmed else MIDDLE)
            break


def _entities(scale: Scale, known: Known) -> Iterator[tuple[str, str]]:
    if scale.kind == "latitude":
        for zone, code, reason in cities(known):
            if not reason:
                yield f"zone:{zone}", code
    else:
        for code in known.codes:
            yield f"territory:{code}", code


def _behind(
    scale: Scale,
    first: str,
    tier: str,
    entities: Mapping[str, str],
    value: Mapping[str, float],
    known: Known,
    used: Counter[str],
    seed: str,
) -> tuple[str, ...] | None:
    """The runner-up, within the tier's band, and others behind it; None where the continent has too few."""
    places, home = known.curated.countries, entities[first]
    near = [
        key
        for key, code in entities.items()
        if key != first
        and places[code].continent == places[home].continent
        and code != home
        and frozenset((code, home)) not in known.curated.never_together
    ]
    low, high = scale.bands[tier]
    lead = {key: scale.lead(value[first], value[key]) for key in near}

    def turn(key: str) -> tuple[bool, int, str]:
        elsewhere = places[entities[key]].subregion != places[home].subregion
        return elsewhere, used[key], hashed(seed, first, key).hex()

    runners = sorted((key for key in near if low <= lead[key] < high), key=turn)
    for runner in runners:
        rest = [key for key in near if key != runner and lead[runner] <= lead[key] <= scale.widest]
        chosen = [runner]
        for key in sorted(rest, key=turn):
            together = [frozenset((entities[key], entities[one])) for one in chosen]
            if any(len(pair) == 1 or pair in known.curated.never_together for pair in together):
                continue
            chosen.append(key)
            if len(chosen) == 9:
                break
        if len(chosen) >= 3:
            return tuple(chosen)
    return None
