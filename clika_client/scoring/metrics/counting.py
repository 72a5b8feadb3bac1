"""Makes the counts that every metric is computed from: one row's answers, summed with and without each unit."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import ELSEWHERE, NO_ANSWER, Answers, Bools, Floats, answered, divide
from clika_client.scoring.metrics import rankc
from clika_client.scoring.metrics.consistency import Strata, Table
from clika_client.scoring.metrics.counts import LanguageCounts, PairCounts, RowCounts, ScoredItems
from clika_client.scoring.metrics.performance import correct, received

Summed = Callable[[npt.NDArray[np.generic]], Floats]
"""Item-wise columns (..., items) → sums (..., 1 + G)."""


def language_counts(
    answers: Answers,
    shown: Answers,
    questions: ScoredItems,
    reference: float,
    summed: Summed,
    again: tuple[Answers, Answers] | None = None,
) -> LanguageCounts:
    """`answers`, `shown` and both of `again` are (languages, items)."""
    replied, right = received(answers), correct(answers, questions.gold)
    positions = np.arange(questions.most)[:, None]
    return LanguageCounts(
        replied=summed(replied),
        right=summed(right),
        answered=summed(answered(answers)),
        chance=summed(replied * (0.0 if questions.open else 1 / questions.choices)),
        reference=reference,
        shown=summed(shown[..., None, :] == positions),
        gold_shown=summed((questions.gold == positions) & replied[..., None, :]),
        elsewhere=summed(answers == ELSEWHERE),
        again=None if again is None else pair_counts(*again, questions, "jaccard", summed),
    )


def pair_counts(
    anchor: Answers,
    others: Answers,
    questions: ScoredItems,
    variant: str,
    summed: Summed,
    anchor_scores: Floats | None = None,
    other_scores: Floats | None = None,
) -> PairCounts:
    """`anchor` is (items,) or like `others` (languages, items); scores (…, items, choices) are log probabilities."""
    valid = received(anchor) & received(others)
    a, x = correct(anchor, questions.gold) & valid, correct(others, questions.gold) & valid
    n, right_a, right_x, both = summed(valid), summed(a), summed(x), summed(a & x)
    strata, choices = questions.strata, np.arange(questions.most)[:, None]
    same = (anchor == others) & (others >= 0)
    # The third known answer to one open question has nothing in common with the third to another.
    said = np.nan if questions.open else 1.0
    if anchor_scores is None or other_scores is None:
        nothing = np.zeros(n.shape)
        ranked = rank_shared = rank_expected = overlap = sure_a = sure_x = guess = nothing
    else:
        ranked, rank_shared, rank_expected = _ranks(anchor_scores, other_scores, questions, summed)
        overlap, sure_a, sure_x, guess = _overlap(anchor_scores, other_scores, questions, summed)
    return PairCounts(
        table=Table(both, right_a - both, right_x - both, n - right_a - right_x + both),
        strata=Strata(*(summed(part[..., None, :] & strata) for part in (valid, a, x))),
        variant=variant,
        agree=summed(same),
        same_wrong=summed(same & ~correct(others, questions.gold)),
        anchor_said=said * summed((anchor[..., None, :] == choices) & valid[..., None, :]),
        other_said=said * summed((others[..., None, :] == choices) & valid[..., None, :]),
        ranked=ranked,
        rank_shared=rank_shared,
        rank_expected=rank_expected,
        overlap=overlap,
        anchor_sure=sure_a,
        other_sure=sure_x,
        guess=guess,
    )


def row_counts(answers: Answers, questions: ScoredItems, origins: npt.NDArray[np.int64], summed: Summed) -> RowCounts:
    """`answers` is (languages, items); `origins` the row of each item's own language, -1 without one."""
    replied, right = received(answers), correct(answers, questions.gold)
    whole, count = np.asarray(replied.all(0)), len(answers)
    categories = np.stack([answers == category for category in (*range(questions.most), NO_ANSWER)])
    said = categories.sum(1)
    pairs = max(count * (count - 1), 1)
    alike = np.where(whole, (said * (said - 1)).sum(0) / pairs, 0.0)
    agreeing, sets_of = zip(*(_agreeing(categories[:-1].sum(1), replied.sum(0), s, count) for s in (2, 3)), strict=True)
    items = np.arange(answers.shape[1])
    known = np.asarray((origins >= 0) & replied[origins, items])
    target = np.asarray((np.arange(count)[:, None] != origins) & replied & known)
    moved = np.asarray(target & right & right[origins, items])
    accuracy = divide(summed(right), summed(replied))
    native, foreign = _errors_by_origin(~right & (answers != ELSEWHERE), replied, origins, summed)
    return RowCounts(
        languages=count,
        items=summed(np.asarray(whole)),
        said=summed(said * whole) * (np.nan if questions.open else 1.0),
        alike=summed(alike),
        accuracy=np.asarray(accuracy.mean(0)),
        agreeing=(summed(agreeing[0]), summed(agreeing[1])),
        sets_of=(summed(sets_of[0]), summed(sets_of[1])),
        sources=summed(target.sum(0)),
        source_right=summed(np.asarray(target & right[origins, items]).sum(0)),
        moved=summed(moved.sum(0)),
        native_error=native,
        foreign_error=foreign,
    )


