"""The item model finds what was put in: spreads, language effects, and questions spoilt in one language."""

from __future__ import annotations

import numpy as np
import pytest

from clika_client.common.errors import UserError
from clika_client.scoring.answer_grid import RowKey, block_of
from clika_client.scoring.item_difficulty import corrected, item_difficulty
from clika_client.scoring.score_sets import Options, ScoredSet, make_parts
from clika_client.sets.probes import Item, Probe, ProbeSet

LANGUAGES = ("en", "de", "sw")
MODELS, ITEMS = 10, 150
EFFECTS = np.array([0.0, -0.5, -1.2])


def drawn(random: np.random.Generator, item_sd: float = 1.5, own_sd: float = 0.7, spoilt: int = 0) -> np.ndarray:
    """(models, languages, items): right or wrong; the first `spoilt` items cannot be answered in Swahili."""
    ability = random.normal(0.8, 0.5, (MODELS, 1)) + EFFECTS
    own = random.normal(0, own_sd, (3, ITEMS))
    item = random.normal(0, item_sd, ITEMS)
    item[:spoilt] = 1.5
    own[2, :spoilt] = -9
    p = 1 / (1 + np.exp(-(ability[..., None] + item + own)))
    return np.asarray(random.random(p.shape) < p)


def a_part(right: np.ndarray) -> ScoredSet:
    probes = {t: tuple(Probe(str(i), t, f"q{i}", ("a", "b"), 0) for i in range(ITEMS)) for t in LANGUAGES}
    probe_set = ProbeSet("s", tuple(Item(str(i)) for i in range(ITEMS)), probes)
    rows = [
        block_of(RowKey(f"m{m}", 0, "plain", "text", "standard"), LANGUAGES, np.where(lines, 0, 1))
        for m, lines in enumerate(right)
    ]
    return next(make_parts(rows, {0: probe_set}, Options()))


def test_the_spreads_put_in_are_found_without_bias() -> None:
    random = np.random.default_rng(1)
    fits = [corrected(right := drawn(random), np.ones_like(right), seed=i).fit for i in range(4)]
    assert np.mean([fit.item_sd for fit in fits]) == pytest.approx(1.5, abs=0.2)
    assert np.mean([fit.interaction_sd for fit in fits]) == pytest.approx(0.7, abs=0.15)


def test_language_effects_are_found_with_intervals_that_hold_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of small sets, so that many can be fitted; errors are as large as said, neither half nor twice."""
    monkeypatch.setattr("test_item_difficulty.ITEMS", 60)
    monkeypatch.setattr("test_item_difficulty.MODELS", 6)
    random = np.random.default_rng(2)
    held, errors, values = [], [], []
    for seed in range(6):
        found = item_difficulty(a_part(drawn(random)), "en", seed)
        for effect, true in zip(found.effects, EFFECTS[1:], strict=True):
            held.append(effect.low <= true <= effect.high)
            # Student's t with as many degrees of freedom as there are simulations behind the interval, less one.
            errors.append((effect.effect - true) / ((effect.high - effect.low) / 2 / 2.093))
        values.append([e.effect for e in found.effects])
    assert np.mean(values, axis=0).tolist() == pytest.approx(EFFECTS[1:].tolist(), abs=0.25)
    assert 0.6 < float(np.sqrt(np.mean(np.square(errors)))) < 1.4
    assert sum(held) >= 10


def test_questions_spoilt_in_one_language_are_named_and_called_suspicious() -> None:
    found = item_difficulty(a_part(drawn(np.random.default_rng(3), spoilt=4)), "en")
    suspicious = {(item.item_id, item.language) for item in found.lost if item.suspicious}
    assert suspicious >= {(str(i), "sw") for i in range(4)}
    assert all(item.right == 0 and item.elsewhere >= 0.5 for item in found.lost if item.suspicious)


def test_how_many_would_be_missed_by_all_by_chance_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few models miss a question together more often than many do; at most three times what is expected and three more:
    of about three expected that is five standard errors."""
    monkeypatch.setattr("test_item_difficulty.ITEMS", 60)
    monkeypatch.setattr("test_item_difficulty.MODELS", 6)
    counts, expected = [], []
    for seed in range(5):
        found = item_difficulty(a_part(drawn(np.random.default_rng(seed + 10), own_sd=0.0)), "en")
        counts.append(sum(item.suspicious for item in found.lost))
        expected.append(found.missed_by_chance)
    assert sum(counts) <= 3 * sum(expected) + 3


def test_too_few_models_are_refused_with_what_is_missing() -> None:
    with pytest.raises(UserError, match="at least 3 models in two common languages, found 2"):
        item_difficulty(a_part(drawn(np.random.default_rng(4))[:2]), "en")


def test_only_items_that_were_asked_are_counted_and_a_lost_one_keeps_its_place() -> None:
    """A run of the last fifty of a larger set says nothing of the others."""
    right = drawn(np.random.default_rng(6))
    right[:, :, 100:] = drawn(np.random.default_rng(5), spoilt=3)[:, :, :50]
    part = a_part(right)
    for block in part.blocks:
        block.answers[:, :100] = -2
    found = item_difficulty(part, "en")
    assert found.items == tuple(str(i) for i in range(100, 150))
    assert len(found.difficulty) == 50
    assert found.lost
    assert all(str(item.position) == item.item_id for item in found.lost)
