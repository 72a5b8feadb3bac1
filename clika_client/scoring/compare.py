"""Is B better than A, over all languages and in which of them, and can these items tell at all?

Accuracy is tested by McNemar's exact test where items stand alone, else by a test that follows their clusters;
consistency by its chance-corrected figure, the overlap itself standing beside it. Holm's correction covers all
languages and sets of a comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from clika_client.common.answer_codes import MISSING, Bools
from clika_client.common.errors import UserError
from clika_client.scoring.answer_grid import AnswerGrid, settings_in_words
from clika_client.scoring.differences import CORRECTED, MEASURES, Comparison, Difference
from clika_client.scoring.measure import Measured, measure
from clika_client.scoring.metrics import performance
from clika_client.scoring.metrics.row_figures import RowFigures
from clika_client.scoring.metrics.significance import discordant, mcnemar_exact
from clika_client.scoring.paired import NOT_RANKED, PairedEstimate, judged, over_sets, paired
from clika_client.scoring.score_sets import Options, ScoredSet, make_parts
from clika_client.scoring.verdicts import summary
from clika_client.sets.probes import ProbeSet

_BETTER = {True: "b", False: "a"}


def compare(
    a: Sequence[AnswerGrid], b: Sequence[AnswerGrid], sets: Mapping[int, ProbeSet], options: Options | None = None
) -> Comparison:
    """Compare the rows of two models on the sets both answered.

    Raises UserError when they share no set, or when one model has several rows that could be meant.
    """
    options = _with_intervals(options)
    pairs, notes = _pairs(a, b, sets)
    parts = [part for left, right in pairs for part in make_parts(_aligned(left, right), sets, options)]
    return _with_words(_comparison((a[0].key.model, b[0].key.model), parts, notes, options))


def compare_languages(
    rows: Sequence[AnswerGrid], sets: Mapping[int, ProbeSet], options: Options | None = None
) -> Comparison:
    """Compare each language of one model (B) with the anchor (A) on the same items.

    Raises UserError when no row has the anchor and another language.
    """
    options = _with_intervals(options)
    parts: list[ScoredSet] = []
    for block in rows:
        anchor_row = block.row(options.anchor)
        others = [language for language in block.languages if language != options.anchor]
        if anchor_row is None or not others:
            continue
        wide = replace(_cut(block, [anchor_row] * len(others)), languages=tuple(others))
        rest = _cut(block, [block.languages.index(language) for language in others])
        parts += make_parts(_aligned(wide, rest), sets, options)
    name = rows[0].key.model
    if not parts:
        raise UserError(
            f"{name!r} has no answers in the anchor language {options.anchor!r} and another; "
            "choose the anchor with --anchor"
        )
    labels = (f"{name} in {options.anchor}", f"{name} in the language of the line")
    return _with_words(replace(_comparison(labels, parts, [], options), languages_of_one=True))


def _with_intervals(options: Options | None) -> Options:
    """A comparison always has intervals: they need no draws."""
    options = options or Options()
    options.check()
    return replace(options, bootstrap=max(options.bootstrap, 1))


def _with_words(comparison: Comparison) -> Comparison:
    return replace(comparison, summary=tuple(summary(comparison)))


def _comparison(
    names: tuple[str, str], parts: Sequence[ScoredSet], notes: Sequence[str], options: Options
) -> Comparison:
    differences: list[Difference] = []
    means: list[Difference] = []
    for part in parts:
        measured = [measure(part, block, options, MEASURES) for block in part.blocks]
        differences += _differences(part, measured)
        means.append(_mean(part, measured))
    differences, means = _judged(differences), _judged(means)
    return Comparison(
        *names, tuple(differences), tuple(means), _overall(means), tuple(notes), options.variant, options.anchor
    )


def _pairs(
    a: Sequence[AnswerGrid], b: Sequence[AnswerGrid], sets: Mapping[int, ProbeSet]
) -> tuple[list[tuple[AnswerGrid, AnswerGrid]], list[str]]:
    """Rows to set side by side: asked alike where possible; different prompts are allowed but said."""
    pairs, notes = [], []
    unlike: dict[str, list[str]] = {}
    for set_id in dict.fromkeys(block.key.set_id for block in a):
        left = [block for block in a if block.key.set_id == set_id]
        right = [block for block in b if block.key.set_id == set_id]
        alike = [(x, y) for x in left for y in right if _how(x) == _how(y)]
        name = sets[set_id].name
        if len(alike) == 1:
            pairs.append(alike[0])
        elif not alike and len(left) == len(right) == 1:
            pairs.append((left[0], right[0]))
            unlike.setdefault(f"{_said(left[0])} against {_said(right[0])}", []).append(name)
        elif right:
            choices = "; ".join(sorted({_said(block) for block in (*left, *right)}))
            raise UserError(
                f"on {name} several rows could be compared ({choices}); choose with --prompt, --reading or --source"
            )
    notes += [
        f"On {', '.join(on)} the two were not asked alike ({how}): a difference may come from that."
        for how, on in unlike.items()
    ]
    names = f"{a[0].key.model!r} and {b[0].key.model!r}"
    if not pairs:
        raise UserError(f"{names} have answered no common probe set")
    common = [(x, y) for x, y in pairs if set(x.languages) & set(y.languages)]
    if not common:
        raise UserError(f"{names} were asked in no common language")
    apart = [sets[x.key.set_id].name for x, y in pairs if not set(x.languages) & set(y.languages)]
    if apart:
        notes.append(f"Left out, as the two were asked in no common language: {', '.join(apart)}.")
    return common, notes


def _how(block: AnswerGrid) -> tuple[str, ...]:
    return (block.key.prompt, block.key.ask, block.key.reading, block.key.settings)


def _said(block: AnswerGrid) -> str:
    settings = "" if block.key.settings == "{}" else f", {settings_in_words(block.key.settings)}"
    return f"prompt {block.key.prompt}, {block.key.ask}, {block.key.reading}, source {block.key.source}{settings}"


def _aligned(a: AnswerGrid, b: AnswerGrid) -> list[AnswerGrid]:
    """The two blocks over the languages both have; an item without a reply in one is left out of both."""
    shared = [language for language in a.languages if language in b.languages]
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
        again=None,
    )


def _differences(part: ScoredSet, measured: Sequence[Measured]) -> list[Difference]:
    """One Difference per language of one set; not yet judged."""
    a, b = (m.figures for m in measured)
    anchor = a.anchor
    right = [performance.correct(block.answers, part.gold) for block in part.blocks]
    found = []
    for i, language in enumerate(a.languages):
        only = discordant(right[0][i], right[1][i])
        hollow = bool(a.flags[i] or b.flags[i])
        hollow_pair = hollow or (anchor is not None and bool(a.flags[anchor] or b.flags[anchor]))
        exact = mcnemar_exact(*only) if part.units is None else None
        found.append(
            Difference(
                set=part.probe_set.name,
                split=part.split,
                language=language,
                languages=(language,),
                n=int(performance.received(part.blocks[0].answers[i]).sum()),
                clusters=part.clusters_of(part.blocks[0]),
                only_a=only[0],
                only_b=only[1],
                accuracy=paired([(a, i)], [(b, i)], "accuracy", exact, NOT_RANKED if hollow else ""),
                en_co_chance_corrected=paired([(a, i)], [(b, i)], CORRECTED, verdict=NOT_RANKED if hollow_pair else ""),
                en_co=paired([(a, i)], [(b, i)], "en_co"),
                flags_a=a.flags[i],
                flags_b=b.flags[i],
            )
        )
    return found


def _mean(part: ScoredSet, measured: Sequence[Measured]) -> Difference:
    """The mean over the languages that count in both."""
    a, b = (m.figures for m in measured)
    sound = [i for i in a.sound if i in b.sound]
    known = [i for i in sound if not np.isnan(a.figures["accuracy"].value[i] + b.figures["accuracy"].value[i])]
    counted = {field: [i for i in a.counted(field) if i in b.counted(field)] for field in (CORRECTED, "en_co")}
    right = [performance.correct(block.answers[known], part.gold) for block in part.blocks]
    only = discordant(*right)
    return Difference(
        set=part.probe_set.name,
        split=part.split,
        language="",
        languages=tuple(a.languages[i] for i in known),
        n=int(performance.received(part.blocks[0].answers).any(0).sum()),
        clusters=part.clusters_of(part.blocks[0]),
        only_a=only[0],
        only_b=only[1],
        accuracy=replace(_of(a, b, known, "accuracy"), verdict="" if known else NOT_RANKED),
        en_co_chance_corrected=_of(a, b, counted[CORRECTED], CORRECTED),
        en_co=_of(a, b, counted["en_co"], "en_co"),
    )


def _of(a: RowFigures, b: RowFigures, chosen: Sequence[int], field: str) -> PairedEstimate:
    return paired([(a, i) for i in chosen], [(b, i) for i in chosen], field)


def _judged(rows: Sequence[Difference]) -> list[Difference]:
    """Holm over the rows, for accuracy and for corrected consistency apart; what is not ranked is in neither family."""
    accuracy = judged([row.accuracy for row in rows], _BETTER)
    corrected = judged([row.en_co_chance_corrected for row in rows], _BETTER)
    return [
        replace(row, accuracy=first, en_co_chance_corrected=second)
        for row, first, second in zip(rows, accuracy, corrected, strict=True)
    ]


def _overall(means: Sequence[Difference]) -> Difference:
    """The mean over the sets, each counting the same."""
    clusters = min((mean.clusters for mean in means if mean.clusters is not None), default=None)
    estimates = {
        name: judged([over_sets([mean.estimates[name] for mean in means], clusters)], _BETTER)[0] for name in MEASURES
    }
    return Difference(
        set=", ".join(dict.fromkeys(mean.set for mean in means)),
        split=None,
        language="",
        languages=tuple(dict.fromkeys(language for mean in means for language in mean.languages)),
        n=sum(mean.n for mean in means),
        clusters=clusters,
        only_a=sum(mean.only_a for mean in means),
        only_b=sum(mean.only_b for mean in means),
        accuracy=estimates["accuracy"],
        en_co_chance_corrected=estimates[CORRECTED],
        en_co=estimates["en_co"],
    )
