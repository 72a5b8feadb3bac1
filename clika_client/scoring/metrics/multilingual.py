"""One figure over many languages: AC3, Fleiss' kappa, the gap between languages."""

from __future__ import annotations

import math
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import NO_ANSWER, Answers, Floats, divide
from clika_client.scoring.metrics.agreement import agreement
from clika_client.scoring.metrics.performance import accuracy, received


def consistency(answers: Answers, s: int = 2) -> float:
    """Share of items on which `s` languages all give the same choice, mean over all sets of `s` languages.

    `answers` is (languages, items); an item missing in one of the `s` leaves that set. NaN if `s` exceeds the
    number of languages. Source: SeaEval (Wang et al., NAACL 2024), Consistency_s.
    """
    if s > len(answers):
        return math.nan
    if received(answers).all():
        # Languages that chose alike form C(count, s) agreeing sets: no need to visit every set.
        counts = [(answers == choice).sum(0) for choice in range(int(answers.max(initial=0)) + 1)]
        agreeing = sum(_binomials(len(answers), s)[count].sum() for count in counts)
        return float(divide(agreeing, answers.shape[1] * comb(len(answers), s)))
    shares = [
        divide(((chosen == chosen[0]) & (chosen >= 0)).all(0).sum(), received(chosen).all(0).sum())
        for chosen in (answers[list(rows)] for rows in combinations(range(len(answers)), s))
    ]
    return float(np.mean(shares))


def ac3(answers: Answers, gold: Answers, s: int = 2) -> float:
    """AC3_s = 2 Acc Cons_s / (Acc + Cons_s) with Acc the mean accuracy over languages (SeaEval); 0 if both are 0."""
    acc, cons = float(np.mean(accuracy(answers, gold))), consistency(answers, s)
    return float(divide(2 * acc * cons, acc + cons, empty=0.0))


def ac3_pair(a: Answers, b: Answers, gold: Answers) -> Floats:
    """AC3 of two languages each, leading axes broadcast: mean of both accuracies against their agreement."""
    acc = (accuracy(a, gold) + accuracy(b, gold)) / 2
    cons = agreement(a, b)
    return divide(2 * acc * cons, acc + cons, empty=0.0)


def fleiss_kappa(answers: Answers, k: int) -> float:
    """Fleiss' kappa with languages as raters and k + 1 categories, "no answer" being one; NaN where Pe = 1.

    `answers` is (languages, items); items missing in any language are left out.
    """
    kept = answers[:, received(answers).all(0)]
    raters, items = kept.shape
    if raters < 2 or items == 0:
        return math.nan
    counts = np.stack([(kept == category).sum(0) for category in (*range(k), NO_ANSWER)]).astype(np.float64)
    observed = ((counts**2).sum(0) - raters).mean() / (raters * (raters - 1))
    expected = ((counts.sum(1) / (raters * items)) ** 2).sum()
    return float(divide(observed - expected, 1.0 - expected))


def gap(values: npt.ArrayLike) -> tuple[float, float]:
    """(max - min, standard deviation over the languages as a population) of one value per language, NaN left out."""
    known: Floats = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return math.nan, math.nan
    return float(known.max() - known.min()), float(known.std())


def _binomials(largest: int, s: int) -> npt.NDArray[np.int64]:
    """C(i, s) for i = 0 … largest."""
    return np.array([comb(i, s) for i in range(largest + 1)], np.int64)
