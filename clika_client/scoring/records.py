"""Scores as typed values, and as the flat records that JSON and CSV carry; all rates are fractions.

NaN marks a value that is undefined or was not computed; it becomes null.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple

from clika_client.common.tabular import Tabular
from clika_client.scoring.metrics.catalogue import CELL_FIELDS, ROW_FIELDS
from clika_client.scoring.reading_differences import ReadingDifference


class Figure(NamedTuple):
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float = math.nan
    high: float = math.nan


class _WithFigures:
    """Figures by name, as attributes too: `accuracy`, `accuracy_low`, `accuracy_high`."""

    __slots__ = ()
    FIELDS: ClassVar[tuple[str, ...]] = ()
    figures: Mapping[str, Figure]

    def __getattr__(self, name: str) -> float:
        """The value of a figure, or an end of its interval."""
        for name_of, index in ((name, 0), (name.removesuffix("_low"), 1), (name.removesuffix("_high"), 2)):
            if (name_of != name or index == 0) and name_of in type(self).FIELDS:
                return self.figures[name_of][index]
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def figure(self, name: str) -> Figure:
        """A figure of the table of metrics with its interval, or a number of another field (`coverage`) without one."""
        if name in type(self).FIELDS:
            return self.figures[name]
        value: float = getattr(self, name)
        return Figure(value)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None."""
        plain = to_plain(self)
        del plain["figures"]
        for name in type(self).FIELDS:
            figure = self.figures.get(name, Figure(math.nan))
            for end, value in zip(("", "_low", "_high"), figure, strict=True):
                plain[name + end] = plain_value(value)
        return plain


@dataclass(frozen=True, slots=True)
class Record(_WithFigures):
    """One cell: a model, a set and a language; its figures are those of the table of metrics (`metrics.catalogue`)."""

    FIELDS: ClassVar[tuple[str, ...]] = CELL_FIELDS
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
    """Replies that hold an answer."""
    coverage: float
    """Share of the asked items that have a reply."""
    ra_reference: float
    chance: float
    """Mean of 1 / number of choices over the items asked."""
    choices: tuple[int, int]
    """Fewest and most choices of an item that was asked."""
    no_answer: Mapping[str, int]
    """Reasons why replies hold no answer, counted."""
    en_co_variant: str
    label_mass: float
    """Mean probability that a reply begins with one of the labels, where label probabilities were asked for."""
    margin: float
    """Mean difference between the probabilities of the first and the second choice, where choices have figures."""
    brier: float
    """Brier score of the choices' probabilities: 0 is best, 1 - 1/k is that of equal ones."""
    auc: float
    """Probability that a right answer was given with more confidence than a wrong one; .5 tells nothing."""
    calibration_error: float
    """Mean difference between confidence and accuracy over ten bins of confidence."""
    position_bias_combined: float
    """Position bias after the answers to several orders of the options were combined; null for a single order."""
    flags: tuple[str, ...]
    """What makes the figures hollow: `biased`, `degenerate` (one letter for nearly everything), `silent`."""
    figures: Mapping[str, Figure]
    orders: int = 1
    repeats: int = 1
    settings: str = "{}"
    set_id: int = 0
    """The set itself; `set` names it, and never names two."""
    set_version: int = 1
    """Which of the sets of this name, in the order they were first asked."""
    items: str = ""
    """A digest of which items were asked; equal for equal items."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """Of open questions: what the replies say, counted by verdict; empty where options are shown."""
    answered_in: Mapping[str, int] = field(default_factory=dict)
    """Of open questions: the languages of the answers that are right in another language, counted."""
    exact_match: float = math.nan
    """MKQA's exact match, 0 to 1, of sets that are measured so."""
    token_f1: float = math.nan
    """MKQA's token F1, 0 to 1, of sets that are measured so."""


