"""Rows of a user's file gathered into items and languages, packed as they come so that a million fit.

Tags that are the same in every language of an item become the item's own. Whatever can only be seen beside other
rows is checked here: repeated ids, numbers of choices, gold indices, missing languages.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.sets.packed import BLOCK, PACK_FROM, PackedProbes, pack, pack_line, probe_line, rows_of, unpacked
from clika_client.sets.probes import Item, Probe, ProbeSet, refuse_missing

_FILE_BITS = 40
"""A place holds its row's number in so many bits, and above them the number of its file."""
_NONE = 0
"""Number of the empty tags in the pool."""


@dataclass(frozen=True, slots=True)
class FoundRow:
    """One checked row."""

    place: str
    """A word and a number, such as `line 7`."""
    probe: Probe
    cluster: str | None
    item_tags: tuple[str, ...] | None
    """Names of the tags that belong to the item; None where the file does not say."""
    counted: bool = False
    """Whether the right choice was given as a number that may count from 0 or from 1."""
    reserved: str | bool = False
    """Whether it is kept for examples and never asked; the name of the tag by which examples are chosen."""


class _Tags:
    """One object and one number for all equal tags."""

    def __init__(self) -> None:
        self.values: list[dict[str, str]] = [{}]
        self._numbers: dict[tuple[tuple[str, str], ...], int] = {(): _NONE}

    def number(self, tags: dict[str, str]) -> int:
        found = self._numbers.setdefault(tuple(tags.items()), len(self.values))
        if found == len(self.values):
            self.values.append(tags)
        return found


@dataclass(slots=True)
class _GatheredLanguage:
    """The rows of one language, in the order they came; arrays hold one entry per row."""

    tag: str
    loose: list[Probe] = field(default_factory=list)
    """The latest rows, not packed yet; without their tags."""
    blocks: list[bytes] = field(default_factory=list)
    items: array[int] = field(default_factory=lambda: array("i"))
    """Item number of each row."""
    tags: array[int] = field(default_factory=lambda: array("i"))
    places: array[int] = field(default_factory=lambda: array("q"))
    row_of: array[int] = field(default_factory=lambda: array("i"))
    """Per item number: its row, or -1."""

    def find(self, item: int) -> int:
        """The row of an item, or -1."""
        return self.row_of[item] if item < len(self.row_of) else -1

    def add(self, item: int, probe: Probe, tags: int, place: int) -> None:
        self.row_of.extend([-1] * (item + 1 - len(self.row_of)))
        self.row_of[item] = len(self.items)
        self.items.append(item)
        self.tags.append(tags)
        self.places.append(place)
        self.loose.append(probe)

    def pack(self) -> None:
        """Compress all rows that fill a block."""
        whole = len(self.loose) - len(self.loose) % BLOCK
        for start in range(0, whole, BLOCK):
            self.blocks.append(pack_line(probe_line(self.loose[start : start + BLOCK])))
        del self.loose[:whole]


