"""Which questions are hard for everyone, and which are lost in one language only? A logistic model of all answers.

P(right) = logistic(a_ml + u_i + v_il): a fixed effect of each model in each language, a random effect of the item, and
one of the item in a language (bad translation, knowledge that did not arrive). The random effects are normal; they and
their variances are found by penalised quasi-likelihood (Breslow and Clayton, JASA 88, 1993), whose bias for right/wrong
answers is taken out by simulation (Kuk, JRSS B 57, 1995): answers are drawn from the fitted model, fitted again, and
the model is moved by what is missing. The spread of such fits gives the intervals. It is the item response model of
Rasch with an item-by-language term; see also Lior et al., arXiv 2606.15643.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clika_client.common.answer_codes import Bools, Floats
from clika_client.common.errors import UserError
from clika_client.scoring.metrics.student import quantile, two_sided_p
from clika_client.scoring.score_sets import ScoredSet

FEWEST_MODELS = 3
"""With fewer models an item that is hard in a language cannot be told from a slip."""
_ROUNDS, _CLOSE = 120, 1e-3
_CORRECTIONS, _DRAWN, _SPREAD = 3, 6, 20
"""Steps of the correction, simulations in each, and simulations for the intervals."""
_FALSE = 0.05
"""Share of false alarms among the item-and-language pairs that are named (Benjamini and Hochberg)."""


@dataclass(frozen=True, slots=True)
class LanguageEffect:
    """How much harder the questions are in a language than in the anchor; logits, 0 for as hard, with 95 % interval."""

    language: str
    effect: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LostItem:
    """An item that models miss in one language far more often than its difficulty and the language explain."""

    item_id: str
    position: int
    language: str
    right: int
    """Models right in this language."""
    expected: float
    """Models expected to be."""
    models: int
    elsewhere: float
    """Share of right answers in the other languages."""
    p_value: float
    suspicious: bool
    """No model at all is right here, most are elsewhere: look at the translation first."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """The fitted model, in the units of logits."""

    models: int
    item_sd: float
    item_language_sd: float
    effects: tuple[LanguageEffect, ...]
    lost: tuple[LostItem, ...]
    """Lost in one language only, most surprising first."""
    missed_by_chance: float
    """Suspicious pairs that chance alone would give in answers of so many models."""
    items: tuple[str, ...]
    """Ids of the items that were asked at all."""
    difficulty: Floats
    """(items,): higher is harder."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Estimates; `ability` (models, languages), `item` (items,), `interaction` (languages, items)."""

    ability: Floats
    item: Floats
    interaction: Floats
    item_sd: float
    interaction_sd: float