@dataclass(frozen=True, slots=True)
class RowSummary(_WithFigures):
    """One row over its languages: what needs more than one language to be said."""

    FIELDS: ClassVar[tuple[str, ...]] = ROW_FIELDS
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
    counted: tuple[str, ...]
    """Languages that the means over the others are taken over: those without a flag."""
    items: int
    clusters: int | None
    """Clusters that the items come in; None where they stand alone."""
    pairs: tuple[tuple[float, ...], ...]
    """en-CO between every two languages, in the order of `languages`; row: anchor."""
    mother_tongue: Mapping[str, Mapping[str, float]]
    """Per language: n, own (accuracy in it on the items that come from it), anchor, effect, its ends, p, p_holm."""
    figures: Mapping[str, Figure]
    set_id: int = 0
    compared_languages: tuple[str, ...] = ()
    """The other languages that the rows of the table have in common; means go over those of them that have no flag."""
    unranked: str = ""
    """Why the row cannot stand in one ranking with the others of its table; empty where it can."""
    no_mean: str = ""
    """Why a mean over the others is missing, such as `7 of 9 other languages are flagged`; empty where none is."""


@dataclass(frozen=True, slots=True)
class Tie:
    """Two rows that follow each other in mean RA over the other languages, and cannot be told apart."""

    set: str
    split: str | None
    higher: int
    """Index into `Scores.rows`."""
    lower: int


@dataclass(frozen=True, slots=True)
class Scores(Tabular):
    """The result of scoring."""

    shown_columns = (
        "model", "set", "split", "language", "n", "coverage", "ra_unclipped", "ra_unclipped_low",
        "ra_unclipped_high", "en_co", "en_co_low", "en_co_high", "flags",
    )  # fmt: skip

    records: tuple[Record, ...]
    rows: tuple[RowSummary, ...]
    anchor: str
    variant: str
    bootstrap: int
    seed: int
    reference_kind: Mapping[str, str]
    """Set name → source of the RA reference: `published`, `set` (stored with it), `given`, or `none` (A = 1)."""
    ties: tuple[Tie, ...] = ()
    detectable: Mapping[str, float] = field(default_factory=dict)
    """Per set, the difference in mean RA that its items show four times out of five (two-sided, at 5 %)."""
    one_sided: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    """Sets whose gold stands at one position for most items: (position, share)."""
    not_parallel: Mapping[str, str] = field(default_factory=dict)
    """Set name → why its languages do not hold the same questions; nothing is compared between them."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Per set name: items left out by --drop and --only."""
    only: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    runs: tuple[Mapping[str, Any], ...] = ()
    reading_differences: tuple[ReadingDifference, ...] = ()
    """Where the readings that were asked for disagree; empty for one reading."""
    reading_versions: Mapping[str, str] = field(default_factory=dict)
    """Reading → the version of it that read the replies."""
    notes: tuple[str, ...] = ()
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name of a local model → what answered: `weights`, `quantization`, `chat_template`, `build`, …"""

    def to_records(self) -> list[dict[str, Any]]:
        """One plain dictionary per cell."""
        return [record.to_dict() for record in self.records]

    def to_json(self) -> dict[str, Any]:
        """The document `clika score --json` prints."""
        return {
            "records": self.to_records(),
            "runs": [dict(run) for run in self.runs],
            "rows": [row.to_dict() for row in self.rows],
            "models": {name: dict(facts) for name, facts in self.models.items()},
            "ties": [to_plain(tie) for tie in self.ties],
            "reading_differences": [to_plain(difference) for difference in self.reading_differences],
            "scoring": {
                "anchor": self.anchor,
                "en_co_variant": self.variant,
                "bootstrap": self.bootstrap,
                "seed": self.seed,
                "level": 0.95,
                "ra_reference": dict(self.reference_kind),
                "drop": list(self.drop),
                "only": list(self.only),
                "dropped": dict(self.dropped),
                "detectable": dict(self.detectable),
                "not_parallel": dict(self.not_parallel),
                "one_sided": {name: {"position": p, "share": share} for name, (p, share) in self.one_sided.items()},
                "readings": dict(self.reading_versions),
                "notes": list(self.notes),
            },
        }


def to_plain(value: Any) -> dict[str, Any]:
    """A flat dataclass as a dictionary of JSON values."""
    return {f.name: plain_value(getattr(value, f.name)) for f in fields(value)}


def plain_value(value: Any) -> Any:
    """A value as JSON has it: NaN as None, tuples as lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain_value(entry) for name, entry in value.items()}
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return [plain_value(entry) for entry in value]