class Gathered:
    """Everything read so far of one file, or of several that make one set."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._tags = _Tags()
        self._numbers: dict[str, int] = {}
        self._clusters: list[str | None] = []
        self._named: list[tuple[str, ...] | None] = []
        self._gold = array("i")
        self._counts = array("i")
        """Choices of each item."""
        self._first: list[tuple[int, int]] = []
        """Per item: language number and tags number of its first row."""
        self._languages: dict[str, _GatheredLanguage] = {}
        self._rows = 0
        self._word = ""
        self._other_gold: UserError | None = None
        self._counted = False
        self._from_zero = False

    def add(self, row: FoundRow, file: int = 0) -> None:
        """Take one row of the file of that number; raises UserError for a repeated id, or other choices elsewhere."""
        probe = row.probe
        self._word, _, number = row.place.rpartition(" ")
        language = self._languages.setdefault(probe.language, _GatheredLanguage(probe.language))
        item = self._numbers.setdefault(probe.item_id, len(self._numbers))
        self._check(row, language, item, file)
        if row.counted:
            self._counted = True
            self._from_zero = self._from_zero or probe.gold == 0
        tags = self._tags.number(dict(probe.tags))
        if item == len(self._clusters):
            self._clusters.append(row.cluster)
            self._named.append(row.item_tags)
            self._gold.append(probe.gold)
            self._counts.append(len(probe.choices))
            self._first.append((list(self._languages).index(probe.language), tags))
        plain = replace(probe, tags=self._tags.values[_NONE]) if tags else probe
        language.add(item, plain, tags, file << _FILE_BITS | int(number))
        self._rows += 1
        if self._rows == PACK_FROM:
            for each in self._languages.values():
                each.pack()
        elif self._rows > PACK_FROM and len(language.loose) >= BLOCK:
            language.pack()

    def _place(self, place: int) -> str:
        """Where an earlier row stands, with its file where there are several."""
        file, number = place >> _FILE_BITS, place & ((1 << _FILE_BITS) - 1)
        return f"{self._word} {number}" + (f" of {self.paths[file]}" if len(self.paths) > 1 else "")

    def _check(self, row: FoundRow, language: _GatheredLanguage, item: int, file: int) -> None:
        probe = row.probe
        before = language.find(item)
        if before >= 0:
            raise UserError(
                f"{self.paths[file]}, {row.place}: item {probe.item_id!r} in {probe.language!r} stands already in "
                f"{self._place(language.places[before])}; keep one, or give this one an id of its own"
            )
        if item < len(self._counts) and self._counts[item] != len(probe.choices):
            first = list(self._languages.values())[self._first[item][0]]
            raise UserError(
                f"{self.paths[file]}, {row.place}: item {probe.item_id!r} has {len(probe.choices)} choices in "
                f"{probe.language!r}, but {self._counts[item]} in {first.tag!r} "
                f"({self._place(first.places[first.find(item)])}); an item needs the same choices in every language"
            )
        if item < len(self._gold) and self._gold[item] != probe.gold and self._other_gold is None:
            first = list(self._languages.values())[self._first[item][0]]
            self._other_gold = UserError(
                f"{self.paths[file]}, {row.place}: item {probe.item_id!r} has gold {probe.gold} in {probe.language!r}, "
                f"but {self._gold[item]} in {first.tag!r} ({self._place(first.places[first.find(item)])}); "
                "list the choices in the same order in every language"
            )

    def probe_set(self, name: str, *, reference: float | None, source: str) -> ProbeSet:
        """The set; raises UserError when there is none, or languages do not hold the same items and answers."""
        if not self._rows:
            raise UserError(f"{self._named_files()}: the file holds no item; give it at least one")
        if self._other_gold is not None:
            raise self._other_gold
        for tag, language in self._languages.items():
            missing = [item for item, number in self._numbers.items() if language.find(number) < 0]
            refuse_missing(self._named_files(), tag, missing, len(self._numbers))
        if self._counts_from_one():
            raise UserError(
                f"{self._named_files()}: no right choice is number 0, so they seem to count from 1; "
                "say --map gold1=COLUMN if they do, or --map gold0=COLUMN if they count from 0 (or name the column so)"
            )
        own, kept = self._split_tags()
        items = tuple(
            Item(item_id, self._tags.values[own[number]], self._clusters[number])
            for item_id, number in self._numbers.items()
        )
        probes = {tag: self._ordered(items, language, own, kept) for tag, language in self._languages.items()}
        return ProbeSet(name, items, probes, reference=reference, source=source)

    def _counts_from_one(self) -> bool:
        """Whether the right choices, given as numbers, seem to: not one is number 0.

        A single item tells nothing: it is taken at its word.
        """
        return self._counted and not self._from_zero and len(self._gold) > 1

    def _named_files(self) -> str:
        return ", ".join(map(str, self.paths))

    def _split_tags(self) -> tuple[array[int], dict[tuple[int, int], int]]:
        """The tags of each item, and (tags of a row, tags of its item) → what stays with the row."""
        known: dict[tuple[int, frozenset[int], tuple[str, ...] | None], int] = {}
        kept: dict[tuple[int, int], int] = {}
        own = array("i")
        values = self._tags.values
        for item, (_, first) in enumerate(self._first):
            numbers = frozenset(each.tags[each.find(item)] for each in self._languages.values())
            key = (first, numbers, self._named[item])
            if key not in known:
                known[key] = self._tags.number(_shared([values[n] for n in (first, *numbers)], self._named[item]))
            own.append(known[key])
            for number in numbers:
                if (number, known[key]) not in kept:
                    names = values[known[key]]
                    rest = {k: v for k, v in values[number].items() if k not in names}
                    kept[number, known[key]] = self._tags.number(rest)
        return own, kept

    def _ordered(
        self, items: tuple[Item, ...], language: _GatheredLanguage, own: array[int], kept: dict[tuple[int, int], int]
    ) -> PackedProbes | tuple[Probe, ...]:
        """A language's probes in the order of the items, with the tags that stay with them."""
        in_order = all(item == row for row, item in enumerate(language.items))
        tags = [kept[tags, own[item]] for item, tags in zip(language.items, language.tags, strict=True)]
        if self._rows >= PACK_FROM and in_order and not any(tags):
            rest = [pack_line(probe_line(language.loose))] if language.loose else []
            return PackedProbes(items, language.tag, [*language.blocks, *rest])
        rows: Iterator[Probe] = self._unpacked(items, language)
        found: Iterator[Probe] = (
            replace(probe, tags=self._tags.values[number]) if number else probe
            for probe, number in zip(rows, tags, strict=True)
        )
        if not in_order:
            held = list(found)
            found = (held[language.find(item)] for item in range(len(items)))
        return pack(items, language.tag, found) if self._rows >= PACK_FROM else tuple(found)

    def _unpacked(self, items: tuple[Item, ...], language: _GatheredLanguage) -> Iterator[Probe]:
        """All rows in the order they came."""
        for number, block in enumerate(language.blocks):
            numbers = language.items[number * BLOCK : (number + 1) * BLOCK]
            yield from unpacked([items[i] for i in numbers], language.tag, rows_of(block))
        yield from chain(language.loose)


def _shared(each: list[dict[str, str]], named: tuple[str, ...] | None) -> dict[str, str]:
    """The tags of the first that all others have too, and that may be the item's."""
    return {
        key: value
        for key, value in each[0].items()
        if (named is None or key in named) and all(tags.get(key) == value for tags in each)
    }
