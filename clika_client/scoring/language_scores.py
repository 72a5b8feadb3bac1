"""The scores of one row's cells: one record per language."""

from __future__ import annotations

import numpy as np

from clika_client.answers.cells import reason_counts
from clika_client.common.answer_codes import Answers, Floats
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.bootstrap import RowDraws
from clika_client.scoring.metrics import agreement as agree
from clika_client.scoring.metrics import consistency, multilingual, performance, position, rankc
from clika_client.scoring.metrics.intervals import percentile_interval, wilson
from clika_client.scoring.records import Record
from clika_client.scoring.score_sets import Options, ScoredSet

NAN = float("nan")


def cell_records(part: ScoredSet, block: AnswerGrid, draws: RowDraws | None, options: Options) -> list[Record]:
    """One record per language of a row."""
    chance, k, count = part.probe_set.chance, part.probe_set.k, len(block.languages)
    answers = block.answers
    replied = performance.received(answers)
    accuracy = performance.accuracy(answers, part.gold)
    ra = performance.rescaled_accuracy(accuracy, chance, part.reference)
    ra_low, ra_high, co_low, co_high = _intervals(draws, count, chance, part.reference)
    pair = _pair_metrics(block, part.gold, k, options)
    no_answer = performance.no_answer_rate(answers)
    covered = performance.coverage(answers, block.asked)
    shown = answers if block.shown is None else block.shown
    share, bias = position.top_choice_share(shown, k), position.total_variation(shown, part.gold, k)
    combined = position.total_variation(answers, part.gold, k)
    right, received = performance.correct(answers, part.gold).sum(-1), replied.sum(-1)
    asked, answered = block.asked.sum(-1), (answers >= 0).sum(-1)
    records = []
    for i, language in enumerate(block.languages):
        low, high = wilson(int(right[i]), int(received[i])) if options.bootstrap else (NAN, NAN)
        flags = position.flags(float(share[i]))
        records.append(
            Record(
                model=block.key.model,
                set=part.probe_set.name,
                language=language,
                prompt=block.key.prompt,
                ask=block.key.ask,
                reading=block.key.reading,
                source=block.key.source,
                anchor=options.anchor,
                split=part.split,
                n=int(asked[i]),
                answered=int(answered[i]),
                coverage=float(covered[i]),
                accuracy=float(accuracy[i]),
                accuracy_low=low,
                accuracy_high=high,
                ra=float(ra[i]),
                ra_low=float(ra_low[i]),
                ra_high=float(ra_high[i]),
                ra_reference=part.reference,
                chance=chance,
                no_answer_rate=float(no_answer[i]),
                no_answer=reason_counts(block.reasons[i]) if block.reasons.size else {},
                en_co_low=float(co_low[i]),
                en_co_high=float(co_high[i]),
                en_co_variant=options.variant,
                top_choice_share=float(share[i]),
                position_bias=float(bias[i]),
                position_bias_combined=float(combined[i]) if block.orders > 1 else NAN,
                flags=flags,
                orders=block.orders,
                repeats=block.repeats,
                settings=block.key.settings,
                **{name: float(values[i]) for name, values in pair.items()},
            )
        )
    return records


def _intervals(draws: RowDraws | None, count: int, chance: float, reference: float) -> tuple[Floats, ...]:
    """(RA low, RA high, en-CO low, en-CO high), each (languages,); RA is monotone in accuracy."""
    if draws is None:
        return tuple(np.full(count, NAN) for _ in range(4))
    bounds = percentile_interval(draws.accuracy)
    ra = [performance.rescaled_accuracy(bound, chance, reference) for bound in bounds]
    return (*ra, *percentile_interval(draws.en_co))


def _pair_metrics(block: AnswerGrid, gold: Answers, k: int, options: Options) -> dict[str, Floats]:
    """Everything that compares a language with the anchor, per language; NaN for the anchor itself."""
    names = (
        "en_co", "en_co_chance_corrected", "kappa_correct", "agreement", "kappa_answer", "same_wrong", "ac3",
        "transfer", "reverse_transfer", "rankc", "rankc_chance_corrected",
    )  # fmt: skip
    anchor_row = block.row(options.anchor)
    if anchor_row is None:
        return {name: np.full(len(block.languages), NAN) for name in names}
    anchor, answers = block.answers[anchor_row], block.answers
    table = consistency.table_of(anchor, answers, gold)
    ranks = _rankc(block, anchor_row)
    values = (
        consistency.VARIANTS[options.variant].measure(table),
        consistency.chance_corrected(table, options.variant),
        consistency.kappa_correct(table),
        agree.agreement(anchor, answers),
        agree.kappa_answer(anchor, answers, k),
        agree.same_wrong(anchor, answers, gold),
        multilingual.ac3_pair(anchor, answers, gold),
        consistency.forward_transfer(table),
        consistency.reverse_transfer(table),
        ranks,
        np.array([rankc.corrected_rankc(float(value), k) for value in ranks]),
    )
    metrics = dict(zip(names, values, strict=True))
    for column in metrics.values():
        column[anchor_row] = NAN
    return metrics


def _rankc(block: AnswerGrid, anchor_row: int) -> Floats:
    if block.scores is None:
        return np.full(len(block.languages), NAN)
    return np.array([rankc.rankc(block.scores[anchor_row], scores) for scores in block.scores])
