"""The list of metrics for the documentation, each with its value on a set of ten questions.

Gold `ABCDABCDAB`, English `ABCDABDDCA`, X `ABCAABD_CB`, a third language `ABCDBBDDCB`; `_` is no answer, four choices.
"""

from __future__ import annotations

import numpy as np

from clika_client.common.answer_codes import NO_ANSWER, Answers
from clika_client.scoring.metrics import agreement, consistency, multilingual, performance, position, rankc


def _coded(letters: str) -> Answers:
    return np.array([NO_ANSWER if c == "_" else "ABCD".index(c) for c in letters], np.int8)


GOLD, EN, X, THIRD = map(_coded, ("ABCDABCDAB", "ABCDABDDCA", "ABCAABD_CB", "ABCDBBDDCB"))


def metric_table() -> list[dict[str, str]]:
    """One row per metric: its name, JSON field, formula, when it is null, and its value on the ten questions."""
    pair = consistency.table_of(EN, X, GOLD)
    three = np.stack([EN, X, THIRD])
    accuracy = performance.accuracy(X, GOLD)
    rows: list[tuple[str, str, str, str, object]] = [
        ("accuracy", "accuracy", "correct / replies", "no reply", accuracy),
        ("RA", "ra", "max(0, (acc - r) / (A - r)), r = 1/k", "no reply",
         performance.rescaled_accuracy(accuracy, 0.25, 0.97)),
        ("no-answer rate", "no_answer_rate", "replies that name no choice / replies", "no reply",
         performance.no_answer_rate(X)),
        ("en-CO (jaccard)", "en_co", "|C_en ∩ C_x| / |C_en ∪ C_x|; 0 for an empty union", "no common item",
         consistency.jaccard(pair)),
        ("en-CO (recall)", "en_co", "|C_en ∩ C_x| / |C_en|; 0 when C_en is empty", "no common item",
         consistency.recall(pair)),
        ("en-CO (dice)", "en_co", "2 |C_en ∩ C_x| / (|C_en| + |C_x|)", "no common item", consistency.dice(pair)),
        ("independence expectation E", "", "jaccard: pq / (p + q - pq); recall: q; dice: 2pq / (p + q)",
         "no common item", consistency.independence_jaccard(pair)),
        ("chance-corrected en-CO", "en_co_chance_corrected", "(en-CO - E) / (1 - E)", "E = 1",
         consistency.chance_corrected(pair)),
        ("kappa on correctness", "kappa_correct", "Cohen's kappa of right and wrong", "expected agreement 1",
         consistency.kappa_correct(pair)),
        ("answer agreement", "agreement", "same choice, right or wrong / items; no answer never agrees",
         "no common item", agreement.agreement(EN, X)),
        ("kappa on answers", "kappa_answer", "Cohen's kappa of choices, pe = Σ p_c q_c over all n", "pe = 1",
         agreement.kappa_answer(EN, X, 4)),
        ("same-wrong rate", "same_wrong", "same wrong choice / items right in neither", "no item right in neither",
         agreement.same_wrong(EN, X, GOLD)),
        ("transfer", "transfer", "P(right in x given right in en)", "nothing right in en",
         consistency.forward_transfer(pair)),
        ("reverse transfer", "reverse_transfer", "P(right in en given right in x)", "nothing right in x",
         consistency.reverse_transfer(pair)),
        ("top-choice share", "top_choice_share", "most frequent choice / answered items", "nothing answered",
         position.top_choice_share(X, 4)),
        ("position bias", "position_bias", "total variation of choices given and gold choices", "nothing answered",
         position.total_variation(X, GOLD, 4)),
        ("AC3", "ac3", "2 Acc Cons / (Acc + Cons), Acc the pair's mean accuracy, Cons its agreement", "no reply",
         multilingual.ac3_pair(EN, X, GOLD)),
        ("AC3 of two", "rows.ac3", "2 Acc Cons_2 / (Acc + Cons_2), all languages", "fewer than 2 languages",
         multilingual.ac3(three, GOLD, 2)),
        ("AC3 of three", "rows.ac3_3", "the same with Cons_3", "fewer than 3 languages",
         multilingual.ac3(three, GOLD, 3)),
        ("Fleiss' kappa", "rows.fleiss_kappa", "languages as raters, k choices and no answer", "Pe = 1",
         multilingual.fleiss_kappa(three, 4)),
        ("language gap", "rows.language_gap", "max - min accuracy; rows.language_sd: population sd", "no reply",
         multilingual.gap(performance.accuracy(three, GOLD))[0]),
        ("RankC", "rankc", "mean Σ_j w_j |top_j ∩ top'_j| / j, w = softmax(N - j + 1)", "no choice probabilities",
         rankc.rankc_items(np.array([[0.0, 1, 2]]), np.array([[1.0, 0, 2]]))[0]),
        ("chance-corrected RankC", "rankc_chance_corrected", "(R - E) / (1 - E), E = Σ_j w_j j / N",
         "no choice probabilities", rankc.corrected_rankc(0.334759, 3)),
        ("source transfer", "rows.source_transfer", "P(right in target given right in the item's own language)",
         "no `original_lang`", "-"),
        ("mother-tongue effect", "rows.mother_tongue", "acc(l on items of l) - acc(anchor on items of l), paired",
         "no `original_lang`", "-"),
    ]  # fmt: skip
    return [
        {
            "metric": name,
            "JSON field": f"`{field}`" if field else "",
            "formula": formula,
            "null when": null,
            "toy value": value if isinstance(value, str) else f"{float(value):.6f}",  # type: ignore[arg-type]
        }
        for name, field, formula, null, value in rows
    ]
