"""What changed from one group of models to another, per language, and whether a gain here was paid for there.

This is how the paper asks whether pretraining or instruction tuning moved alignment. Models are taken as
given; the uncertainty is that of the items, resampled together for all models and languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clika_client.common.errors import UserError
from clika_client.common.wording import counted, instead
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.differences import CORRECTED
from clika_client.scoring.measure import measure
from clika_client.scoring.metrics.row_figures import RowFigures
from clika_client.scoring.paired import CANNOT_TELL, NOT_DEFINED, NOT_RANKED, PairedEstimate, judged, paired
from clika_client.scoring.records import plain_value, to_plain
from clika_client.scoring.score_sets import Options, ScoredSet, make_parts
from clika_client.sets.probes import ProbeSet

GAIN, LOSS = "gain", "loss"
MEASURES = ("ra", CORRECTED, "en_co")
_MEASURED = ("ra_unclipped", CORRECTED, "en_co")
"""What they are taken from: RA here is not cut off at 0."""
OTHERS = "others"
"""Stands in a GroupChange for the mean over several languages."""
Groups = Mapping[str, tuple[str, ...]]
"""Name of a group → its models; the first group is the one the others are compared with."""


@dataclass(frozen=True, slots=True)
class GroupChange:
    """From the first group (A) to another (B), in one language of one set; means over each group's models."""

    set: str
    split: str | None
    language: str
    base: str
    group: str
    n: int
    ra: PairedEstimate
    """Of RA that is not cut off at 0. Verdicts: `gain`, `loss`, `cannot tell`, `not defined`, or `not ranked`."""
    en_co_chance_corrected: PairedEstimate
    en_co: PairedEstimate
    """Shown, not judged: it rises and falls with RA."""
    hollow: tuple[str, ...]
    """Models of either group whose answers say nothing in this language: one letter for nearly everything, or none."""

    @property
    def estimates(self) -> dict[str, PairedEstimate]:
        """What is compared, by its name."""
        return {"ra": self.ra, CORRECTED: self.en_co_chance_corrected, "en_co": self.en_co}

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None."""
        plain = {name: value for name, value in to_plain(self).items() if name not in MEASURES}
        for name, estimate in self.estimates.items():
            plain |= estimate.flat(name)
        del plain["en_co_p_holm"], plain["en_co_verdict"]
        return {name: plain_value(value) for name, value in plain.items()}


def parse_groups(text: str) -> dict[str, tuple[str, ...]]:
    """`base=m1,m2,tuned=m3` as groups; raises UserError naming what is wrong."""
    groups: dict[str, list[str]] = {}
    current = ""
    for piece in (piece.strip() for piece in text.split(",")):
        name, equals, model = piece.partition("=")
        if equals:
            current = name.strip()
            if current in groups:
                raise UserError(f"--group names {current!r} twice; write each group once: base=MODEL,MODEL,tuned=MODEL")
            groups[current] = []
        else:
            model = piece
        if not current or not model.strip():
            raise UserError(f"--group {text!r} is not of the form base=MODEL,MODEL,tuned=MODEL")
        groups[current].append(model.strip())
    if len(groups) < 2:
        raise UserError(f"--group {text!r} names one group; at least two are needed: base=MODEL,tuned=MODEL")
    return {name: tuple(models) for name, models in groups.items()}


def group_changes(
    blocks: Sequence[AnswerGrid],
    sets: Mapping[int, ProbeSet],
    groups: Groups,
    options: Options | None = None,
    pool: str | None = None,
) -> list[GroupChange]:
    """Changes from the first group to each other one, in every set and language that all their models answered.

    `pool` adds, per set, the mean change over the languages other than the one it names (empty: other than the
    anchor) under the name `others`. p-values are adjusted by Holm over all languages and sets of one pair of
    groups, the means apart. Raises UserError for a model without answers, or with several rows for one set.
    """
    options = options or Options()
    options.check()
    options = replace(options, bootstrap=max(options.bootstrap, 1))
    _check(blocks, groups)
    base, *others = groups
    changes: list[GroupChange] = []
    for group in others:
        wanted = [block for block in blocks if block.key.model in (*groups[base], *groups[group])]
        found: list[GroupChange] = []
        for part in make_parts(wanted, sets, options):
            found += _part_changes(part, base, group, groups, options, pool)
        changes += _with_holm(found)
    if not changes:
        raise UserError("the models of these groups have no set and language in common")
    return changes


def _check(blocks: Sequence[AnswerGrid], groups: Groups) -> None:
    known = {block.key.model for block in blocks}
    for name, models in groups.items():
        for model in models:
            if model not in known:
                raise UserError(
                    f"--group {name}={model}: the database holds no answers of this model; {instead(model, known)}"
                )
    seen: set[tuple[str, int]] = set()
    wanted = {model for models in groups.values() for model in models}
    for block in blocks:
        key = (block.key.model, block.key.set_id)
        if block.key.model in wanted and key in seen:
            raise UserError(
                f"{block.key.model!r} has several rows for one set; choose with --prompt, --reading or --source"
            )
        seen.add(key)


def _part_changes(
    part: ScoredSet, base: str, group: str, groups: Groups, options: Options, pool: str | None
) -> list[GroupChange]:
    """One set, or nothing when a model of either group has not answered it."""
    rows = {block.key.model: index for index, block in enumerate(part.blocks)}
    members = [[rows[model] for model in groups[name] if model in rows] for name in (base, group)]
    if any(len(found) < len(groups[name]) for found, name in zip(members, (base, group), strict=True)):
        return []
    measured = [measure(part, block, options, _MEASURED).figures for block in part.blocks]
    languages = [t for t in part.blocks[0].languages if all(t in row.languages for row in measured)]
    taken = {language: [language] for language in languages}
    if pool is not None:
        taken[OTHERS] = [language for language in languages if language != (pool or options.anchor)]
    sides = [[measured[index] for index in found] for found in members]
    return [
        GroupChange(
            set=part.probe_set.name,
            split=part.split,
            language=language,
            base=base,
            group=group,
            n=len(part.positions),
            ra=_estimate(sides, chosen, "ra_unclipped"),
            en_co_chance_corrected=_estimate(sides, chosen, CORRECTED),
            en_co=_estimate(sides, chosen, "en_co"),
            hollow=_hollow(part, measured, chosen) if language != OTHERS else (),
        )
        for language, chosen in taken.items()
    ]


def _estimate(sides: Sequence[Sequence[RowFigures]], languages: Sequence[str], field: str) -> PairedEstimate:
    """The change over the languages that count in every model; `not ranked` when none does."""
    everyone = [row for side in sides for row in side]
    counted = [t for t in languages if all(_counts(row, t, field) for row in everyone)]
    if not counted:
        return PairedEstimate(verdict=NOT_DEFINED if _undefined(everyone, languages, field) else NOT_RANKED)
    a, b = ([(row, row.languages.index(t)) for row in side for t in counted] for side in sides)
    return paired(a, b, field)


def _undefined(rows: Sequence[RowFigures], languages: Sequence[str], field: str) -> bool:
    """No answer is to blame: the figure does not exist (the anchor beside itself, everything right)."""
    return not any(row.flags[row.languages.index(t)] for row in rows for t in languages) and not (
        field.startswith("en_co") and any(row.anchor is not None and row.flags[row.anchor] for row in rows)
    )


def _counts(row: RowFigures, language: str, field: str) -> bool:
    """The language's answers say something, and the figure is defined."""
    index = row.languages.index(language)
    hollow_anchor = field.startswith("en_co") and row.anchor is not None and bool(row.flags[row.anchor])
    return not (row.flags[index] or hollow_anchor or np.isnan(row.figures[field].value[index]))


