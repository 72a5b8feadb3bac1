"""How much of the real world was forgotten: the change of accuracy on the same questions, before and after teaching."""

from __future__ import annotations

import math

from clika_client.conductivity.certainty import TeachingDifference
from clika_client.scoring.metrics.intervals import LEVEL
from clika_client.scoring.metrics.significance import mcnemar_exact
from clika_client.scoring.metrics.student import quantile

ALPHA = 0.05


def change(lost: int, gained: int, n: int) -> TeachingDifference:
    """Accuracy after less before, of `n` questions; p by McNemar's exact test.

    The interval is Wald's with one answer more lost and one more gained: Bonett and Price, Adjusted Wald confidence
    interval for a difference of binomial proportions based on paired data, J. Educ. Behav. Statistics 37 (2012).
    """
    if not n:
        return TeachingDifference(math.nan, math.nan, math.nan, math.nan)
    more, less = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    reach = quantile(LEVEL) * math.sqrt((more + less - (more - less) ** 2) / (n + 2))
    low, high = max(-1.0, more - less - reach), min(1.0, more - less + reach)
    return TeachingDifference((gained - lost) / n, low, high, mcnemar_exact(lost, gained))


def forgetful(found: TeachingDifference) -> bool:
    """Whether so much is lost that chance does not explain it."""
    return found.value < 0 and found.p < ALPHA
