"""Joins a benchmark's languages: the same keys, right answers and numbers of choices in all, or left out with a reason.

All rows are read twice: first to see which questions every language holds, with a few bytes kept of each row, then
to build them, one language at a time, so that half a million fit.
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clika_client.common.errors import UserError
from clika_client.sets.ambiguity import AMBIGUOUS, ambiguity
from clika_client.sets.benchmarks.columns import ColumnReader, Core, NoColumn, RowProblem
from clika_client.sets.benchmarks.reading import BenchmarkReader, Finished, Row
from clika_client.sets.benchmarks.table import Benchmark
from clika_client.sets.packed import PACK_FROM, pack
from clika_client.sets.probes import CONTEXT, Item, Probe, ProbeSet, absent

MENDED = "mended"
"""Tag of a question in one language whose column was replaced by what most languages have; its value: which."""
_NONE = -1
_CANNOT_BE_PARALLEL = 0.5
"""Where more than this share of the common questions disagree, rows were paired that do not belong together."""


@dataclass(slots=True)
class DroppedRows:
    """Rows that were left out: (language, reason) → their keys."""

    rows: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, language: str, reason: str, key: str) -> None:
        """Note one row."""
        self.rows.setdefault((language, reason), []).append(key)

    def count(self, language: str) -> int:
        """Rows left out in one language."""
        return sum(len(keys) for (tag, _), keys in self.rows.items() if tag == language)


@dataclass(slots=True)
class _JoinedLanguage:
    """What is kept of one language; `item` numbers count over all languages."""

    tag: str
    item_of_row: array[int] = field(default_factory=lambda: array("i"))
    """Item of each row in the file's order; -1 for rows that are left out."""
    gold: array[int] = field(default_factory=lambda: array("b"))
    """By item; -1 where the language lacks it."""
    k: array[int] = field(default_factory=lambda: array("B"))
    gone: array[int] = field(default_factory=lambda: array("I"))
    other: array[int] = field(default_factory=lambda: array("i"))
    """By item: number of the texts that must be the same, and of those that go by majority."""

    def grow(self, items: int) -> None:
        more = items - len(self.gold)
        if more > 0:
            self.gold.extend([_NONE] * more)
            self.k.extend([0] * more)
            self.gone.extend([0] * more)
            self.other.extend([0] * more)


