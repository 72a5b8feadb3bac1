"""Scores as typed values, and as the flat records that JSON and CSV carry; all rates are fractions.

NaN marks a value that is undefined or was not computed; it becomes null.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from clika_client.scoring.reading_differences import ReadingDifference


@dataclass(frozen=True, slots=True)
class Record:
    """One cell: a model, a set and a language. Intervals are 95 %."""

    model: str
    set: str
    language: str
    prompt: str
    ask: str
    reading: str
    source: str
    anchor: str
    split: str | None
    """`tag=value` when the record covers only those items."""
    n: int
    """Items asked (after --drop and --split)."""
    answered: int
    """Replies that name a choice."""
    coverage: float
    """Share of the asked items that have a reply."""
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    ra: float
    ra_low: float
    ra_high: float
    ra_reference: float
    chance: float
    no_answer_rate: float
    no_answer: Mapping[str, int]
    """Reasons why replies name no choice, counted."""
    en_co: float
    en_co_low: float
    en_co_high: float
    en_co_variant: str
    en_co_chance_corrected: float
    kappa_correct: float
    agreement: float
    kappa_answer: float
    same_wrong: float
    ac3: float
    """Harmonic mean of the pair's mean accuracy and its agreement (SeaEval)."""
    transfer: float
    """P(right in this language given right in the anchor)."""
    reverse_transfer: float
    """P(right in the anchor given right in this language)."""
    top_choice_share: float
    position_bias: float
    """Total variation between the positions chosen on screen, in the order first asked, and the gold positions."""
    position_bias_combined: float
    """The same after the answers to several orders of the options were combined; null for a single order."""
    rankc: float
    rankc_chance_corrected: float
    flags: tuple[str, ...]
    orders: int = 1
    repeats: int = 1
    settings: str = "{}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None."""
        return to_plain(self)


@dataclass(frozen=True, slots=True)
class RowSummary:
    """One row over its languages: what needs more than one language to be said."""

    model: str
    set: str
    prompt: str
    ask: str
    reading: str
    source: str
    split: str | None
    settings: str
    anchor: str
    languages: tuple[str, ...]
    anchor_ra: float
    other_ra: float
    """Mean RA over the other languages."""
    other_ra_low: float
    other_ra_high: float
    other_en_co: float
    """Mean en-CO over the other languages."""
    other_en_co_low: float
    other_en_co_high: float
    language_gap: float
    """Highest minus lowest accuracy."""
    language_sd: float
    """Standard deviation of accuracy over the languages."""
    ac3: float
    ac3_3: float
    fleiss_kappa: float
    pairs: tuple[tuple[float, ...], ...]
    """en-CO between every two languages, in the order of `languages`; row: anchor."""
    mother_tongue: Mapping[str, Mapping[str, float]]
    """Per language: n, own (accuracy in it on the items that come from it), anchor, effect, p_value (McNemar)."""
    source_transfer: float
    """P(right in a language given right in the item's source language), ECLeKTic-style."""
    source_overall: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None."""
        return to_plain(self)


@dataclass(frozen=True, slots=True)
class Tie:
    """Two rows that follow each other in mean RA over the other languages, and cannot be told apart."""

    set: str
    split: str | None
    higher: int
    """Index into `Scores.rows`."""
    lower: int


@dataclass(frozen=True, slots=True)
class Scores:
    """The result of scoring."""

    records: tuple[Record, ...]
    rows: tuple[RowSummary, ...]
    anchor: str
    variant: str
    bootstrap: int
    seed: int
    reference_kind: Mapping[str, str]
    """Set name → source of the RA reference: `published`, `set` (stored with it), `given`, or `none` (A = 1)."""
    ties: tuple[Tie, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Per set name: items left out by --drop."""
    drop: tuple[str, ...] = ()
    runs: tuple[Mapping[str, Any], ...] = ()
    reading_differences: tuple[ReadingDifference, ...] = ()
    """Where the readings that were asked for disagree; empty for one reading."""
    reading_versions: Mapping[str, str] = field(default_factory=dict)
    """Reading → the version of it that read the replies."""
    notes: tuple[str, ...] = ()

    def to_records(self) -> list[dict[str, Any]]:
        """One plain dictionary per cell."""
        return [record.to_dict() for record in self.records]

    def to_json(self) -> dict[str, Any]:
        """The document `clika score --json` prints."""
        return {
            "records": self.to_records(),
            "runs": [dict(run) for run in self.runs],
            "rows": [row.to_dict() for row in self.rows],
            "reading_differences": [to_plain(difference) for difference in self.reading_differences],
            "scoring": {
                "anchor": self.anchor,
                "en_co_variant": self.variant,
                "bootstrap": self.bootstrap,
                "seed": self.seed,
                "level": 0.95,
                "ra_reference": dict(self.reference_kind),
                "drop": list(self.drop),
                "dropped": dict(self.dropped),
                "readings": dict(self.reading_versions),
                "notes": list(self.notes),
            },
        }


def to_plain(value: Any) -> dict[str, Any]:
    """A flat dataclass as a dictionary of JSON values."""
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return [_plain(entry) for entry in value]
