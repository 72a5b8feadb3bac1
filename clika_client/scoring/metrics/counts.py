"""What every metric is computed from: item-wise columns of one row's answers, summed with and without each unit.

`LanguageCounts` speak of one language, `PairCounts` of a language beside the anchor, `RowCounts` of all languages at
once. Their arrays end in replicates (1 + G), the full sample first. The number of choices may vary from item to item:
chance and everything expected by chance are sums over items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Answers, Bools, Floats
from clika_client.scoring.metrics.consistency import Strata, Table


@dataclass(frozen=True, slots=True)
class ScoredItems:
    """What is true of the items whoever answers them."""

    gold: Answers
    """(items,): index of the right choice."""
    choices: npt.NDArray[np.int64]
    """(items,): number of choices; of an open question the answers that are known, none of which is shown."""
    open: bool = False
    """Whether they are asked without options: then nothing is right by chance, and no answer has a place."""

    @property
    def most(self) -> int:
        """The largest number of choices."""
        return int(self.choices.max(initial=1))

    @property
    def range(self) -> tuple[int, int]:
        """Fewest and most choices of an item."""
        return int(self.choices.min(initial=self.most)), self.most

    @property
    def chance(self) -> float:
        """Accuracy of blind guessing: the mean of 1 / number of choices, 0 for open questions; NaN without items."""
        if self.open and self.choices.size:
            return 0.0
        return float((1.0 / self.choices).mean()) if self.choices.size else math.nan

    @property
    def strata(self) -> Bools:
        """(strata, items): items that have the same number of choices and the gold at the same place.

        All open questions are one stratum.
        """
        if self.open:
            return np.ones((1, len(self.gold)), np.bool_)
        kinds, number = np.unique(np.stack([self.choices, self.gold.astype(np.int64)]), axis=1, return_inverse=True)
        return np.asarray(np.arange(kinds.shape[1])[:, None] == number.reshape(-1))

    @property
    def strata_choices(self) -> npt.NDArray[np.int64]:
        """(strata,): the number of choices of each stratum's items."""
        return np.array([self.choices[members][0] for members in self.strata], np.int64)

    def take(self, positions: npt.NDArray[np.int64]) -> ScoredItems:
        """The same for some items."""
        return ScoredItems(self.gold[positions], self.choices[positions], self.open)


@dataclass(frozen=True, slots=True)
class LanguageCounts:
    """One language, or several on leading axes."""

    replied: Floats
    right: Floats
    answered: Floats
    chance: Floats
    """Sum over the items with a reply of 1 / number of choices."""
    reference: float
    """Accuracy that counts as RA = 1."""
    shown: Floats
    """(..., positions, 1 + G): how often each position on screen was chosen, in the order first asked."""
    gold_shown: Floats
    """(..., positions, 1 + G): how often the gold stood at each position, over the items with a reply."""
    elsewhere: Floats
    """Right in another language than was asked; 0 where options are shown."""
    again: PairCounts | None = None
    """The first asking beside the second, where the same questions were asked more than once."""


@dataclass(frozen=True, slots=True)
class PairCounts:
    """A language and the anchor, on the items both replied to."""

    table: Table
    strata: Strata
    variant: str
    """Of en-CO: jaccard, recall or dice."""
    agree: Floats
    """Items with the same choice."""
    same_wrong: Floats
    anchor_said: Floats
    """(..., choices, 1 + G): how often the anchor gave each choice."""
    other_said: Floats
    ranked: Floats
    """Items with choice probabilities in both; 0 without any."""
    rank_shared: Floats
    """Sum of RankC over them."""
    rank_expected: Floats
    """The sum expected of two rankings that share no more than their habits and the gold's position.

    NaN where one of them is the same throughout: then the other has nothing to agree or disagree with.
    """
    overlap: Floats
    """Sum of the probability that both give the same choice."""
    anchor_sure: Floats
    """Sum of the anchor's probability of the gold."""
    other_sure: Floats
    guess: Floats
    """Sum of 1 / (number of choices - 1): how often two wrong guesses are the same."""


@dataclass(frozen=True, slots=True)
class RowCounts:
    """All languages of a row at once; arrays (1 + G)."""

    languages: int
    items: Floats
    """Items replied to in every language."""
    said: Floats
    """(choices + 1, 1 + G): how often each choice, and last no answer, was given on those items."""
    alike: Floats
    """Sum over those items of the share of pairs of languages in the same category, no answer being one."""
    accuracy: Floats
    """Mean accuracy over languages."""
    agreeing: tuple[Floats, Floats]
    """Sums of sets of two, and of three, languages that all give the same choice."""
    sets_of: tuple[Floats, Floats]
    """Sums of sets of two, and of three, languages that all replied."""
    sources: Floats
    """(item, target language) pairs with a reply in the item's own language and in the target."""
    source_right: Floats
    """Those right in the item's own language."""
    moved: Floats
    """Those right in both."""
    native_error: Floats
    """Mean over the languages that items come from of the error rate on a language's own items, asked in it."""
    foreign_error: Floats
    """Mean over pairs of a language and another's items of the error rate on these, asked in it."""
