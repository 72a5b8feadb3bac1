"""What a comparison consists of: differences per set and language, their means, and what they say in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clika_client.common.tabular import Tabular
from clika_client.scoring.paired import PairedEstimate
from clika_client.scoring.records import plain_value, to_plain

CORRECTED = "en_co_chance_corrected"
MEASURES = ("accuracy", CORRECTED, "en_co")
"""What is compared; the overlap itself (`en_co`) is shown and not judged."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A and B in one language of one set, or in the mean over languages, on the items both replied to."""

    set: str
    split: str | None
    language: str
    """Empty for the mean over the languages."""
    languages: tuple[str, ...]
    """What the mean is over."""
    n: int
    clusters: int | None
    only_a: int
    """Items right in A alone; over all languages of a mean."""
    only_b: int
    accuracy: PairedEstimate
    """Verdicts: `a` or `b` is better, `cannot tell`, `not defined`, or `not ranked` (answers that say nothing)."""
    en_co_chance_corrected: PairedEstimate
    en_co: PairedEstimate
    flags_a: tuple[str, ...] = ()
    flags_b: tuple[str, ...] = ()

    @property
    def estimates(self) -> dict[str, PairedEstimate]:
        """What is compared, by its name."""
        return {"accuracy": self.accuracy, CORRECTED: self.en_co_chance_corrected, "en_co": self.en_co}

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None."""
        plain = {name: value for name, value in to_plain(self).items() if name not in MEASURES}
        for name, estimate in self.estimates.items():
            plain |= estimate.flat(name)
        for part in ("p_value", "p_holm", "verdict"):
            plain[part] = plain.pop(f"accuracy_{part}")
            if part != "p_value":
                del plain[f"en_co_{part}"]
        return {name: plain_value(value) for name, value in plain.items()}


@dataclass(frozen=True, slots=True)
class Comparison(Tabular):
    """All differences between two rows, in every set they share. Differences are B - A."""

    shown_columns = (
        "set", "split", "language", "n", "accuracy_a", "accuracy_b", "accuracy_diff", "accuracy_diff_low",
        "accuracy_diff_high", "p_holm", "verdict",
    )  # fmt: skip

    a: str
    b: str
    differences: tuple[Difference, ...]
    """Per set and language."""
    means: tuple[Difference, ...]
    """Per set, over the languages that both were asked in and that count in both."""
    overall: Difference
    """The mean over the sets."""
    notes: tuple[str, ...]
    variant: str
    anchor: str
    languages_of_one: bool = False
    """The anchor (A) and the other languages (B) of one model."""
    summary: tuple[str, ...] = ()
    """The conclusions as sentences, most important first."""

    def to_records(self) -> list[dict[str, Any]]:
        """One plain dictionary per set and language."""
        return [difference.to_dict() for difference in self.differences]

    def to_json(self) -> dict[str, Any]:
        """The document `clika compare --json` prints."""
        return {
            "a": self.a,
            "b": self.b,
            "summary": list(self.summary),
            "overall": self.overall.to_dict(),
            "means": [mean.to_dict() for mean in self.means],
            "differences": self.to_records(),
            "notes": list(self.notes),
            "en_co_variant": self.variant,
        }
