"""Open answers as a judge saw them: readings `judge:NAME`, and `human`, where a person goes before our reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from clika_client.answers.open.answer import ELSEWHERE as IN_ANOTHER
from clika_client.answers.open.answer import RIGHT
from clika_client.common.answer_codes import ELSEWHERE, NO_ANSWER, OTHER, Answers
from clika_client.store.judgements import HUMAN, Judgement

JUDGE = "judge:"
"""What the readings made of judgements are called, before the judge's name."""


def judge_of(reading: str) -> str | None:
    """Whose judgements a reading is made of; None for every other reading."""
    if reading == HUMAN:
        return HUMAN
    return reading.removeprefix(JUDGE) if reading.startswith(JUDGE) else None


def overlay(
    choices: Answers,
    reasons: npt.NDArray[np.uint8],
    said: Mapping[int, Judgement],
    golds: Sequence[int],
    languages: Sequence[str],
    names: Sequence[str],
) -> None:
    """Write judgements over the answers of one cell; `names` are those of the stored reasons by code."""
    for position, judgement in said.items():
        reason = 0
        if judgement.verdict == RIGHT:
            code = golds[position]
        elif judgement.verdict == IN_ANOTHER:
            code = ELSEWHERE
            reason = languages.index(judgement.language) + 1 if judgement.language in languages else 0
        elif judgement.verdict == "wrong":
            # A known wrong answer stays the one that our reader saw.
            code = int(choices[position]) if choices[position] >= 0 and choices[position] != golds[position] else OTHER
        else:
            code, reason = NO_ANSWER, names.index(judgement.verdict)
        choices[position], reasons[position] = code, reason
