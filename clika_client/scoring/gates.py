"""Thresholds for continuous integration: is a figure as high as asked for, and is a run worse than an earlier one?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from clika_client.common.errors import UserError
from clika_client.common.wording import did_you_mean
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.compare import compare
from clika_client.scoring.differences import Comparison
from clika_client.scoring.load import load
from clika_client.scoring.metrics.catalogue import CELL_FIELDS, ROW_FIELDS
from clika_client.scoring.records import Scores
from clika_client.scoring.score_sets import Options
from clika_client.store.store import Store


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure that must not be below a limit: in one language, in each of them, or of the row."""

    field: str
    language: str | None
    limit: float


@dataclass(frozen=True, slots=True)
class Check:
    """One gate of one row, or one comparison, as it came out."""

    name: str
    passed: bool
    said: str


def parse_gate(text: str) -> Gate:
    """`en_co.sw=.6`, `ra=.5` (each language) or `other_ra=.4` (the row). Raises UserError."""
    left, equals, right = text.partition("=")
    field, _, language = left.strip().partition(".")
    try:
        limit = float(right)
    except ValueError:
        limit = math.nan
    if not equals or math.isnan(limit):
        raise UserError(
            f"--fail-below {text!r}: write a figure and its limit, such as en_co.sw=.6, ra=.5 or other_ra=.4"
        )
    known = (*CELL_FIELDS, *ROW_FIELDS)
    if field not in known or (language and field not in CELL_FIELDS):
        meant = did_you_mean(field, known)
        what = f"{field!r} has no languages" if field in known else f"there is no figure {field!r}"
        raise UserError(f"--fail-below {text!r}: {what}" + (f"; {meant}" if meant else ""))
    return Gate(field, language or None, limit)


def check_gates(scores: Scores, gates: Sequence[Gate]) -> list[Check]:
    """Every gate at every row it speaks of; neither an undefined figure passes nor a language nobody was asked in."""
    return [check for gate in gates for check in _check(scores, gate)]


def _check(scores: Scores, gate: Gate) -> Iterator[Check]:
    found = False
    if gate.field in ROW_FIELDS and gate.field not in CELL_FIELDS:
        for row in scores.rows:
            yield _judged(f"{row.model} {row.set}", gate, row.figure(gate.field).value)
        return
    for record in scores.records:
        if gate.language not in (None, record.language) or (
            gate.language is None and _of_pairs(record.language, gate, scores)
        ):
            continue
        found = True
        yield _judged(f"{record.model} {record.set} {record.language}", gate, record.figure(gate.field).value)
    if not found:
        yield Check(f"{gate.field} {gate.language or ''}".strip(), False, "nobody was asked in this language")


def _of_pairs(language: str, gate: Gate, scores: Scores) -> bool:
    """The anchor has no figure of a pair with itself, which is no failure."""
    return language == scores.anchor and all(
        math.isnan(r.figure(gate.field).value) for r in scores.records if r.language == scores.anchor
    )


def _judged(where: str, gate: Gate, value: float) -> Check:
    name = f"{gate.field} of {where}"
    if math.isnan(value):
        return Check(name, False, f"is not defined; at least {gate.limit:g} was asked for")
    return Check(name, value >= gate.limit, f"is {value:.3f}; at least {gate.limit:g} was asked for")


def check_baseline(store: Store, run_id: str | None, baseline: str, options: Options | None = None) -> list[Check]:
    """Is what a run asked (None: everything stored) worse than an earlier run, set by set?

    Models are paired by name, or as they are where each side has one. Raises UserError where nothing pairs.
    """
    return [
        Check(f"{c.b} against {c.a} of run {baseline}", _no_worse(c), c.summary[0])
        for c in compare_runs(store, baseline, run_id, options)
    ]


def _no_worse(comparison: Comparison) -> bool:
    """Where nothing can be compared, as when the answers have become a habit, a run has not passed."""
    return comparison.overall.accuracy.defined and comparison.overall.accuracy.verdict != "a"


def compare_runs(store: Store, first: str, second: str | None, options: Options | None = None) -> list[Comparison]:
    """The second run (None: everything stored) against the first, model by model, each with the replies of its time.

    Raises UserError if none pairs.
    """
    ended = {run.run_id: run.finished_at for run in store.runs()}
    with store.as_it_was(ended.get(first)):
        then = load(store, Wanted(run_id=first))
    with store.as_it_was(ended.get(second) if second is not None else None):
        now = load(store, Wanted(run_id=second))
    found = [
        compare(_dated(a, b, first), _dated(b, a, second or "now"), {**then.sets, **now.sets}, options)
        for a, b in _pairs(then.blocks, now.blocks)
    ]
    if not found:
        raise UserError(f"no model of run {first} is in the other; name runs of the same model, or of one model each")
    return found


def _dated(blocks: Sequence[AnswerGrid], others: Sequence[AnswerGrid], run: str) -> list[AnswerGrid]:
    """A model that stands on both sides is called after its run, so that a sentence on the two says which is meant."""
    if blocks[0].key.model != others[0].key.model:
        return list(blocks)
    return [replace(block, key=replace(block.key, model=f"{block.key.model} ({run})")) for block in blocks]


def _pairs(
    then: Sequence[AnswerGrid], now: Sequence[AnswerGrid]
) -> Iterator[tuple[list[AnswerGrid], list[AnswerGrid]]]:
    sides = [
        {block.key.model: [b for b in side if b.key.model == block.key.model] for block in side} for side in (then, now)
    ]
    before, after = sides
    if len(before) == len(after) == 1:
        yield from zip(before.values(), after.values(), strict=True)
        return
    yield from ((before[model], after[model]) for model in before if model in after)