class Joined:
    """A benchmark's questions that all its languages hold."""

    def __init__(self, benchmark: Benchmark, reader: BenchmarkReader, languages: Sequence[str]) -> None:
        self.benchmark = benchmark
        self.dropped = DroppedRows()
        self._reader = reader
        self._columns, self._finished = ColumnReader(benchmark), Finished(benchmark)
        self._keys: dict[str, int] = {}
        self._others: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
        self._languages = [self._survey(tag) for tag in languages]
        for language in self._languages:
            language.grow(len(self._keys))
        self._names = list(self._keys)
        self._texts = list(self._others)
        self._told = {(tag, key) for (tag, _), keys in self.dropped.rows.items() for key in keys}
        self.kept = [item for item in range(len(self._names)) if self._holds(item)]
        self._refuse_strangers()

    # ---- first reading

    def _survey(self, tag: str) -> _JoinedLanguage:
        language = _JoinedLanguage(tag)
        twice: set[int] = set()
        for place, row in self._reader.rows(tag):
            try:
                core = self._columns.core(row)
                self._columns.question(self._finished.row(row, tag, {}))
            except NoColumn as error:
                raise UserError(f"{place}: not the layout of {self.benchmark.title}: {error}") from None
            except RowProblem as problem:
                self.dropped.add(tag, str(problem), self._key(row, place))
                language.item_of_row.append(_NONE)
                continue
            item = self._keys.setdefault(self._own(tag, core.key), len(self._keys))
            language.grow(len(self._keys))
            if language.gold[item] != _NONE:
                twice.add(item)
            language.item_of_row.append(item)
            self._note(language, item, core)
        for item in twice:
            language.gold[item] = _NONE
        if twice:
            names = list(self._keys)
            for item in sorted(twice):
                self.dropped.add(tag, "its key stands there twice", names[item])
        return language

    def _own(self, tag: str, key: str) -> str:
        """Questions of languages that share none are told apart by the language."""
        return f"{tag}:{key}" if self.benchmark.not_parallel else key

    def _key(self, row: Row, place: str) -> str:
        try:
            return self._columns.key(row)
        except (RowProblem, NoColumn):
            return place

    def _note(self, language: _JoinedLanguage, item: int, core: Core) -> None:
        language.gold[item] = core.gold
        language.k[item] = len(core.choices)
        language.gone[item] = core.gone
        language.other[item] = self._others.setdefault((core.same, core.majority), len(self._others))

    # ---- what all languages hold

    def _holds(self, item: int) -> bool:
        """Whether an item can be asked; says for which language's sake it cannot."""
        have = [lang for lang in self._languages if lang.gold[item] != _NONE]
        name = self._names[item]
        if self.benchmark.not_parallel:
            return bool(have)
        if len(have) < len(self._languages):
            for lang in self._languages:
                if lang.gold[item] == _NONE and (lang.tag, name) not in self._told:
                    self.dropped.add(lang.tag, "missing in this language", name)
            return False
        for what, values in (
            ("another number of choices than most languages", [lang.k[item] for lang in have]),
            ("another right answer than most languages", [lang.gold[item] for lang in have]),
            (
                f"another {' or '.join(self.benchmark.columns.same)} than most",
                [self._same(lang, item) for lang in have],
            ),
        ):
            if len(set(values)) > 1:
                usual = Counter(values).most_common(1)[0][0]
                for lang, value in zip(have, values, strict=True):
                    if value != usual:
                        self.dropped.add(lang.tag, what, name)
                return False
        left = have[0].k[item] - bin(self._gone(item)).count("1")
        if left < 2 and not self.benchmark.open:
            self.dropped.add(have[0].tag, "a single choice is left", name)
            return False
        return True

    def _same(self, language: _JoinedLanguage, item: int) -> tuple[str, ...]:
        return self._texts[language.other[item]][0]

    def _gone(self, item: int) -> int:
        """Choices that are none in some language: left out in all."""
        if not self.benchmark.columns.unlike:
            return 0
        gone = 0
        for lang in self._languages:
            gone |= lang.gone[item]
        return gone & ~(1 << self._languages[0].gold[item])

    def _refuse_strangers(self) -> None:
        told = [key for (_, why), keys in self.dropped.rows.items() if why.startswith("another") for key in keys]
        disagree = len(set(told))
        if disagree <= _CANNOT_BE_PARALLEL * (disagree + len(self.kept)):
            return
        blamed: Counter[str] = Counter()
        for (tag, why), keys in self.dropped.rows.items():
            blamed[tag] += len(keys) if why.startswith("another") else 0
        worst = ", ".join(f"{tag} ({n})" for tag, n in blamed.most_common(3) if n)
        raise UserError(
            f"{self.benchmark.title}: {disagree} of {disagree + len(self.kept)} questions that all languages hold "
            f"disagree in their right answers, subjects or choices, most often in {worst}: these files are not "
            "parallel row by row. Get them again, or leave that language out with --languages"
        )

    # ---- second reading

    def probe_set(self, name: str, **details: object) -> ProbeSet:
        """The set; raises UserError where no question is left."""
        if not self.kept:
            said = "; ".join(f"{tag}: {len(keys)} {why}" for (tag, why), keys in list(self.dropped.rows.items())[:6])
            raise UserError(f"{self.benchmark.title}: no question is held by all languages ({said})")
        place_of = {item: place for place, item in enumerate(self.kept)}
        bare = [Item(self._names[item]) for item in self.kept]
        probes: dict[str, Sequence[Probe]] = {}
        large = len(self.kept) * len(self._languages) >= PACK_FROM
        first = self._languages[0].tag
        for language in self._languages:
            own: list[Probe | None] = [None] * len(bare)
            for row, item in self._second(language):
                at = place_of.get(item)
                if at is None:
                    continue
                row = self._finished.row(row, language.tag, mended := self._mended(language, item))
                own[at] = self._question(row, language, item, mended)
                if language.tag == first or self.benchmark.not_parallel:
                    bare[at] = Item(self._names[item], *self._columns.item(row))
            whole = (p if p is not None else absent(i.item_id, language.tag) for p, i in zip(own, bare, strict=True))
            probes[language.tag] = pack(bare, language.tag, whole, spool=True) if large else tuple(whole)
        return ProbeSet(name, tuple(bare), probes, **details)  # type: ignore[arg-type]

    def _second(self, language: _JoinedLanguage) -> Iterator[tuple[Row, int]]:
        seen: set[int] = set()
        for (_, row), item in zip(self._reader.rows(language.tag), language.item_of_row, strict=True):
            if item != _NONE and language.gold[item] != _NONE and item not in seen:
                seen.add(item)
                yield row, item

    def _question(self, row: Row, language: _JoinedLanguage, item: int, mended: Mapping[str, str]) -> Probe:
        (choices, gold), texts = self._columns.choices(row), self._columns.texts(row)
        order = self._order(item, len(choices))
        if order is not None:
            choices, gold = tuple(choices[i] for i in order), order.index(gold)
        tags = texts.version_tags
        slips = self._slips(language, item, mended)
        if slips:
            tags[MENDED] = ", ".join(slips)
        unclear = ambiguity(choices, gold)
        if unclear is not None:
            tags[AMBIGUOUS] = unclear
        fields = {CONTEXT: texts.context, **texts.fields} if texts.context else texts.fields
        return Probe(self._names[item], language.tag, texts.question, choices, gold, tags, fields)

    def _slips(self, language: _JoinedLanguage, item: int, mended: Mapping[str, str]) -> list[str]:
        """The columns whose own value was replaced."""
        own = self._texts[language.other[item]][1]
        return [name for (name, value), was in zip(mended.items(), own, strict=True) if value != was] if mended else []

    def _mended(self, language: _JoinedLanguage, item: int) -> Mapping[str, str]:
        """What most languages have in the columns that are known to slip; a tie leaves a row as it is."""
        names = self.benchmark.columns.majority
        if not names:
            return {}
        rows = [self._texts[lang.other[item]][1] for lang in self._languages]
        own = self._texts[language.other[item]][1]
        usual = {}
        for i, name in enumerate(names):
            (value, votes), *rest = Counter(row[i] for row in rows).most_common(2)
            usual[name] = own[i] if rest and rest[0][1] == votes else value
        return usual

    def _order(self, item: int, k: int) -> list[int] | None:
        """Positions of the choices that are shown, in the order shown; None where all are, in their own order.

        The same in every language.
        """
        if not self.benchmark.shuffle and not self.benchmark.columns.unlike:
            return None
        gone = self._gone(item)
        order = [i for i in range(k) if not gone >> i & 1]
        if self.benchmark.shuffle:
            random.Random(f"{self.benchmark.name} {self._names[item]}").shuffle(order)
        return order
