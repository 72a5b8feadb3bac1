"""What is scored together: a probe set, or one split of it, with the rows on those items and the RA reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Answers
from clika_client.common.errors import UserError
from clika_client.common.wording import did_you_mean
from clika_client.scoring.answer_grid import AnswerGrid, gold_of, questions_of
from clika_client.scoring.comparable import ComparableLanguages, compare_rows
from clika_client.scoring.metrics import consistency, performance
from clika_client.scoring.metrics.counts import ScoredItems
from clika_client.scoring.metrics.design_effect import equal_clusters
from clika_client.scoring.metrics.intervals import DRAWS
from clika_client.scoring.metrics.jackknife import Units, unit_numbers
from clika_client.scoring.set_versions import SetVersion
from clika_client.sets.filters import check_tags, kept_items, split_items
from clika_client.sets.probes import ProbeSet
from clika_client.sets.release import REFERENCES

TOO_LOW, NOT_ASKED = "not above chance", "not asked"
"""Why a set cannot use the reference that was given, which other sets can."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to score; the same for every row."""

    anchor: str = "en"
    variant: str = "jaccard"
    bootstrap: int = DRAWS
    """Draws for the gap between languages, the one figure that has to be simulated; 0 leaves every interval out."""
    seed: int = 0
    drop: tuple[str, ...] = ()
    """Tags of items to leave out, in every language at once."""
    split: str | None = None
    """Tag to split results by."""
    reference: float | str | None = None
    """Accuracy (fraction) that counts as RA = 1 for sets without a published one, or a model whose accuracy it is."""
    only: tuple[str, ...] = ()
    """Tags that items must have to count."""

    def check(self) -> None:
        """Raise UserError for values that cannot be used."""
        if self.variant not in consistency.VARIANTS:
            raise UserError(f"en-CO variant {self.variant!r} is not one of {', '.join(consistency.VARIANTS)}")
        if self.bootstrap < 0:
            raise UserError(f"--bootstrap must be 0 or more, got {self.bootstrap}")


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """One probe set, or one split of it, with the rows to score on those items."""

    probe_set: ProbeSet
    split: str | None
    positions: npt.NDArray[np.int64]
    questions: ScoredItems
    blocks: tuple[AnswerGrid, ...]
    """Restricted to `positions`."""
    reference: float
    reference_kind: str
    set_id: int
    version: SetVersion | None
    compared: ComparableLanguages
    """What the rows have in common, over which they can be ranked."""
    units: Units | None = None
    """Per item the number of its cluster; None where no two items share one."""

    @property
    def gold(self) -> Answers:
        """(items,): index of the right choice."""
        return self.questions.gold

    def clusters_of(self, block: AnswerGrid) -> int | None:
        """Number of clusters that a row was asked, in the language with most; None where items stand alone."""
        if self.units is None:
            return None
        return max((len(np.unique(self.units[asked])) for asked in block.asked), default=0)

    def equal_clusters_of(self, block: AnswerGrid) -> float | None:
        """How many clusters of equal size tell as much as those a row was asked; None where items stand alone."""
        return None if self.units is None else equal_clusters(self.units[block.asked.any(0)])


def make_parts(
    blocks: Sequence[AnswerGrid],
    sets: Mapping[int, ProbeSet],
    options: Options,
    versions: Mapping[int, SetVersion] | None = None,
) -> Iterator[ScoredSet]:
    """The sets, in the order their first row comes, each cut to the items that count and split if asked for."""
    present = list(dict.fromkeys(block.key.set_id for block in blocks))
    _check_named([sets[i] for i in present], options)
    rows_of = {set_id: [block for block in blocks if block.key.set_id == set_id] for set_id in present}
    references = {set_id: _reference(sets[set_id], rows_of[set_id], options) for set_id in present}
    kinds = {kind for _, kind in references.values()}
    _check_reference([sets[i] for i in present], kinds, options, {block.key.model for block in blocks})
    kept = {set_id: kept_items(sets[set_id], options.drop, options.only) for set_id in present}
    if present and not any(map(len, kept.values())):
        names = ", ".join(sets[i].name for i in present)
        raise UserError(f"--only {','.join(options.only)}: no item of {names} is left to score")
    for set_id in present:
        probe_set, (reference, kind) = sets[set_id], references[set_id]
        questions, version = questions_of(probe_set), (versions or {}).get(set_id)
        for split, positions in _cuts(probe_set, kept[set_id], options.split):
            rows = _at(rows_of[set_id], positions, probe_set)
            if split is not None and not any(block.asked.any() for block in rows):
                continue
            units, compared = _units(probe_set, positions), compare_rows(rows, options.anchor)
            taken = questions.take(positions)
            yield ScoredSet(probe_set, split, positions, taken, rows, reference, kind, set_id, version, compared, units)


