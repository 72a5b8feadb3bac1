"""The metrics of one language, and of one beside the anchor: each an entry of the table and its function of counts."""

from __future__ import annotations

import numpy as np

from clika_client.common.answer_codes import divide
from clika_client.scoring.metrics import consistency, position
from clika_client.scoring.metrics.counts import LanguageCounts, PairCounts
from clika_client.scoring.metrics.estimates import Estimate
from clika_client.scoring.metrics.metric import LanguageMetric, Metric, PairMetric


def _accuracy(c: LanguageCounts) -> Estimate:
    return Estimate(divide(c.right, c.replied), c.replied)


def _ra(c: LanguageCounts) -> Estimate:
    chance = divide(c.chance, c.replied)
    known = chance[~np.isnan(chance)]
    fixed = known.size > 0 and bool(known.max() - known.min() < 1e-12)
    floor = float(known[0]) if fixed else chance
    # Where blind guessing reaches what counts as 1 (questions with one choice), there is nothing to rescale.
    top = np.where(np.less(floor, c.reference), c.reference, np.nan)
    return Estimate(divide(c.right, c.replied), c.replied, floor, top)


def _no_answer(c: LanguageCounts) -> Estimate:
    return Estimate(divide(c.replied - c.answered, c.replied), c.replied)


def _elsewhere(c: LanguageCounts) -> Estimate:
    return Estimate(divide(c.elsewhere, c.replied), c.replied)


def _right_anywhere(c: LanguageCounts) -> Estimate:
    return Estimate(divide(c.right + c.elsewhere, c.replied), c.replied)


def _top_choice(c: LanguageCounts) -> Estimate:
    return Estimate(position.top_share(c.shown), c.shown.sum(-2), largest_of=c.shown.shape[-2])


def _position_bias(c: LanguageCounts) -> Estimate:
    parts = position.differences(c.shown, c.gold_shown)
    return Estimate(np.abs(parts).sum(-2) / 2, c.shown.sum(-2), counted=False, parts=parts)


def _self_agreement(c: LanguageCounts) -> Estimate:
    return _nothing(c) if c.again is None else _agreement(c.again)


def _self_consistency(c: LanguageCounts) -> Estimate:
    return _nothing(c) if c.again is None else _corrected_overlap(c.again)


def _nothing(c: LanguageCounts) -> Estimate:
    return Estimate(np.full(c.replied.shape, np.nan), c.replied)


def _overlap(c: PairCounts) -> Estimate:
    variant = consistency.VARIANTS[c.variant]
    return Estimate(variant.measure(c.table), variant.out_of(c.table), counted=c.variant != "dice")


def _corrected_overlap(c: PairCounts) -> Estimate:
    blind = consistency.expected(c.table, c.strata, c.variant)
    told = consistency.chance_corrected(c.table, c.strata, c.variant)
    variant = consistency.VARIANTS[c.variant]
    share = np.where(np.isnan(told), np.nan, variant.measure(c.table))
    return Estimate(share, variant.out_of(c.table), blind)


def _ceiling(c: PairCounts) -> Estimate:
    blind = consistency.expected(c.table, c.strata, c.variant)
    most = consistency.ceiling(c.table, c.strata, c.variant)
    variant = consistency.VARIANTS[c.variant]
    return Estimate(blind + most * (1 - blind), variant.out_of(c.table), blind)


def _kappa_correct(c: PairCounts) -> Estimate:
    t = c.table
    p, q = divide(t.anchor, t.n), divide(t.other, t.n)
    return Estimate(divide(t.both + t.neither, t.n), t.n, p * q + (1 - p) * (1 - q))


def _agreement(c: PairCounts) -> Estimate:
    return Estimate(divide(c.agree, c.table.n), c.table.n)


def _kappa_answer(c: PairCounts) -> Estimate:
    n = c.table.n
    said = c.anchor_said * c.other_said
    return Estimate(divide(c.agree, n), n, divide(said.sum(-2), n * n))


def _same_wrong(c: PairCounts) -> Estimate:
    return Estimate(divide(c.same_wrong, c.table.neither), c.table.neither)


def _capa(c: PairCounts) -> Estimate:
    n = np.where(c.ranked > 0, c.ranked, np.nan)
    p, q = c.anchor_sure / n, c.other_sure / n
    return Estimate(c.overlap / n, n, p * q + (1 - p) * (1 - q) * c.guess / n)


def _ac3_pair(c: PairCounts) -> Estimate:
    accuracy, agree = divide(c.table.anchor + c.table.other, 2 * c.table.n), divide(c.agree, c.table.n)
    # Made of counts, but not one itself: its error is the jackknife's, as that of a figure with a floor.
    return Estimate(divide(2 * accuracy * agree, accuracy + agree, empty=0.0), c.table.n, np.zeros(agree.shape))


def _transfer(c: PairCounts) -> Estimate:
    return Estimate(consistency.forward_transfer(c.table), c.table.anchor)


def _reverse_transfer(c: PairCounts) -> Estimate:
    return Estimate(consistency.reverse_transfer(c.table), c.table.other)


def _rankc(c: PairCounts) -> Estimate:
    return Estimate(divide(c.rank_shared, c.ranked), c.ranked, counted=False)


