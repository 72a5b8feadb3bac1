"""Is B better than A, in which languages, and can these items tell at all? Paired tests, with Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clika_client.common.answer_codes import MISSING, Answers, Bools, Floats
from clika_client.common.errors import UserError
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.bootstrap import RowDraws, row_draws
from clika_client.scoring.metrics import performance, position
from clika_client.scoring.metrics.consistency import VARIANTS, table_of
from clika_client.scoring.metrics.intervals import percentile_interval
from clika_client.scoring.metrics.significance import discordant, holm, mcnemar_exact
from clika_client.scoring.records import to_plain
from clika_client.scoring.score_sets import Options, ScoredSet, make_parts
from clika_client.sets.probes import ProbeSet

NAN = float("nan")
LIMIT = 0.05
"""A difference is stated when its adjusted p-value is below this."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A and B in one language of one set, on the items both replied to. Differences are B - A."""

    set: str
    split: str | None
    language: str
    n: int
    accuracy_a: float
    accuracy_b: float
    accuracy_diff: float
    accuracy_diff_low: float
    accuracy_diff_high: float
    only_a: int
    """Items right in A alone."""
    only_b: int
    p_value: float
    """McNemar, exact, two-sided."""
    p_holm: float
    verdict: str
    """`a` or `b` is better, `cannot tell`, `not defined`, or `not ranked` (an answerer that gives one letter)."""
    en_co_a: float
    en_co_b: float
    en_co_diff: float
    en_co_diff_low: float
    en_co_diff_high: float
    en_co_p_value: float
    """Paired bootstrap over items, two-sided."""
    en_co_p_holm: float
    en_co_verdict: str
    flags_a: tuple[str, ...]
    flags_b: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None."""
        return to_plain(self)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences between two rows, in every set they share."""

    a: str
    b: str
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    bootstrap: int
    seed: int
    variant: str

    def to_json(self) -> dict[str, Any]:
        """The document `clika compare --json` prints."""
        return {
            "a": self.a,
            "b": self.b,
            "differences": [difference.to_dict() for difference in self.differences],
            "summary": summary(self),
            "notes": list(self.notes),
            "bootstrap": self.bootstrap,
            "seed": self.seed,
            "en_co_variant": self.variant,
        }


def compare(
    a: Sequence[AnswerGrid], b: Sequence[AnswerGrid], sets: Mapping[int, ProbeSet], options: Options | None = None
) -> Comparison:
    """Compare the rows of two models on the sets both answered.

    Raises UserError when they share no set, or when one model has several rows that could be meant.
    """
    options = options or Options()
    options.check()
    pairs, notes = _pairs(a, b, sets)
    differences: list[Difference] = []
    for left, right in pairs:
        for part in make_parts(_aligned(left, right), sets, options):
            differences += _differences(part, options)
    return Comparison(
        a[0].key.model,
        b[0].key.model,
        tuple(_with_holm(differences)),
        tuple(notes),
        options.bootstrap,
        options.seed,
        options.variant,
    )


def compare_languages(
    rows: Sequence[AnswerGrid], sets: Mapping[int, ProbeSet], options: Options | None = None
) -> Comparison:
    """Compare each language of one model (B) with the anchor (A) on the same items.

    Raises UserError when no row has the anchor and another language.
    """
    options = options or Options()
    options.check()
    differences: list[Difference] = []
    for block in rows:
        anchor_row = block.row(options.anchor)
        others = [language for language in block.languages if language != options.anchor]
        if anchor_row is None or not others:
            continue
        wide = replace(_cut(block, [anchor_row] * len(others)), languages=tuple(others))
        rest = _cut(block, [block.languages.index(language) for language in others])
        for part in make_parts(_aligned(wide, rest), sets, options):
            differences += _differences(part, options)
    if not differences:
        raise UserError(
            f"{rows[0].key.model!r} has no answers in the anchor language {options.anchor!r} and another; "
            "choose the anchor with --anchor"
        )
    name = rows[0].key.model
    adjusted = tuple(_with_holm(differences))
    labels = (f"{name} in {options.anchor}", f"{name} in the language of the line")
    return Comparison(*labels, adjusted, (), options.bootstrap, options.seed, options.variant)


