"""What counts as the score of an option asked for by its likelihood: the sum, or one of its normalisations.

All are computed from the same stored figures: log P(option | prompt), its tokens, and log P(option | neutral prompt).
lm-evaluation-harness calls their accuracies acc (`sum`), acc_bytes (`per-byte`) and acc_mutual_info (`pmi`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clika_client.common.answer_codes import Floats

HEADLINE = "sum"
"""The reading of likelihood cells unless another is asked for; docs/local-models.md has the measurement behind it."""


@dataclass(frozen=True, slots=True)
class OptionLikelihoods:
    """What is stored of one question's options, each of shape (choices,); NaN where not known."""

    logprobs: Floats
    """Natural log P(option | prompt)."""
    tokens: Floats
    neutral: Floats
    """Natural log P(option | neutral prompt)."""
    size: Floats
    """UTF-8 bytes of each option's text."""


NORMALISATIONS: Mapping[str, Callable[[OptionLikelihoods], Floats]] = {
    "sum": lambda f: f.logprobs,
    "per-token": lambda f: f.logprobs / f.tokens,
    "per-byte": lambda f: f.logprobs / f.size,
    "pmi": lambda f: f.logprobs - f.neutral,
}
"""Name → score per option. PMI after Holtzman et al., "Surface Form Competition" (EMNLP 2021)."""


def figures(
    logprobs: Sequence[float | None] | None,
    tokens: Sequence[int] | None,
    neutral: Sequence[float] | None,
    choices: Sequence[str],
) -> OptionLikelihoods:
    """One reply's figures as arrays; a list that is absent, or does not fit the choices, becomes NaN."""
    return OptionLikelihoods(
        _array(logprobs, len(choices)),
        _array(tokens, len(choices)),
        _array(neutral, len(choices)),
        np.array([len(choice.encode("utf-8", "replace")) or 1 for choice in choices], np.float64),
    )


def _array(values: Sequence[float | None] | None, n: int) -> Floats:
    if values is None or len(values) != n:
        return np.full(n, np.nan)
    return np.array([np.nan if value is None else value for value in values], np.float64)
