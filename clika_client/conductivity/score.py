"""Scores an experiment: did the teaching succeed (the gate), and what of it is known in the other language (XRR)?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clika_client.common.errors import UserError
from clika_client.conductivity.asking import Replies, Reply
from clika_client.conductivity.matching import Matcher
from clika_client.conductivity.material import GATES, TEST, Form, Material, Pair, Question
from clika_client.scoring.metrics.conductivity import GATE_PARTS, cross_retrieval, failed_gates
from clika_client.scoring.metrics.estimates import Estimate, intervals
from clika_client.scoring.metrics.intervals import DRAWS, Resampler, percentile_interval, wilson
from clika_client.scoring.metrics.jackknife import Units, leave_out, unit_numbers

NOT_INTERPRETABLE = "not interpretable"
ALIKE = 0.5
"""Similarity from which a name counts as like its English one; 1 is identical."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval; fractions."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Count:
    """Right answers of a number of questions."""

    right: int
    n: int
    no_answer: int = 0
    """Replies that name no choice, or several; counted among the wrong."""

    @property
    def figure(self) -> Figure:
        """Accuracy with Wilson's interval; NaN for no questions."""
        return Figure(self.right / self.n if self.n else math.nan, *wilson(self.right, self.n))


@dataclass(frozen=True, slots=True)
class GatePart:
    """One part of the gate."""

    part: str
    language: str
    count: Count
    passed: bool


@dataclass(frozen=True, slots=True)
class Xrr:
    """The three figures of conductivity and the one above chance, each with its interval."""

    raw: Figure
    ratio: Figure
    """The headline."""
    conditional: Figure
    above_chance: Figure


@dataclass(frozen=True, slots=True)
class PairScore:
    """One language in one form."""

    pair: Pair
    form: Form
    chance: float
    gate: tuple[GatePart, ...]
    failed: tuple[str, ...]
    """Parts of the gate that were not passed; XRR is not interpretable then."""
    xrr: Xrr | None
    """None when the gate failed."""
    baseline: Count | None
    """The test's questions before teaching; None when they were not asked."""
    shuffled: Count
    """The same replies against continents dealt at random."""
    splits: Mapping[str, Count]
    """The test by similarity of the place's name to the one taught: `identical`, `alike`, `unlike`."""

    @property
    def status(self) -> str:
        """`scored`, or why there is no score."""
        return "scored" if self.xrr else NOT_INTERPRETABLE


@dataclass(frozen=True, slots=True)
class Score:
    """All languages of an experiment."""

    model: str
    seed: int
    draws: int
    pairs: tuple[PairScore, ...]
    notes: tuple[str, ...] = ()
    by_script: Mapping[str, Figure | None] = field(default_factory=dict)
    """Mean XRR over the interpretable languages written in the script of teaching, and in another; None without any."""

    def to_records(self) -> list[dict[str, Any]]:
        """One flat row per language and form; what is undefined is None."""
        return [_record(self.model, pair) for pair in self.pairs]

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "model": self.model,
            "seed": self.seed,
            "draws": self.draws,
            "languages": self.to_records(),
            "by_script": {name: _plain(figure) for name, figure in self.by_script.items()},
            "notes": list(self.notes),
        }


