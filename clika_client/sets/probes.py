"""Probe sets: the same questions in many languages, checked once so that nothing after has to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from clika_client.common.errors import UserError

Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """One question independent of language."""

    item_id: str
    tags: Tags = field(default_factory=dict)
    """Language-independent properties to split results on: relation, region, original_lang, `changed`, …"""
    cluster: str | None = None
    """Items of one cluster are resampled together (x_name pairs a person's birth and death years)."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One Item in one language."""

    item_id: str
    language: str
    """BCP 47 tag."""
    question: str
    choices: tuple[str, ...]
    gold: int
    """Index into `choices`."""
    tags: Tags = field(default_factory=dict)
    """Properties of this language's version: name_as_in_english, ambiguous, adapted, …"""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Parts of the question that some prompt styles need apart (COPA's premise and connector)."""


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """A versioned, hashed collection of Probes.

    Invariant: `probes[language][i]` is the version of `items[i]`, for every language, with the same
    number of choices and the same gold index in each.
    """

    name: str
    items: tuple[Item, ...]
    probes: Mapping[str, Sequence[Probe]]
    version: str = "1"
    reference: float | None = None
    """Accuracy (fraction) that counts as RA = 1; None means no published reference: A = 1 is used."""
    licence: str = "unknown"
    source: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    """Texts that belong to the set, such as published instructions: `instruction:de` → text."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The set's languages, in its own order."""
        return tuple(self.probes)

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def k(self) -> int:
        """Number of choices per question, the same for all items."""
        return len(next(iter(self.probes.values()))[0].choices)

    @property
    def chance(self) -> float:
        """Accuracy of blind guessing, 1/k."""
        return 1.0 / self.k

    def select(self, languages: Sequence[str] | None = None, limit: int | None = None, seed: int = 0) -> ProbeSet:
        """The same items in each of `languages`; with `limit`, a seeded sample in the set's order.

        Raises UserError for a language the set does not have or a limit below one.
        """
        import random

        wanted = tuple(languages) if languages else self.languages
        for tag in wanted:
            if tag not in self.probes:
                known = ", ".join(self.languages)
                raise UserError(f"set {self.name!r} has no language {tag!r}; it has: {known}")
        rows: Sequence[int] = range(self.n)
        if limit is not None:
            if limit < 1:
                raise UserError(f"--limit must be at least 1, got {limit}")
            if limit < self.n:
                rows = sorted(random.Random(seed).sample(range(self.n), limit))
        if len(rows) == self.n:
            return replace(self, probes={tag: self.probes[tag] for tag in wanted})
        return replace(
            self,
            items=tuple(self.items[i] for i in rows),
            probes={tag: tuple(self.probes[tag][i] for i in rows) for tag in wanted},
        )


def build(name: str, items: Iterable[Item], probes: Iterable[Probe], *, where: str = "", **details: object) -> ProbeSet:
    """Assemble and check a ProbeSet; raises UserError naming `where`, the item and the cure."""
    by_language: dict[str, dict[str, Probe]] = {}
    for probe in probes:
        bucket = by_language.setdefault(probe.language, {})
        if probe.item_id in bucket:
            raise UserError(
                f"{where or name}: item {probe.item_id!r} occurs twice in language {probe.language!r}; keep one"
            )
        bucket[probe.item_id] = probe
    items = tuple(items)
    if not items or not by_language:
        raise UserError(f"{where or name}: the set is empty; give it at least one item")
    k = len(next(iter(next(iter(by_language.values())).values())).choices)
    for language, bucket in by_language.items():
        _check_language(where or name, language, items, bucket, k)
    _check_gold(where or name, items, by_language)
    ordered = {tag: tuple(bucket[item.item_id] for item in items) for tag, bucket in by_language.items()}
    return ProbeSet(name=name, items=items, probes=ordered, **details)  # type: ignore[arg-type]


def _check_language(where: str, language: str, items: tuple[Item, ...], bucket: Mapping[str, Probe], k: int) -> None:
    refuse_missing(where, language, [item.item_id for item in items if item.item_id not in bucket], len(items))
    for probe in bucket.values():
        if len(probe.choices) != k:
            raise UserError(
                f"{where}: item {probe.item_id!r} in {language!r} has {len(probe.choices)} choices, others have {k}; "
                "all items of a set need the same number"
            )
        if not 0 <= probe.gold < k:
            raise UserError(
                f"{where}: item {probe.item_id!r} in {language!r} has gold {probe.gold}; it must be 0 to {k - 1}"
            )


def refuse_missing(where: str, language: str, missing: Sequence[str], n: int) -> None:
    """Raise UserError when items of a set lack a version in one language."""
    if missing:
        shown = ", ".join(map(repr, missing[:5])) + (" …" if len(missing) > 5 else "")
        raise UserError(
            f"{where}: {len(missing)} of {n} items are missing in language {language!r}: {shown}; "
            "add them, or leave these items out of every language"
        )


def _check_gold(where: str, items: tuple[Item, ...], by_language: Mapping[str, Mapping[str, Probe]]) -> None:
    """Answers of two languages are compared by index, so the order of choices must be parallel."""
    first, *others = by_language
    for item in items:
        gold = by_language[first][item.item_id].gold
        for tag in others:
            if by_language[tag][item.item_id].gold != gold:
                raise UserError(
                    f"{where}: item {item.item_id!r} has gold {gold} in {first!r} but "
                    f"{by_language[tag][item.item_id].gold} in {tag!r}; "
                    "list the choices in the same order in every language"
                )
