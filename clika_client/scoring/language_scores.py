"""The scores of one row's cells: one record per language."""

from __future__ import annotations

import math

import numpy as np

from clika_client.answers.cells import reason_counts
from clika_client.answers.open.cell import OPEN
from clika_client.common.answer_codes import ELSEWHERE, NO_ANSWER, Answers, Floats, answered
from clika_client.scoring.answer_grid import OWN, AnswerGrid
from clika_client.scoring.comparable import items_digest
from clika_client.scoring.measure import Measured
from clika_client.scoring.metrics import performance, position
from clika_client.scoring.metrics.confidence import NOTHING, Confidence, confidence
from clika_client.scoring.records import Figure, Record
from clika_client.scoring.score_sets import Options, ScoredSet


def cell_records(part: ScoredSet, block: AnswerGrid, measured: Measured, options: Options) -> list[Record]:
    """One record per language of a row."""
    covered = performance.coverage(block.answers, block.asked)
    combined = position.total_variation(block.answers, part.gold, part.questions.most)
    asked, given = block.asked.sum(-1), answered(block.answers).sum(-1)
    # With a limit, or in a set that is not parallel, a language may have been asked only some of the items.
    questions = [part.questions.take(np.flatnonzero(mine)) for mine in block.asked]
    row = measured.figures
    masses = label_masses(block)
    sure = [_confidence(block, i, part.gold) for i in range(len(block.languages))]
    return [
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
            answered=int(given[i]),
            coverage=float(covered[i]),
            ra_reference=part.reference,
            chance=questions[i].chance,
            choices=questions[i].range,
            no_answer=_reasons(block, i),
            verdicts=_verdicts(part, block, i),
            answered_in=_answered_in(part, block, i),
            exact_match=math.nan if block.matches is None else float(block.matches[i, 0]),
            token_f1=math.nan if block.matches is None else float(block.matches[i, 1]),
            en_co_variant=options.variant,
            label_mass=float(masses[i]),
            margin=sure[i].margin,
            brier=sure[i].brier,
            auc=sure[i].auc,
            calibration_error=sure[i].calibration_error,
            position_bias_combined=float(combined[i]) if block.orders > 1 else math.nan,
            flags=row.flags[i],
            figures={field: Figure(*(float(end[i]) for end in found)) for field, found in row.figures.items()},
            orders=block.orders,
            repeats=block.repeats,
            settings=block.key.settings,
            set_id=part.set_id,
            set_version=1 if part.version is None else part.version.number,
            items=items_digest(block.asked[i]),
        )
        for i, language in enumerate(block.languages)
    ]


def _reasons(block: AnswerGrid, row: int) -> dict[str, int]:
    """Why there is no answer, counted."""
    if not block.reasons.size:
        return {}
    return reason_counts(np.where(block.answers[row] == NO_ANSWER, block.reasons[row], 0))


def _verdicts(part: ScoredSet, block: AnswerGrid, row: int) -> dict[str, int]:
    """What the replies to open questions were found to say, counted; empty where options are shown."""
    if block.key.ask != OPEN:
        return {}
    answers = block.answers[row]
    right, elsewhere = answers == part.gold, answers == ELSEWHERE
    wrong = answered(answers) & ~right & ~elsewhere
    counts = {"right": right, "right in another language": elsewhere, "wrong": wrong}
    why = _reasons(block, row)
    return {
        **{name: int(found.sum()) for name, found in counts.items()},
        **{name: why.get(name, 0) for name in NO_ANSWERS},
    }


NO_ANSWERS = ("several", "refusal", "unknown", "empty", "truncated")
"""Verdicts of open replies without an answer, which are the reasons they are stored under."""


def _answered_in(part: ScoredSet, block: AnswerGrid, row: int) -> dict[str, int]:
    """The languages of right answers in another language, counted, most frequent first."""
    if block.key.ask != OPEN or not block.reasons.size:
        return {}
    numbers = block.reasons[row][block.answers[row] == ELSEWHERE]
    counts = np.bincount(numbers, minlength=len(part.probe_set.languages) + 1)
    order = np.argsort(-counts, kind="stable")
    return {part.probe_set.languages[i - 1]: int(counts[i]) for i in order if i > 0 and counts[i]}


def _confidence(block: AnswerGrid, language: int, gold: Answers) -> Confidence:
    if block.scores is None:
        return NOTHING
    asked = block.asked[language]
    return confidence(block.scores[language][asked], gold[asked])


def label_masses(block: AnswerGrid) -> Floats:
    """(languages,): mean probability that a reply begins with one of the labels; NaN where it is not known.

    Known where label probabilities were asked for, in one order of the options.
    """
    if block.scores is None or block.key.ask != "logprobs" or block.key.source != OWN or block.orders > 1:
        return np.full(len(block.languages), math.nan)
    known = ~np.isnan(block.scores).all(-1)
    mass = np.where(known, np.nansum(np.exp(block.scores), -1), 0.0).sum(-1)
    counts = known.sum(-1)
    return np.asarray(np.divide(mass, counts, out=np.full(counts.shape, math.nan), where=counts > 0))