def item_difficulty(part: ScoredSet, anchor: str, seed: int = 0) -> Difficulty:
    """Fit the answers of all rows of a set; raises UserError for fewer than three models or two languages."""
    blocks = part.blocks
    languages = [t for t in blocks[0].languages if all(t in b.languages for b in blocks)] if blocks else []
    if len(blocks) < FEWEST_MODELS or len(languages) < 2:
        raise UserError(
            f"{part.probe_set.name}: item difficulty needs answers of at least {FEWEST_MODELS} models in two common "
            f"languages, found {len(blocks)} and {len(languages)}; ask or import more"
        )
    grid = np.stack([[b.answers[b.languages.index(t)] for t in languages] for b in blocks])
    right, known = grid == part.gold, grid != -2
    asked = np.flatnonzero(known.any(axis=(0, 1)))
    right, known = right[..., asked], known[..., asked]
    found = corrected(right, known, seed)
    names = tuple(part.probe_set.items[part.positions[i]].item_id for i in asked)
    start = languages.index(anchor) if anchor in languages else 0
    lost = (
        replace(item, position=int(asked[item.position])) for item in _lost(right, known, found.fit, languages, names)
    )
    return Difficulty(
        len(blocks), found.fit.item_sd, found.fit.interaction_sd, tuple(_effects(found, languages, start)),
        tuple(lost), _by_chance(right, known, found.fit), names, -found.fit.item,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Corrected:
    """The fit without its bias, and fits to answers drawn from it."""

    fit: Fit
    abilities: Floats
    """(simulations, models, languages): abilities found in answers drawn from the fit."""
    stretch: float
    """By how much the correction spreads abilities out, and with them their errors."""
    stretch_error: float
    """How much that differs from one simulation to the next, as a share of it."""


def corrected(right: Bools, known: Bools, seed: int = 0) -> Corrected:
    """The fit of `right`, moved until answers drawn from it give the same fit."""
    random = np.random.default_rng(seed)
    first = fit(right, known)
    now = first
    for _ in range(_CORRECTIONS):
        now = _moved(now, first, [fit(_drawn(now, random), known) for _ in range(_DRAWN)])
    again = [fit(_drawn(now, random), known) for _ in range(_SPREAD)]
    slopes = np.array([_stretch(f.ability, now.ability) for f in again])
    now = _moved(now, first, again)
    stretch = _stretch(first.ability, now.ability)
    return Corrected(now, np.stack([f.ability for f in again]), stretch, float(slopes.std(ddof=1)) / stretch)


def _moved(now: Fit, first: Fit, again: Sequence[Fit]) -> Fit:
    """The model, moved by what fits to answers drawn from it lack of the fit to the real ones."""
    return replace(
        now,
        ability=now.ability + first.ability - np.mean([f.ability for f in again], axis=0),
        item_sd=now.item_sd * first.item_sd / _geometric([f.item_sd for f in again]),
        interaction_sd=now.interaction_sd * first.interaction_sd / _geometric([f.interaction_sd for f in again]),
    )


def _stretch(before: Floats, after: Floats) -> float:
    """Slope of the abilities with the correction on those without; 1 where all are alike."""
    x, y = before - before.mean(), after - after.mean()
    return max(1.0, float((x * y).sum() / (x * x).sum())) if (x * x).sum() > 0 else 1.0


def _drawn(model: Fit, random: np.random.Generator) -> Bools:
    items = model.item.size
    item = random.standard_normal(items) * model.item_sd
    interaction = random.standard_normal(model.interaction.shape) * model.interaction_sd
    p = 1 / (1 + np.exp(-(model.ability[..., None] + item + interaction)))
    return np.asarray(random.random(p.shape) < p)


def _geometric(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def fit(right: Bools, known: Bools) -> Fit:
    """`right` and `known` are (models, languages, items)."""
    y, seen = right.astype(np.float64), known.astype(np.float64)
    start = np.clip((y * seen).sum(-1) / np.maximum(seen.sum(-1), 1), 0.02, 0.98)
    ability = np.log(start / (1 - start))
    item, interaction = np.zeros(y.shape[2]), np.zeros(y.shape[1:])
    item_var = interaction_var = 0.5
    for _ in range(_ROUNDS):
        before = (ability.copy(), item_var, interaction_var)
        p, w = _expected(ability, item, interaction, seen)
        ability = ability + np.clip((seen * (y - p)).sum(-1) / np.maximum(w.sum(-1), 0.5), -1, 1)
        p, w = _expected(ability, item, interaction, seen)
        gain = w.sum((0, 1)) + 1 / item_var
        item = item + np.clip(((seen * (y - p)).sum((0, 1)) - item / item_var) / gain, -1, 1)
        # The overall level belongs to the abilities.
        ability, item = ability + item.mean(), item - item.mean()
        item_var = max(float((item**2 + 1 / gain).mean()), 1e-4)
        p, w = _expected(ability, item, interaction, seen)
        gain = w.sum(0) + 1 / interaction_var
        interaction = interaction + np.clip(((seen * (y - p)).sum(0) - interaction / interaction_var) / gain, -1, 1)
        interaction = interaction - interaction.mean(1, keepdims=True)
        interaction_var = max(float((interaction**2 + 1 / gain).mean()), 1e-4)
        moved = max(np.abs(ability - before[0]).max(), abs(item_var - before[1]), abs(interaction_var - before[2]))
        if moved < _CLOSE:
            break
    return Fit(ability, item, interaction, float(np.sqrt(item_var)), float(np.sqrt(interaction_var)))


def _expected(ability: Floats, item: Floats, interaction: Floats, seen: Floats) -> tuple[Floats, Floats]:
    p = 1 / (1 + np.exp(-(ability[..., None] + item + interaction)))
    return p, seen * p * (1 - p)


def _effects(found: Corrected, languages: Sequence[str], start: int) -> list[LanguageEffect]:
    """Mean over the models; its error is that of fits to drawn answers and drawn items.

    Those fits lack the correction, which stretches the estimate and its error alike and adds the error of a mean over
    the simulations.
    """
    noise = found.stretch * (1 + 1 / len(found.abilities)) ** 0.5
    effects = []
    for i, language in enumerate(languages):
        if i == start:
            continue
        value = float((found.fit.ability[:, i] - found.fit.ability[:, start]).mean())
        drawn = (found.abilities[:, :, i] - found.abilities[:, :, start]).mean(1)
        error = np.hypot(noise * float(drawn.std(ddof=1)), value * found.stretch_error)
        reach = quantile(0.95, len(drawn) - 1) * float(error)
        effects.append(LanguageEffect(language, value, value - reach, value + reach))
    return effects


def _lost(right: Bools, known: Bools, found: Fit, languages: Sequence[str], names: Sequence[str]) -> list[LostItem]:
    """Items with far fewer right answers than expected in one language, and in no other."""
    p, w = _expected(found.ability, found.item, np.zeros(found.interaction.shape), known.astype(np.float64))
    count, expected = (right & known).sum(0), (p * known).sum(0)
    # The item's own difficulty is known from the other answers only so far: that widens what is expected.
    spread = w.sum(0) + w.sum(0) ** 2 / np.maximum(w.sum((0, 1)) + 1 / max(found.item_sd, 0.01) ** 2, 1e-9)
    z = (count - expected + 0.5) / np.sqrt(np.maximum(spread, 1e-9))
    p_values = np.array([two_sided_p(float(value)) / 2 if value < 0 else 1.0 for value in z.ravel()]).reshape(z.shape)
    models = known.sum(0)
    missed = (count == 0) & (models >= FEWEST_MODELS)
    surprising = _false_discovery(p_values)
    named = surprising | missed
    total_right, total = (right & known).sum((0, 1)), known.sum((0, 1))
    lost = []
    for language, item in zip(*np.nonzero(named), strict=True):
        if named[:, item].sum() > 1:
            continue
        others = int(total[item] - models[language, item])
        elsewhere = float(total_right[item] - count[language, item]) / others if others else math.nan
        suspicious = bool(missed[language, item] and elsewhere >= 0.5)
        if missed[language, item] and not suspicious and not surprising[language, item]:
            continue
        lost.append(
            LostItem(
                names[item], int(item), languages[language], int(count[language, item]),
                float(expected[language, item]), int(models[language, item]), elsewhere,
                float(p_values[language, item]), suspicious,
            )
        )  # fmt: skip
    return sorted(lost, key=lambda entry: entry.p_value)


def _by_chance(right: Bools, known: Bools, found: Fit) -> float:
    """Expected pairs that no model gets right though most answers in the other languages are, by difficulty alone."""
    p, _ = _expected(found.ability, found.item, np.zeros(found.interaction.shape), known.astype(np.float64))
    nobody = np.where(known, 1 - p, 1.0).prod(0)
    total, n = (right & known).sum((0, 1)), known.sum((0, 1))
    here, of = (right & known).sum(0), known.sum(0)
    elsewhere = (total - here) / np.maximum(n - of, 1)
    return float(nobody[(elsewhere >= 0.5) & (of >= FEWEST_MODELS)].sum())


def _false_discovery(p_values: Floats) -> Bools:
    """Which of the tests are kept at a false discovery rate of 5 % (Benjamini and Hochberg, 1995)."""
    ordered = np.sort(p_values.ravel())
    below = np.flatnonzero(ordered <= _FALSE * np.arange(1, ordered.size + 1) / ordered.size)
    return np.asarray(p_values <= (ordered[below[-1]] if below.size else -1.0))