def _errors_by_origin(
    wrong: Bools, replied: Bools, origins: npt.NDArray[np.int64], summed: Summed
) -> tuple[Floats, Floats]:
    """(error on a language's own items asked in it, error on others' items): means of the rates of each pair."""
    native: list[Floats] = []
    foreign: list[Floats] = []
    for source in np.unique(origins[origins >= 0]):
        members = origins == source
        rates = divide(summed(wrong & replied & members), summed(replied & members))
        native.append(rates[source])
        foreign += [rate for language, rate in enumerate(rates) if language != source]
    if not native or not foreign:
        nothing = np.full(np.asarray(summed(replied[0])).shape, np.nan)
        return nothing, nothing
    return np.asarray(np.mean(native, axis=0)), np.asarray(np.mean(foreign, axis=0))


def _agreeing(
    said: npt.NDArray[np.int64], replies: npt.NDArray[np.int64], s: int, languages: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Per item: sets of `s` languages that chose alike, and that all replied. m alike form C(m, s) such sets."""
    ways = np.array([comb(m, s) for m in range(languages + 1)], np.int64)
    return ways[said].sum(0), ways[replies]


def _ranks(a: Floats, x: Floats, questions: ScoredItems, summed: Summed) -> tuple[Floats, Floats, Floats]:
    """(items ranked in both, sum of RankC, the sum that habits and the gold's position alone would give)."""
    offered = np.arange(questions.most) < questions.choices[:, None]
    both = np.asarray(~np.isnan(a).all(-1) & ~np.isnan(x).all(-1))
    ranked_a, ranked_x = (rankc.rankings(np.where(offered, scores, np.nan)) for scores in (a, x))
    shared = np.zeros(both.shape)
    expected: Floats | float = 0.0
    varies = [np.zeros((), np.bool_), np.zeros((), np.bool_)]
    for members, k in zip(questions.strata, questions.strata_choices, strict=True):
        k = int(k)
        first, second = ranked_a[..., members, :k], ranked_x[..., members, :k]
        shared[..., members] = rankc.rankc_items(first, second)
        # Which choices stand among the first j, as (…, j, choice, items): their sums give the expectation.
        tops = [np.zeros((*both.shape[:-1], k, k, both.shape[-1])) for _ in range(2)]
        for top, ranked in zip(tops, (first, second), strict=True):
            inside = np.moveaxis(rankc.among_first(ranked), -3, -1)
            top[..., members] = inside * both[..., None, None, members]
        n = summed(both & members)
        sums = [summed(top) for top in tops]
        for side, counts in enumerate(sums):
            varies[side] = np.asarray(varies[side] | ((counts > 0) & (counts < n[..., None, None, :])).any((-3, -2)))
        product = (sums[0] * sums[1]).sum(-2)
        share = divide(product, n[..., None, :], empty=0.0)
        expected = expected + ((rankc.weights(k) / np.arange(1, k + 1))[:, None] * share).sum(-2)
    told = varies[0] & varies[1]
    return summed(both), summed(np.where(both, shared, 0.0)), np.where(told, expected, np.nan)


def _overlap(a: Floats, x: Floats, questions: ScoredItems, summed: Summed) -> tuple[Floats, Floats, Floats, Floats]:
    both = np.asarray(~np.isnan(a).all(-1) & ~np.isnan(x).all(-1))
    first, second = (probabilities(scores) for scores in (a, x))
    gold = questions.gold.astype(np.int64)
    picked = np.arange(len(gold))
    sure_a, sure_x = first[picked, gold], second[..., picked, gold]
    return (
        summed(np.where(both, (first * second).sum(-1), 0.0)),
        summed(np.where(both, sure_a, 0.0)),
        summed(np.where(both, sure_x, 0.0)),
        summed(both / np.maximum(questions.choices - 1, 1)),
    )


def probabilities(scores: Floats) -> Floats:
    """Log scores (..., choices) as probabilities over the choices that were offered; all 0 without any."""
    with np.errstate(invalid="ignore"):
        best = np.where(np.isnan(scores), -np.inf, scores).max(-1, keepdims=True)
        raw = np.where(np.isnan(scores), 0.0, np.exp(scores - best))
    return divide(raw, raw.sum(-1, keepdims=True), empty=0.0)
