"""What changed from one group of models to another, per language, and whether a gain here was paid for there.

This is how the paper asks whether pretraining or instruction tuning moved alignment. Models are taken as
given; the uncertainty is that of the items, resampled together for all models and languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clika_client.common.answer_codes import Floats
from clika_client.common.errors import UserError
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.bootstrap import row_draws
from clika_client.scoring.compare import LIMIT, bootstrap_p
from clika_client.scoring.metrics import performance, position
from clika_client.scoring.metrics.consistency import VARIANTS, table_of
from clika_client.scoring.metrics.intervals import percentile_interval
from clika_client.scoring.metrics.significance import holm
from clika_client.scoring.records import to_plain
from clika_client.scoring.score_sets import Options, ScoredSet, make_parts
from clika_client.sets.probes import ProbeSet

NAN = float("nan")
OTHERS = "others"
"""Stands in a Change for the mean over several languages."""
Groups = Mapping[str, tuple[str, ...]]
"""Name of a group → its models; the first group is the one the others are compared with."""


@dataclass(frozen=True, slots=True)
class Change:
    """From the first group to another, in one language of one set; means over each group's models."""

    set: str
    split: str | None
    language: str
    base: str
    group: str
    n: int
    ra_base: float
    ra_group: float
    ra_change: float
    ra_low: float
    ra_high: float
    ra_p_value: float
    ra_p_holm: float
    ra_verdict: str
    """`gain`, `loss`, `cannot tell`, `not defined`, or `not ranked` (an answerer that gives one letter)."""
    en_co_base: float
    en_co_group: float
    en_co_change: float
    en_co_low: float
    en_co_high: float
    en_co_p_value: float
    en_co_p_holm: float
    en_co_verdict: str
    degenerate: tuple[str, ...]
    """Models of either group that give one letter at least 95 % of the time in this language."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None."""
        return to_plain(self)


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
) -> list[Change]:
    """Changes from the first group to each other one, in every set and language that all their models answered.

    `pool` adds, per set, the mean change over the languages other than the one it names (empty: other than the
    anchor) under the name `others`. p-values are adjusted by Holm over all languages and sets of one pair of
    groups, the means apart. Raises UserError for a model without answers, or with several rows for one set.
    """
    options = options or Options()
    options.check()
    _check(blocks, groups)
    base, *others = groups
    changes: list[Change] = []
    for group in others:
        wanted = [block for block in blocks if block.key.model in (*groups[base], *groups[group])]
        found: list[Change] = []
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
                    f"--group {name}={model}: the database holds no answers of this model; it has: "
                    + ", ".join(sorted(known))
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
) -> list[Change]:
    """One set, or nothing when a model of either group has not answered it."""
    rows = {block.key.model: index for index, block in enumerate(part.blocks)}
    members = [[rows[model] for model in groups[name] if model in rows] for name in (base, group)]
    if any(len(found) < len(groups[name]) for found, name in zip(members, (base, group), strict=True)):
        return []
    languages = [t for t in part.blocks[0].languages if all(t in block.languages for block in part.blocks)]
    measured = zip(("ra", "en_co"), _points(part, languages, options), _draws(part, languages, options), strict=True)
    series = list(measured)
    taken = {language: [i] for i, language in enumerate(languages)}
    if pool is not None:
        taken[OTHERS] = [i for i, language in enumerate(languages) if language != (pool or options.anchor)]
    stuck = {language: _degenerate(part, language) for language in languages}
    changes = []
    for language, chosen in taken.items():
        values: dict[str, float] = {}
        for name, points, draws in series:
            # The anchor has no en-CO with itself.
            defined = [i for i in chosen if name == "ra" or languages[i] != options.anchor]
            values |= _values(name, points, draws, members, defined)
        hollow = 2 * sum(bool(stuck[languages[i]]) for i in chosen) >= max(len(chosen), 1)
        changes.append(
            Change(
                set=part.probe_set.name,
                split=part.split,
                language=language,
                base=base,
                group=group,
                n=len(part.positions),
                ra_verdict="not ranked" if hollow else "",
                en_co_verdict="not ranked" if hollow or stuck.get(options.anchor) else "",
                degenerate=stuck.get(language, ()),
                **values,
            )
        )
    return changes


def _values(
    name: str, points: Floats, draws: Floats | None, members: Sequence[list[int]], chosen: list[int]
) -> dict[str, float]:
    """Means of both groups over the chosen languages, their change, and its interval and p-value."""
    before, after = (float(points[np.ix_(rows, chosen)].mean()) if chosen else NAN for rows in members)
    low = high = p = NAN
    if draws is not None and chosen:
        then, now = (draws[np.ix_(rows, chosen)].mean((0, 1)) for rows in members)
        bounds = percentile_interval(now - then)
        low, high, p = float(bounds[0]), float(bounds[1]), bootstrap_p(now - then)
    return {
        f"{name}_base": before,
        f"{name}_group": after,
        f"{name}_change": after - before,
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_p_value": p,
        f"{name}_p_holm": NAN,
    }