def _hollow(part: ScoredSet, measured: Sequence[RowFigures], languages: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        block.key.model
        for block, row in zip(part.blocks, measured, strict=True)
        if any(row.flags[row.languages.index(language)] for language in languages)
    )


def _with_holm(changes: Sequence[GroupChange]) -> list[GroupChange]:
    """Adjust over two families, single languages and means; what is not ranked is in neither."""
    adjusted = list(changes)
    for name in ("ra", CORRECTED):
        estimates = [change.estimates[name] for change in adjusted]
        for pooled in (False, True):
            family = [i for i, change in enumerate(adjusted) if (change.language == OTHERS) == pooled]
            estimates = judged(estimates, {True: GAIN, False: LOSS}, family)
        fields_of: list[dict[str, Any]] = [{name: estimate} for estimate in estimates]
        adjusted = [replace(change, **new) for change, new in zip(adjusted, fields_of, strict=True)]
    return adjusted


def summary(changes: Sequence[GroupChange]) -> list[str]:
    """Per set and pair of groups: the mean of the others first, then gains, losses, and whether one was paid for."""
    said = []
    for name, split, base, group in dict.fromkeys((c.set, c.split, c.base, c.group) for c in changes):
        key = (name, split, base, group)
        here = [c for c in changes if (c.set, c.split, c.base, c.group) == key]
        rows = [change for change in here if change.language != OTHERS]
        title = name if split is None else f"{name} ({split})"
        ra, corrected = _trade(rows, "ra", "RA"), _trade(rows, CORRECTED, "corrected consistency")
        first, second = (_not_ranked(rows, field) for field in ("ra", CORRECTED))
        estimates = [change.estimates[field] for change in rows for field in ("ra", CORRECTED)]
        if all(e.verdict in (NOT_RANKED, NOT_DEFINED) for e in estimates):
            said.append(f"{title}, {base} to {group}: nothing can be said{first}.")
            continue
        if first == second:
            first, second = "", second.replace("not", "neither is", 1)
        told = "".join(_mean(change) for change in here if change.language == OTHERS and change.ra.defined)
        said.append(f"{title}, {base} to {group}: {told}{ra}{first}. {corrected[0].upper()}{corrected[1:]}{second}.")
    return said