def _check_named(sets: Sequence[ProbeSet], options: Options) -> None:
    """Raise UserError for a tag in an option that no set has."""
    check_tags(sets, options.drop, "--drop")
    check_tags(sets, options.only, "--only")
    if options.split is not None:
        check_tags(sets, [options.split], "--split")


def _cuts(
    probe_set: ProbeSet, kept: npt.NDArray[np.int64], split: str | None
) -> Iterator[tuple[str | None, npt.NDArray[np.int64]]]:
    """(TAG=VALUE, its items) per value of the tag to split by; all items in one where there is none."""
    if not len(kept):
        return
    if split is None:
        yield None, kept
        return
    for value, positions in split_items(probe_set, split).items():
        yield f"{split}={value}", np.intersect1d(positions, kept)


def _at(rows: Sequence[AnswerGrid], positions: npt.NDArray[np.int64], probe_set: ProbeSet) -> tuple[AnswerGrid, ...]:
    """The rows on these items: as they are, not copied, where these are all."""
    return tuple(rows) if len(positions) == probe_set.n else tuple(block.take(positions) for block in rows)


def _units(probe_set: ProbeSet, positions: npt.NDArray[np.int64]) -> Units | None:
    clusters = [probe_set.items[i].cluster for i in positions]
    units = unit_numbers(len(positions), clusters)
    return units if len(positions) and int(units.max()) + 1 < len(positions) else None


def _reference(probe_set: ProbeSet, rows: Sequence[AnswerGrid], options: Options) -> tuple[float, str]:
    """(A, where it comes from); a set's own reference is never overridden, so that RA stays comparable."""
    if probe_set.reference is not None:
        published = REFERENCES.get(probe_set.name) == probe_set.reference
        return probe_set.reference, "published" if published else "set"
    if options.reference is None or probe_set.chance >= 1:  # nothing lies above the chance of one choice
        return 1.0, "none"
    if isinstance(options.reference, str):
        value = _accuracy_of(options.reference, probe_set, rows, options.anchor)
        if value is None:
            return 1.0, NOT_ASKED
    elif not 0 < options.reference <= 1:
        raise UserError(f"--reference {options.reference:g} is not an accuracy above 0 and not above 1")
    else:
        value = options.reference
    return (value, "given") if value > probe_set.chance else (1.0, TOO_LOW)


def _accuracy_of(model: str, probe_set: ProbeSet, rows: Sequence[AnswerGrid], anchor: str) -> float | None:
    for block in rows:
        index = block.row(anchor)
        if block.key.model == model and index is not None:
            return float(performance.accuracy(block.answers[index], gold_of(probe_set)))
    return None


def _check_reference(sets: Sequence[ProbeSet], kinds: Set[str], options: Options, models: Set[str]) -> None:
    """A reference that one set cannot use is noted beside that set; raises UserError for one that none can use."""
    if kinds == {NOT_ASKED}:
        meant = did_you_mean(str(options.reference), sorted(models))
        raise UserError(
            f"--reference {options.reference!r}: no stored answers of a model of this name in {options.anchor!r}; "
            f"{meant}{' Give' if meant else 'give'} a fraction, or the name of a model that has been asked"
        )
    if kinds and kinds <= {NOT_ASKED, TOO_LOW}:
        chances = ", ".join(f"{one.chance:g} for set {one.name!r}" for one in sets)
        raise UserError(f"--reference {options.reference} cannot be used: it must lie above chance ({chances})")
