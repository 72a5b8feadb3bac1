"""What blind answerers get right: they never read what is asked, only what is offered and how often it was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from clika_client.sets.probes import ProbeSet


@dataclass(frozen=True, slots=True)
class BlindItem:
    """As much of an item as a blind answerer sees, and the answer."""

    relation: str
    region: str
    subregion: str
    choices: tuple[str, ...]
    gold: int

    @property
    def answer(self) -> str:
        """The right choice."""
        return self.choices[self.gold]


Group = Callable[[BlindItem], str]
GROUPS: Mapping[str, Group] = {
    "majority of the relation": lambda one: one.relation,
    "majority of the region": lambda one: f"{one.relation} {one.region}",
    "majority of the subregion": lambda one: f"{one.relation} {one.subregion}",
}
"""Name → the other items that the answerer has seen the answers of."""
CIRCULAR = {("country-continent", "majority of the region"), ("country-continent", "majority of the subregion")}
"""Relation and baseline where the region is the answer itself."""


def asked(probe_set: ProbeSet, language: str | None = None) -> list[BlindItem]:
    """The items of a set with the choices of one language; the first one by default."""
    probes = probe_set.probes[language or probe_set.languages[0]]
    return [
        BlindItem(tags["relation"], tags.get("region", ""), tags.get("subregion", ""), probe.choices, probe.gold)
        for tags, probe in zip((item.tags for item in probe_set.items), probes, strict=True)
    ]


FOLDS = (2, 0)
"""Ways to keep an item's own answer from its answerer: learn from the other half, or from all others (0)."""


def majority(items: Sequence[BlindItem], group: Group, folds: int = 2) -> list[float]:
    """Per item, the chance that "the offered answer that was right most often in other items" is right here.

    `folds` says which others: with 2 the items in turn are two halves, each answered from the other; with 0 all but
    the item itself, which is pessimistic where every answer is right equally often. Ties are broken by lot. Between
    0 and 1.
    """
    known: dict[tuple[int, str], Counter[str]] = {}
    for number, one in enumerate(items):
        fold = number % folds if folds else 0
        known.setdefault((fold, group(one)), Counter())[one.answer] += 1
    elsewhere: dict[tuple[int, str], Counter[str]] = {}
    hits = []
    for number, one in enumerate(items):
        fold = number % folds if folds else 0
        if (fold, group(one)) not in elsewhere:  # once for a fold and group, not for each of their items
            others = [other for other in range(folds) if other != fold] if folds else [0]
            counted = (known.get((other, group(one)), Counter()) for other in others)
            elsewhere[fold, group(one)] = sum(counted, Counter[str]())
        seen, own = elsewhere[fold, group(one)], 0 if folds else 1
        counts = [seen[choice] - own * (position == one.gold) for position, choice in enumerate(one.choices)]
        best = max(counts)
        hits.append((counts[one.gold] == best) / counts.count(best))
    return hits


def by_length(items: Sequence[BlindItem], *, longest: bool) -> list[float]:
    """Per item, the chance that the longest (or shortest) choice is right; ties are broken by lot."""
    hits = []
    for one in items:
        lengths = [len(choice) if longest else -len(choice) for choice in one.choices]
        best = max(lengths)
        hits.append((lengths[one.gold] == best) / lengths.count(best))
    return hits


def accuracies(items: Sequence[BlindItem]) -> dict[str, dict[str, float]]:
    """Relation → baseline → share right; `all` is the whole list."""
    relations = list(dict.fromkeys(one.relation for one in items))
    found: dict[str, dict[str, float]] = {}
    for name, hits in _hits(items).items():
        for relation in relations:
            if (relation, name) not in CIRCULAR:
                own = [hit for hit, one in zip(hits, items, strict=True) if one.relation == relation]
                found.setdefault(relation, {})[name] = _mean(own)
        fair = [hit for hit, one in zip(hits, items, strict=True) if (one.relation, name) not in CIRCULAR]
        found.setdefault("all", {})[name] = _mean(fair)
    return found


def _hits(items: Sequence[BlindItem]) -> dict[str, list[float]]:
    return {name: majority(items, group) for name, group in GROUPS.items()} | {
        "longest choice": by_length(items, longest=True),
        "shortest choice": by_length(items, longest=False),
    }


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else 0.0