def _mean(change: GroupChange) -> str:
    """The change over the languages other than the anchor, in words."""
    ra = change.ra
    moved = {GAIN: "rose", LOSS: "fell"}.get(ra.verdict, "cannot be told to have changed,")
    between = f"from {ra.a:z.3f} to {ra.b:z.3f} ({ra.diff:+z.3f} [{ra.low:+z.3f}, {ra.high:+z.3f}])"
    return f"mean RA of the other languages {moved} {between}. "


def _not_ranked(rows: Sequence[GroupChange], field: str) -> str:
    hollow = [change.language for change in rows if change.estimates[field].verdict == NOT_RANKED]
    if not hollow:
        return ""
    which = f"any of {len(rows)} languages" if len(hollow) == len(rows) > 1 else ", ".join(hollow)
    return f"; not ranked in {which} (one letter is the answer, or few answers)"


def _trade(rows: Sequence[GroupChange], field: str, title: str) -> str:
    estimates = {change.language: change.estimates[field] for change in rows}
    gains, losses = ([f"{t} {e.diff:+z.3f}" for t, e in estimates.items() if e.verdict == v] for v in (GAIN, LOSS))
    unclear = [language for language, e in estimates.items() if e.verdict == CANNOT_TELL]
    where = unclear[0] if len(unclear) == 1 else counted(len(unclear), "language")
    rest = f"; cannot be told in {where}" if unclear else ""
    if gains and losses:
        return f"{title} gained in {', '.join(gains)} and lost in {', '.join(losses)}: the gain was paid for{rest}"
    if gains:
        return f"{title} gained in {', '.join(gains)}, with no loss that these items can show{rest}"
    if losses:
        return f"{title} lost in {', '.join(losses)}, with no gain that these items can show{rest}"
    return f"no change of {title} that these items can show"