def _points(part: ScoredSet, languages: Sequence[str], options: Options) -> tuple[Floats, Floats]:
    """(RA, en-CO) of each block and language; both (blocks, languages)."""
    ra, en_co = [], []
    for block in part.blocks:
        rows = [block.languages.index(language) for language in languages]
        accuracy = performance.accuracy(block.answers[rows], part.gold)
        ra.append(performance.rescaled_accuracy(accuracy, part.probe_set.chance, part.reference))
        anchor_row = block.row(options.anchor)
        if anchor_row is None:
            en_co.append(np.full(len(rows), NAN))
        else:
            table = table_of(block.answers[anchor_row], block.answers[rows], part.gold)
            value = VARIANTS[options.variant].measure(table)
            en_co.append(np.where([t == options.anchor for t in languages], NAN, value))
    return np.array(ra), np.array(en_co)


def _draws(part: ScoredSet, languages: Sequence[str], options: Options) -> tuple[Floats | None, Floats | None]:
    """(RA, en-CO) draws; both (blocks, languages, draws)."""
    if not options.bootstrap or not len(part.positions):
        return None, None
    ra, en_co = [], []
    rows = row_draws(part.blocks, part.gold, options.anchor, options.variant, part.resampler(options))
    for block, draws in zip(part.blocks, rows, strict=True):
        chosen = [block.languages.index(language) for language in languages]
        accuracy = draws.accuracy[chosen]
        ra.append(performance.rescaled_accuracy(accuracy, part.probe_set.chance, part.reference))
        en_co.append(draws.en_co[chosen])
    return np.array(ra), np.array(en_co)


def _degenerate(part: ScoredSet, language: str) -> tuple[str, ...]:
    found = []
    for block in part.blocks:
        answers = block.answers if block.shown is None else block.shown
        share = position.top_choice_share(answers[block.languages.index(language)], part.probe_set.k)
        if "degenerate" in position.flags(float(share)):
            found.append(block.key.model)
    return tuple(found)


def _with_holm(changes: Sequence[Change]) -> list[Change]:
    """Adjust over two families, single languages and means; what is not ranked is in neither."""
    adjusted = list(changes)
    for name in ("ra", "en_co"):
        for pooled in (False, True):
            family = [i for i, c in enumerate(adjusted) if (c.language == OTHERS) == pooled and _testable(c, name)]
            values = holm([getattr(adjusted[i], f"{name}_p_value") for i in family])
            for i, p in zip(family, values, strict=True):
                verdict = _verdict(p, getattr(adjusted[i], f"{name}_change"))
                adjusted[i] = _with(adjusted[i], name, p, verdict)
        for i, change in enumerate(adjusted):
            if not getattr(change, f"{name}_verdict"):
                unclear = getattr(change, f"{name}_change")
                adjusted[i] = _with(change, name, NAN, "cannot tell" if unclear == unclear else "not defined")
    return adjusted


def _testable(change: Change, name: str) -> bool:
    p = getattr(change, f"{name}_p_value")
    return not getattr(change, f"{name}_verdict") and bool(p == p)


def _with(change: Change, name: str, p: float, verdict: str) -> Change:
    fields: dict[str, Any] = {f"{name}_p_holm": p, f"{name}_verdict": verdict}
    return replace(change, **fields)


def _verdict(p_holm: float, change: float) -> str:
    if not p_holm < LIMIT:
        return "cannot tell"
    return "gain" if change > 0 else "loss"


def summary(changes: Sequence[Change]) -> list[str]:
    """One sentence per set and pair of groups: gains, losses, and whether one was paid for by the other."""
    said = []
    for name, split, base, group in dict.fromkeys((c.set, c.split, c.base, c.group) for c in changes):
        key = (name, split, base, group)
        rows = [c for c in changes if (c.set, c.split, c.base, c.group) == key and c.language != OTHERS]
        title = name if split is None else f"{name} ({split})"
        said.append(f"{title}, {base} to {group}: {_trade(rows, 'ra', 'RA')}. {_trade(rows, 'en_co', 'en-CO')}.")
    return said


def _trade(rows: Sequence[Change], field: str, title: str) -> str:
    gains = [_signed(c, field) for c in rows if getattr(c, f"{field}_verdict") == "gain"]
    losses = [_signed(c, field) for c in rows if getattr(c, f"{field}_verdict") == "loss"]
    unclear = sum(getattr(c, f"{field}_verdict") == "cannot tell" for c in rows)
    hollow = [c.language for c in rows if getattr(c, f"{field}_verdict") == "not ranked"]
    rest = f"; {unclear} languages cannot be told" if unclear else ""
    rest += f"; not ranked in {', '.join(hollow)} (one letter is the answer)" if hollow else ""
    if gains and losses:
        return f"{title} gained in {', '.join(gains)} and lost in {', '.join(losses)}: the gain was paid for{rest}"
    if gains:
        return f"{title} gained in {', '.join(gains)}, with no loss that these items can show{rest}"
    if losses:
        return f"{title} lost in {', '.join(losses)}, with no gain that these items can show{rest}"
    return f"no change of {title} that these items can show" + (rest if hollow else "")


def _signed(change: Change, field: str) -> str:
    return f"{change.language} {getattr(change, f'{field}_change'):+.3f}"
