"""Transfer from the language a fact comes from: ECLeKTic's, X-FaKT's scores, and the mother-tongue effect.

Sources: Goldman et al., "ECLeKTic", 2025; Aggarwal et al., "Language Models' Factuality Depends on the Language of
Inquiry" (X-FaKT), 2025. An item's source language is its tag `original_lang`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Floats, divide


def factual_recall(foreign: npt.ArrayLike, native: npt.ArrayLike) -> Floats:
    """X-FaKT's Factual Recall Score, 0 to 1: `native` and `foreign` are the mean error rates m2 and m1, 0 to 1.

    The means go over pairs of a language and a country: m2 over those that belong together, m1 over all others.
    """
    m1, m2 = np.asarray(foreign, np.float64), np.asarray(native, np.float64)
    return np.asarray(1.5 * (1 / (m1 + m2 + 1) - 1 / 3))


def transferability(foreign: npt.ArrayLike, native: npt.ArrayLike) -> Floats:
    """X-FaKT's Knowledge Transferability Score, 0 to 1: 1 where errors do not depend on the language of asking."""
    m1, m2 = np.asarray(foreign, np.float64), np.asarray(native, np.float64)
    return np.asarray(2 * (1 / (np.abs(m1 - m2) + 1) - 0.5))


def x_fakt(foreign: npt.ArrayLike, native: npt.ArrayLike) -> Floats:
    """X-FAKT, the harmonic mean of the two; 0 where both are 0."""
    recall, moved = factual_recall(foreign, native), transferability(foreign, native)
    both = recall + moved
    return np.where(np.isnan(both), np.nan, divide(2 * recall * moved, both, empty=0.0))
