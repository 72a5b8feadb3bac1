"""Probe sets: the same questions in many languages, checked once so that nothing after has to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from clika_client.common.errors import UserError

Tags = Mapping[str, str]
CONTEXT = "context"
"""Field of a Probe that every prompt style shows before the question: a passage, a premise, a story."""
OF_QUESTIONS = frozenset({CONTEXT, "accepted", "before", "after", "premise", "asks", "connector", "as_of"})
"""Fields of a Probe that its question, its options or its reading already hold."""
NOT_PARALLEL = "not_parallel"
"""Key of a set's `meta`: why its languages do not hold the same questions."""
LABELLED = "labelled"
"""Key of a set's `meta`: its questions begin with a label of their own ("City: Nairobi."), and need no "Question:"."""
OPEN = "open"
"""Key of a set's `meta`: its questions are asked without options; a Probe's `choices` are answers that are known."""
ACCEPTED = "accepted"
"""Field of a Probe of an open set: further right answers beside `choices[gold]`, one a line; `*` ends a stem."""
ANSWER_KIND = "answer_kind"
"""Tag of an item of an open set: `number`, `date` or `yes-no`; a name where it is absent."""
SUBJECT = "subject"
"""Tag of an item of an open set: what is asked about, in Latin letters; an English answer about another is wrong."""
MEASURES = "measures"
"""Key of an open set's `meta`: whose own measures are given beside ours; `mkqa`: exact match and token F1."""
EXAMPLE_TAG = "example_tag"
"""Key of the `meta` of a set of examples: an example has the question's own value of this tag."""


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

    @property
    def absent(self) -> bool:
        """Whether it only keeps the place of a question that the language does not have."""
        return not self.choices


def absent(item_id: str, language: str) -> Probe:
    """The place of a question that a language lacks, in a set that is not parallel."""
    return Probe(item_id, language, "", (), -1)


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """A versioned, hashed collection of Probes.

    Invariant: `probes[language][i]` is the version of `items[i]`, for every language, with the same
    number of choices and the same gold index in each. Items may differ in their number of choices. Only where
    the set is not parallel, a language may lack an item: an absent Probe keeps its place.
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
    examples: ProbeSet | None = None
    """Questions in the same languages that are never asked: examples are taken from them."""
    _counts: bytes = field(default=b"", init=False, repr=False, compare=False)
    """Choices of each item; counted when first asked for, as a large set is not unpacked in vain."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The set's languages, in its own order."""
        return tuple(self.probes)

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Number of choices of each item; shape (n,)."""
        if not self._counts:
            counts = np.zeros(self.n, np.uint8)
            for probes in self.probes.values():
                counts = np.maximum(counts, np.fromiter((len(p.choices) for p in probes), np.uint8, self.n))
                if counts.all():
                    break
            object.__setattr__(self, "_counts", counts.tobytes())
        return np.frombuffer(self._counts, np.uint8).astype(np.int64)

    @property
    def k(self) -> int:
        """Number of choices of the question that has most."""
        return self.k_range[1]

    @property
    def k_range(self) -> tuple[int, int]:
        """Fewest and most choices of a question."""
        counts = self.counts
        return int(counts.min()), int(counts.max())

    @property
    def chance(self) -> float:
        """Accuracy of blind guessing: the mean over items of 1 / number of choices; 0 where none are shown."""
        return 0.0 if self.open else float((1.0 / self.counts).mean())

    @property
    def open(self) -> bool:
        """Whether its questions are asked without options."""
        return OPEN in self.meta

    @property
    def parallel(self) -> bool:
        """Whether every language holds the same questions, so that answers can be compared."""
        return NOT_PARALLEL not in self.meta

    def held(self, language: str) -> list[int]:
        """Positions of the items that a language has; all of them in a parallel set."""
        if self.parallel:
            return list(range(self.n))
        return [i for i, probe in enumerate(self.probes[language]) if not probe.absent]

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
        return self.part(wanted, rows)

    def part(self, languages: Sequence[str], rows: Sequence[int]) -> ProbeSet:
        """Some languages and some items, by their positions."""
        examples = self.examples and replace(self.examples, probes={t: self.examples.probes[t] for t in languages})
        if len(rows) == self.n:
            return replace(self, probes={tag: self.probes[tag] for tag in languages}, examples=examples)
        return replace(
            self,
            items=tuple(self.items[i] for i in rows),
            probes={tag: tuple(self.probes[tag][i] for i in rows) for tag in languages},
            examples=examples,
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
    first = next(iter(by_language.values()))
    counts = {item_id: len(probe.choices) for item_id, probe in first.items()}
    for language, bucket in by_language.items():
        _check_language(where or name, language, items, bucket, counts)
    _check_gold(where or name, items, by_language)
    ordered = {tag: tuple(bucket[item.item_id] for item in items) for tag, bucket in by_language.items()}
    return ProbeSet(name=name, items=items, probes=ordered, **details)  # type: ignore[arg-type]


def _check_language(
    where: str, language: str, items: tuple[Item, ...], bucket: Mapping[str, Probe], counts: Mapping[str, int]
) -> None:
    refuse_missing(where, language, [item.item_id for item in items if item.item_id not in bucket], len(items))
    for probe in bucket.values():
        k = counts.get(probe.item_id, len(probe.choices))
        if len(probe.choices) != k:
            raise UserError(
                f"{where}: item {probe.item_id!r} in {language!r} has {len(probe.choices)} choices, but {k} in another "
                "language; an item needs the same choices in every language"
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