def score(
    material: Material,
    after: Replies,
    before: Replies | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Score:
    """Score one model's replies; `before` are those of the untaught model.

    Raises UserError where a question was not answered, or before and after were read differently.
    """
    if before is not None and before.form != after.form:
        raise UserError(f"before teaching was read as {before.form!r}, after as {after.form!r}; ask both alike")
    pairs = tuple(_Pair(material, pair, after, before, draws, seed).score() for pair in material.pairs)
    return Score(after.model, seed, draws, pairs, material.notes, _by_script(pairs))


class _Pair:
    """Scoring one language; holds what its steps share."""

    def __init__(
        self, material: Material, pair: Pair, after: Replies, before: Replies | None, draws: int, seed: int
    ) -> None:
        self.material, self.pair, self.after, self.before = material, pair, after, before
        self.draws, self.seed = draws, seed
        self.test = material.asked(pair.language, TEST)
        answers = [q.answer for part in ("asked_type0", TEST) for q in material.asked(pair.language, part)]
        continents = len(set(answers))
        self.chance = 1 / (len(self.test[0].choices) if after.form == "choice" else continents)

    def score(self) -> PairScore:
        """The whole row."""
        given = {part: self.read(self.after, self.questions(part)) for part in (*GATES, TEST)}
        right = {part: self.right(part, chosen) for part, chosen in given.items()}
        accuracies = {
            key: float(np.mean(right[part])) if len(right[part]) else math.nan
            for key, part in zip(GATE_PARTS, GATES, strict=True)
        }
        failed = tuple(dict(zip(GATE_PARTS, GATES, strict=True))[key] for key in failed_gates(accuracies))
        gate = tuple(
            GatePart(part, self.language(part), _count(right[part], given[part]), part not in failed) for part in GATES
        )
        dealt = [self.material.shuffled[q.question_id] for q in self.test]
        shuffled = self.against(dealt, given[TEST])
        return PairScore(
            self.pair,
            self.after.form,
            self.chance,
            gate,
            failed,
            None if failed else self.xrr(right["taught_type1"], right[TEST]),
            self.baseline(),
            shuffled,
            self.splits(right[TEST], given[TEST]),
        )

    def questions(self, part: str) -> tuple[Question, ...]:
        return self.material.asked(self.pair.language, part)

    def language(self, part: str) -> str:
        return self.pair.asked if part in ("translation", "asked_type0", TEST) else self.pair.taught

    def read(self, replies: Replies, questions: Sequence[Question]) -> list[str | None]:
        """The name each reply gives, or None."""
        found = [_reply(replies, q) for q in questions]
        if replies.form == "choice":
            return [None if r.choice is None else q.choices[r.choice] for q, r in zip(questions, found, strict=True)]
        names = list(dict.fromkeys(name for q in questions for name in (q.answer, *q.choices)))
        matcher = Matcher(names, self.language(questions[0].part)) if questions else None
        matches = [matcher.match(r.text).index for r in found] if matcher else []
        return [None if index is None else names[index] for index in matches]

    def right(self, part: str, given: Sequence[str | None]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether each answer is the right one, in the order of the facts' ids, so that languages are paired."""
        questions = self.questions(part)
        hits = {q.fact_id: name == q.answer for q, name in zip(questions, given, strict=True)}
        return np.array([hits[key] for key in sorted(hits)], dtype=np.bool_)

    def xrr(self, taught: np.ndarray[Any, np.dtype[np.bool_]], asked: np.ndarray[Any, np.dtype[np.bool_]]) -> Xrr:
        """The forms, with intervals from one bootstrap over the continents, whose facts stand or fall together."""
        if taught.size != asked.size:
            raise UserError(f"{self.pair.language}: the test and its English side do not ask for the same facts")
        found = cross_retrieval(taught, asked, self.chance)
        sums = Resampler(asked.size, self.draws, self.seed, self.continents()).sums(
            np.stack([taught, asked, taught & asked])
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            en, x, both = (np.asarray(row, np.float64) for row in sums)
            n = asked.size
            drawn = (x / en, both / en, (x / n - self.chance) / (en / n - self.chance))
        ratio, conditional, above = (
            Figure(value, *map(float, percentile_interval(np.where(np.isfinite(row), row, np.nan))))
            for value, row in zip((found.ratio, found.conditional, found.above_chance), drawn, strict=True)
        )
        units = unit_numbers(n, self.continents())
        by_fact, by_continent = (_share(asked, way) for way in (None, units))
        raw = Figure(*(float(end) for end in intervals(by_fact, by_continent)))
        return Xrr(raw, ratio, conditional, above)

    def continents(self) -> list[str]:
        """The answer of each fact of the test, in the order of the facts' ids."""
        by_fact = {question.fact_id: question.answer for question in self.test}
        return [by_fact[key] for key in sorted(by_fact)]

    def baseline(self) -> Count | None:
        if self.before is None:
            return None
        given = self.read(self.before, self.test)
        return _count(self.right(TEST, given), given)

    def against(self, golds: Sequence[int], given: Sequence[str | None]) -> Count:
        hits = [name == q.choices[gold] for q, gold, name in zip(self.test, golds, given, strict=True)]
        return _count(hits, given)

    def splits(self, right: Iterable[bool], given: Sequence[str | None]) -> dict[str, Count]:
        by_fact = dict(zip(sorted(q.fact_id for q in self.test), right, strict=True))
        groups: dict[str, list[tuple[bool, str | None]]] = {"identical": [], "alike": [], "unlike": []}
        for question, name in zip(self.test, given, strict=True):
            kind = "identical" if question.similarity == 1 else "alike" if question.similarity >= ALIKE else "unlike"
            groups[kind].append((by_fact[question.fact_id], name))
        return {kind: _count([hit for hit, _ in rows], [name for _, name in rows]) for kind, rows in groups.items()}


def _share(right: np.ndarray[Any, np.dtype[np.bool_]], units: Units | None) -> Estimate:
    n = leave_out(np.ones(right.size), units)
    return Estimate(leave_out(right, units) / n, n)


def _count(right: Iterable[bool], given: Sequence[str | None]) -> Count:
    return Count(int(sum(map(bool, right))), len(given), sum(name is None for name in given))


def _reply(replies: Replies, question: Question) -> Reply:
    try:
        return replies.by_id[question.question_id]
    except KeyError:
        raise UserError(
            f"question {question.question_id!r} has no reply from {replies.model}; ask again to complete them"
        ) from None


def _by_script(pairs: Sequence[PairScore]) -> dict[str, Figure | None]:
    """Means over languages, with the range of the languages' headlines as what is known of their spread."""
    groups = {"same script": True, "other script": False}
    means: dict[str, Figure | None] = {}
    for name, same in groups.items():
        values = [p.xrr.ratio.value for p in pairs if p.xrr and p.pair.same_script == same]
        means[name] = Figure(sum(values) / len(values), min(values), max(values)) if values else None
    return means


def _record(model: str, row: PairScore) -> dict[str, Any]:
    gate = {
        part.part: {
            "language": part.language,
            "right": part.count.right,
            "n": part.count.n,
            "accuracy": _number(part.count.figure.value),
            "passed": part.passed,
        }
        for part in row.gate
    }
    xrr = row.xrr
    return {
        "model": model,
        "language": row.pair.language,
        "taught_in": row.pair.taught,
        "asked_in": row.pair.asked,
        "same_script": row.pair.same_script,
        "form": row.form,
        "status": row.status,
        "failed_gates": list(row.failed),
        "gate": gate,
        "raw": _plain(xrr.raw if xrr else None),
        "xrr": _plain(xrr.ratio if xrr else None),
        "conditional": _plain(xrr.conditional if xrr else None),
        "above_chance": _plain(xrr.above_chance if xrr else None),
        "chance": row.chance,
        "baseline": _plain_count(row.baseline),
        "shuffled": _plain_count(row.shuffled),
        "splits": {name: _plain_count(count) for name, count in row.splits.items()} if xrr else None,
    }


def _plain(figure: Figure | None) -> dict[str, float | None] | None:
    if figure is None:
        return None
    return {"value": _number(figure.value), "low": _number(figure.low), "high": _number(figure.high)}


def _plain_count(count: Count | None) -> dict[str, Any] | None:
    if count is None:
        return None
    return {"right": count.right, "n": count.n, "no_answer": count.no_answer, **(_plain(count.figure) or {})}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