def _pairs(
    a: Sequence[AnswerGrid], b: Sequence[AnswerGrid], sets: Mapping[int, ProbeSet]
) -> tuple[list[tuple[AnswerGrid, AnswerGrid]], list[str]]:
    """Rows to set side by side: asked alike where possible; different prompts are allowed but said."""
    pairs, notes = [], []
    for set_id in dict.fromkeys(block.key.set_id for block in a):
        left = [block for block in a if block.key.set_id == set_id]
        right = [block for block in b if block.key.set_id == set_id]
        alike = [(x, y) for x in left for y in right if _how(x) == _how(y)]
        name = sets[set_id].name
        if len(alike) == 1:
            pairs.append(alike[0])
        elif not alike and len(left) == len(right) == 1:
            pairs.append((left[0], right[0]))
            notes.append(
                f"On {name} the two were not asked alike ({_said(left[0])} against {_said(right[0])}): "
                "a difference may come from that."
            )
        elif right:
            choices = "; ".join(sorted({_said(block) for block in (*left, *right)}))
            raise UserError(
                f"on {name} several rows could be compared ({choices}); choose with --prompt, --reading or --source"
            )
    if not pairs:
        raise UserError(f"{a[0].key.model!r} and {b[0].key.model!r} have answered no common probe set")
    return pairs, notes


def _how(block: AnswerGrid) -> tuple[str, ...]:
    return (block.key.prompt, block.key.ask, block.key.reading, block.key.settings)


def _said(block: AnswerGrid) -> str:
    settings = "" if block.key.settings == "{}" else f", settings {block.key.settings}"
    return f"prompt {block.key.prompt}, {block.key.ask}, {block.key.reading}, source {block.key.source}{settings}"


def _aligned(a: AnswerGrid, b: AnswerGrid) -> list[AnswerGrid]:
    """The two blocks over the languages both have; an item without a reply in one is left out of both."""
    shared = [language for language in a.languages if language in b.languages]
    if not shared:
        raise UserError(f"{a.key.model!r} and {b.key.model!r} were asked in no common language")
    left, right = ([block.languages.index(language) for language in shared] for block in (a, b))
    missing = (a.answers[left] == MISSING) | (b.answers[right] == MISSING)
    return [_masked(a, left, shared, missing), _masked(b, right, shared, missing)]


def _masked(block: AnswerGrid, rows: list[int], languages: list[str], missing: Bools) -> AnswerGrid:
    cut = replace(_cut(block, rows), languages=tuple(languages))
    return replace(cut, answers=np.where(missing, MISSING, cut.answers).astype(np.int8))


def _cut(block: AnswerGrid, rows: list[int]) -> AnswerGrid:
    """The block with these rows as its languages."""
    return replace(
        block,
        languages=tuple(block.languages[row] for row in rows),
        answers=block.answers[rows],
        asked=block.asked[rows],
        reasons=block.reasons[rows] if block.reasons.size else block.reasons,
        shown=None if block.shown is None else block.shown[rows],
        scores=None,
    )


def _differences(part: ScoredSet, options: Options) -> list[Difference]:
    """One Difference per language of one set; p-values not yet adjusted."""
    a = part.blocks[0]
    draws: list[RowDraws] | None = None
    if options.bootstrap and len(part.positions):
        draws = list(row_draws(part.blocks, part.gold, options.anchor, options.variant, part.resampler(options)))
    flags = [_flags(block, part.probe_set.k) for block in part.blocks]
    right = [performance.correct(block.answers, part.gold) for block in part.blocks]
    accuracy = [performance.accuracy(block.answers, part.gold) for block in part.blocks]
    en_co = [_en_co(block, part.gold, options) for block in part.blocks]
    anchor_row = a.row(options.anchor)
    found = []
    for i, language in enumerate(a.languages):
        only_a, only_b = discordant(right[0][i], right[1][i])
        low, high, _ = _drawn(draws, "accuracy", i)
        co_low, co_high, co_p = _drawn(draws, "en_co", i)
        hollow = any("degenerate" in flag[i] for flag in flags)
        hollow_pair = hollow or (anchor_row is not None and any("degenerate" in flag[anchor_row] for flag in flags))
        found.append(
            Difference(
                set=part.probe_set.name,
                split=part.split,
                language=language,
                n=int(performance.received(a.answers[i]).sum()),
                accuracy_a=float(accuracy[0][i]),
                accuracy_b=float(accuracy[1][i]),
                accuracy_diff=float(accuracy[1][i] - accuracy[0][i]),
                accuracy_diff_low=low,
                accuracy_diff_high=high,
                only_a=only_a,
                only_b=only_b,
                p_value=mcnemar_exact(only_a, only_b),
                p_holm=NAN,
                verdict="not ranked" if hollow else "",
                en_co_a=float(en_co[0][i]),
                en_co_b=float(en_co[1][i]),
                en_co_diff=float(en_co[1][i] - en_co[0][i]),
                en_co_diff_low=co_low,
                en_co_diff_high=co_high,
                en_co_p_value=co_p,
                en_co_p_holm=NAN,
                en_co_verdict="not ranked" if hollow_pair else "",
                flags_a=flags[0][i],
                flags_b=flags[1][i],
            )
        )
    return found