def _rankc_corrected(c: PairCounts) -> Estimate:
    return Estimate(divide(c.rank_shared, c.ranked), c.ranked, divide(c.rank_expected, c.ranked), counted=False)


LANGUAGE_METRICS: tuple[LanguageMetric, ...] = (
    Metric("accuracy", "accuracy", "accuracy", "correct / replies", "no reply", _accuracy),
    Metric(
        "ra", "RA as in the paper", "RA paper", "max(0, (acc - r) / (A - r)), r = mean 1/k", "no reply", _ra,
        smallest=0.0,
    ),
    Metric("ra_unclipped", "RA", "RA", "(acc - r) / (A - r)", "no reply", _ra),
    Metric(
        "no_answer_rate", "no-answer rate", "no answer", "replies that hold no answer / replies", "no reply", _no_answer
    ),
    Metric(
        "right_elsewhere", "right in another language", "elsewhere",
        "open replies that are right in another language than was asked / replies", "no reply", _elsewhere,
    ),
    Metric(
        "right_anywhere", "right in any language", "any language",
        "(right + right in another language) / replies", "no reply", _right_anywhere,
    ),
    Metric(
        "top_choice_share", "top-choice share", "top choice", "most frequent choice / answered items",
        "nothing answered", _top_choice,
    ),
    Metric(
        "position_bias", "position bias", "position bias", "total variation of choices given and gold choices",
        "nothing answered", _position_bias,
    ),
    Metric(
        "self_agreement", "agreement with itself", "self",
        "same choice in the first two askings (repeats, or orders of the options) / items", "asked once",
        _self_agreement,
    ),
    Metric(
        "self_consistency", "consistency with itself", "self corrected",
        "chance-corrected overlap of the first two askings in one language: consistency with another cannot be "
        "expected above √(that of the anchor x that of the language)", "asked once, or as chance-corrected en-CO",
        _self_consistency,
    ),
)  # fmt: skip
"""What is said of one language alone."""

PAIR_METRICS: tuple[PairMetric, ...] = (
    Metric(
        "en_co", "en-CO", "en-CO",
        "jaccard: |C_en ∩ C_x| / |C_en ∪ C_x|, 0 for an empty union; recall: |C_en ∩ C_x| / |C_en|; "
        "dice: 2 |C_en ∩ C_x| / (|C_en| + |C_x|)", "no common item", _overlap,
    ),
    Metric(
        "en_co_chance_corrected", "chance-corrected en-CO", "corrected",
        "(en-CO - E) / (1 - E), E = en-CO with Σ_g π_g p_g q_g right in both (g: where the gold stands)",
        "E = 1, or the accuracies allow no overlap but E (anchor right everywhere or nowhere)", _corrected_overlap,
    ),
    Metric(
        "en_co_ceiling", "ceiling of chance-corrected en-CO", "ceiling",
        "the same with Σ_g π_g min(p_g, q_g) right in both", "as chance-corrected en-CO", _ceiling,
    ),
    Metric(
        "kappa_correct", "kappa on correctness", "kappa right", "Cohen's kappa of right and wrong",
        "expected agreement 1", _kappa_correct,
    ),
    Metric(
        "agreement", "answer agreement", "agreement", "same choice, right or wrong / items; no answer never agrees",
        "no common item", _agreement,
    ),
    Metric(
        "kappa_answer", "kappa on answers", "kappa answer", "Cohen's kappa of choices, pe = Σ p_c q_c over all n",
        "pe = 1", _kappa_answer,
    ),
    Metric(
        "same_wrong", "same-wrong rate", "same wrong", "same wrong choice / items right in neither",
        "no item right in neither", _same_wrong,
    ),
    Metric(
        "capa", "CAPA", "CAPA",
        "(o - e) / (1 - e), o = mean Σ_c P_en(c) P_x(c), e = p q + (1 - p)(1 - q) mean 1/(k - 1), "
        "p and q the mean probabilities of the gold", "no choice probabilities, or e = 1", _capa,
    ),
    Metric(
        "ac3", "AC3", "AC3", "2 Acc Cons / (Acc + Cons), Acc the pair's mean accuracy, Cons its agreement",
        "no common item", _ac3_pair,
    ),
    Metric(
        "transfer", "transfer", "transfer", "P(right in x given right in en)", "nothing right in en", _transfer
    ),
    Metric(
        "reverse_transfer", "reverse transfer", "reverse", "P(right in en given right in x)", "nothing right in x",
        _reverse_transfer,
    ),
    Metric(
        "rankc", "RankC", "RankC", "mean Σ_j w_j |top_j ∩ top'_j| / j, w = softmax(N - j + 1)",
        "no choice probabilities", _rankc,
    ),
    Metric(
        "rankc_chance_corrected", "chance-corrected RankC", "RankC corrected",
        "(R - E) / (1 - E), E = Σ_g π_g Σ_j w_j / j Σ_c P(c in top_j | g) P(c in top'_j | g)",
        "no choice probabilities, E = 1, or one ranking is always the same", _rankc_corrected,
    ),
)  # fmt: skip
"""What is said of a language beside the anchor; null for the anchor itself, hollow where either is flagged."""
