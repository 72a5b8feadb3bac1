"""How much of a model's consistency is only which questions are easy: simulated memories, with and without sharing."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clika_client.scoring import between_models
from clika_client.scoring.answer_grid import AnswerGrid, RowKey, block_of
from clika_client.scoring.score import Options, score
from clika_client.sets.probes import Item, Probe, ProbeSet

ITEMS = 3000
GOLD = np.arange(ITEMS) % 4


def a_set() -> ProbeSet:
    probes = {
        tag: tuple(Probe(str(i), tag, f"q{i}", ("w", "x", "y", "z"), int(g)) for i, g in enumerate(GOLD))
        for tag in ("en", "de")
    }
    return ProbeSet("s", tuple(Item(str(i)) for i in range(ITEMS)), probes)


def answering(own: float, easy: float) -> list[AnswerGrid]:
    """Two models; knowing an item is its ease for all, a memory both languages of a model share, and luck."""
    random = np.random.default_rng(8)
    ease = np.sqrt(easy) * random.standard_normal(ITEMS)
    rows = []
    for name in ("a", "b"):
        memory = np.sqrt(own) * random.standard_normal(ITEMS)
        luck = np.sqrt(1 - own - easy) * random.standard_normal((2, ITEMS))
        answers = np.where(ease + memory + luck > 0, GOLD, (GOLD + random.integers(1, 4, (2, ITEMS))) % 4)
        rows.append(block_of(RowKey(name, 1, "plain", "text", "standard"), ("en", "de"), answers))
    return rows


@pytest.mark.parametrize(("own", "easy", "least", "most"), [(0.0, 0.6, 0.9, 1.1), (0.6, 0.0, -0.1, 0.1)])
def test_models_that_share_only_easy_questions_explain_all_and_those_that_share_none_nothing(
    own: float, easy: float, least: float, most: float
) -> None:
    for row in score(answering(own, easy), {1: a_set()}, Options(bootstrap=1)).rows:
        assert least <= row.shared_by_models <= most
        assert row.shared_by_models_low < row.shared_by_models < row.shared_by_models_high


def test_of_what_is_half_memory_and_half_ease_other_models_explain_a_part() -> None:
    for row in score(answering(0.3, 0.3), {1: a_set()}, Options(bootstrap=1)).rows:
        assert 0.3 < row.shared_by_models < 0.6


def test_however_few_answers_are_held_at_a_time_the_figures_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score(answering(0.3, 0.3), {1: a_set()}, Options(bootstrap=1)).rows
    monkeypatch.setattr(between_models, "_ANSWERS_AT_ONCE", 1000)
    monkeypatch.setattr(between_models, "_ROWS_AT_ONCE", 1)
    assert [row.shared_by_models for row in whole] == [
        row.shared_by_models for row in score(answering(0.3, 0.3), {1: a_set()}, Options(bootstrap=1)).rows
    ]


def counting_peak(models: int, items: int) -> int:
    """Most bytes held while the models' answers are counted against each other, answers themselves left out."""
    answers = np.random.default_rng(0).integers(0, 4, (models, items), np.int8)
    part: Any = SimpleNamespace(
        units=None,
        positions=range(items),
        gold=np.zeros(items, np.int8),
        questions=SimpleNamespace(strata=[np.ones(items, np.bool_)]),
    )
    tracemalloc.start()
    try:
        between_models._count(part, list(answers), list(answers), Options(bootstrap=1), lambda: None)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_is_held_does_not_grow_with_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """But by each item's group, whatever number of models answers it: held whole, each answer would take two bytes."""
    monkeypatch.setattr(between_models, "_ANSWERS_AT_ONCE", 2**15)
    few, many = (counting_peak(20, items) for items in (5_000, 50_000))
    assert many - few < 45_000 * 20