def _flags(block: AnswerGrid, k: int) -> list[tuple[str, ...]]:
    shown = block.answers if block.shown is None else block.shown
    return [position.flags(float(share)) for share in position.top_choice_share(shown, k)]


def _en_co(block: AnswerGrid, gold: Answers, options: Options) -> Floats:
    anchor_row = block.row(options.anchor)
    if anchor_row is None:
        return np.full(len(block.languages), NAN)
    value = VARIANTS[options.variant].measure(table_of(block.answers[anchor_row], block.answers, gold))
    value[anchor_row] = NAN
    return value


def _drawn(draws: Sequence[RowDraws] | None, field: str, i: int) -> tuple[float, float, float]:
    """(low, high, p) of the paired difference B - A in language `i`."""
    if draws is None:
        return NAN, NAN, NAN
    difference = getattr(draws[1], field)[i] - getattr(draws[0], field)[i]
    low, high = percentile_interval(difference)
    return float(low), float(high), bootstrap_p(difference)


def bootstrap_p(differences: Floats) -> float:
    """Two-sided p-value of "no difference" from draws of a difference: twice the smaller tail, never 0."""
    known = differences[~np.isnan(differences)]
    if known.size == 0:
        return NAN
    tail = min((known <= 0).sum(), (known >= 0).sum())
    return min(1.0, 2 * (int(tail) + 1) / (known.size + 1))


def _with_holm(differences: Sequence[Difference]) -> list[Difference]:
    """Adjust over the family: every language and set of this comparison that is ranked at all."""
    judged = _adjust(differences, "p_value", "p_holm", "verdict", "accuracy_diff")
    return _adjust(judged, "en_co_p_value", "en_co_p_holm", "en_co_verdict", "en_co_diff")


def _adjust(rows: Sequence[Difference], p: str, adjusted: str, verdict: str, diff: str) -> list[Difference]:
    family = [i for i, d in enumerate(rows) if not getattr(d, verdict) and getattr(d, p) == getattr(d, p)]
    corrected = dict(zip(family, holm([getattr(rows[i], p) for i in family]), strict=True))
    result = []
    for i, row in enumerate(rows):
        value = corrected.get(i, NAN)
        word = getattr(row, verdict) or _verdict(value, getattr(row, diff))
        changes: dict[str, Any] = {adjusted: value, verdict: word}
        result.append(replace(row, **changes))
    return result


def _verdict(p_holm: float, difference: float) -> str:
    if difference != difference:
        return "not defined"
    if not p_holm < LIMIT:
        return "cannot tell"
    return "b" if difference > 0 else "a"


def summary(comparison: Comparison) -> list[str]:
    """One plain sentence per set: who is better where, where nobody can tell, and who is not ranked."""
    said = []
    keys = dict.fromkeys((d.set, d.split) for d in comparison.differences)
    for name, split in keys:
        rows = [d for d in comparison.differences if (d.set, d.split) == (name, split)]
        title = name if split is None else f"{name} ({split})"
        said.append(f"{title}: " + "; ".join(_clauses(comparison, rows)) + ".")
    return said


def _clauses(comparison: Comparison, rows: Sequence[Difference]) -> list[str]:
    clauses = []
    for side, better, worse in (("b", comparison.b, comparison.a), ("a", comparison.a, comparison.b)):
        where = [d.language for d in rows if d.verdict == side]
        if where:
            clauses.append(f"{better} is more accurate than {worse} in {', '.join(where)}")
    unclear = [d.language for d in rows if d.verdict == "cannot tell"]
    if unclear:
        n = min(d.n for d in rows)
        clauses.append(f"{n} items cannot tell the two apart in {', '.join(unclear)}")
    for name, flags in ((comparison.a, "flags_a"), (comparison.b, "flags_b")):
        hollow = [d.language for d in rows if "degenerate" in getattr(d, flags)]
        if hollow:
            clauses.append(
                f"not ranked in {', '.join(hollow)}: {name} gives one letter at least 95 % of the time there"
            )
    return clauses
