"""Answers with a known truth: two languages of a model, or two models, on items that may come in clusters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from clika_client.scoring.metrics.cell_metrics import LANGUAGE_METRICS, PAIR_METRICS
from clika_client.scoring.metrics.consistency import chance_corrected, strata_of, table_of
from clika_client.scoring.metrics.counting import language_counts, pair_counts
from clika_client.scoring.metrics.counts import ScoredItems
from clika_client.scoring.metrics.design_effect import equal_clusters
from clika_client.scoring.metrics.estimates import Estimate, Interval, combined, intervals, p_value
from clika_client.scoring.metrics.jackknife import leave_out
from clika_client.scoring.metrics.significance import discordant, mcnemar_exact

SIZES = (10, 25, 50, 125, 500)
ACCURACIES = (0.25, 0.5, 0.85, 0.98, 1.0)
CORRELATIONS = (0.0, 0.3)
CLUSTERS = {
    "8 of three": (3,) * 8,
    "13 of two": (2,) * 13,
    "10 of 1 to 10": (1, 2, 2, 3, 4, 5, 6, 8, 9, 10),
    "20 of 1 to 10": (1,) * 8 + (2,) * 5 + (4,) * 4 + (10,) * 3,
}
"""Sizes of clusters that are not those of the grid."""
K, SHARED = 4, 0.6
_AT_ONCE = 200


def answers(
    random: np.random.Generator, sets: int, units: np.ndarray, accuracies: tuple[float, ...], correlation: float
) -> np.ndarray:
    """(answerers, sets, items); gold is `gold(n)`. Difficulty is shared by all, and part of it by a cluster's items."""
    n = units.size
    item = random.standard_normal((sets, n))
    cluster = random.standard_normal((sets, int(units.max()) + 1))[:, units]
    found = []
    for accuracy in accuracies:
        own = random.standard_normal((sets, n))
        score = np.sqrt(correlation) * cluster + np.sqrt(1 - correlation) * (
            np.sqrt(SHARED) * item + np.sqrt(1 - SHARED) * own
        )
        limit = NormalDist().inv_cdf(accuracy) if accuracy < 1 else np.inf
        wrong = (gold(n) + 1 + random.integers(0, K - 1, (sets, n))) % K
        found.append(np.where(score < limit, gold(n), wrong).astype(np.int8))
    return np.stack(found)


def gold(n: int) -> np.ndarray:
    """The gold stands at each place equally often."""
    return (np.arange(n) % K).astype(np.int8)


def units_of(n: int, correlation: float) -> np.ndarray:
    """Each item's cluster: two in each of ten items, else five; alone where nothing is correlated."""
    return np.arange(n) // (1 if correlation == 0 else 2 if n == 10 else 5)


def sized(sizes: tuple[int, ...]) -> np.ndarray:
    """Each item's cluster, of clusters of so many items."""
    return np.repeat(np.arange(len(sizes)), sizes)


Told = dict[str, tuple[Estimate, Estimate | None, float | None]]
"""Field → the estimate by item and, with clusters, by cluster, and how many equal clusters tell as much."""


def figures(anchor: np.ndarray, other: np.ndarray, units: np.ndarray) -> Told:
    """Of answers (sets, items)."""
    n = anchor.shape[-1]
    questions, alone = ScoredItems(gold(n), np.full(n, K)), int(units.max()) + 1 == n
    ways = [leave_out] if alone else [leave_out, lambda columns: leave_out(columns, units)]
    found: list[dict[str, Estimate]] = []
    for way in ways:
        single = language_counts(other, other, questions, 1.0, way)
        pair = pair_counts(anchor, other, questions, "jaccard", way)
        found.append(
            {m.field: m.function(single) for m in LANGUAGE_METRICS} | {m.field: m.function(pair) for m in PAIR_METRICS}
        )
    if alone:
        return {field: (estimate, None, None) for field, estimate in found[0].items()}
    return {field: (found[0][field], found[1][field], equal_clusters(units)) for field in found[0]}


@lru_cache
def truth(accuracy: float, correlation: float, items: int = 100_000) -> dict[str, float]:
    """Every figure on so many items that no interval is needed."""
    units = units_of(400, correlation)
    both = answers(np.random.default_rng(5), items // 400, units, anchor_and_other(accuracy), correlation)
    questions = ScoredItems(np.tile(gold(400), items // 400), np.full(items, K))
    flat = both.reshape(2, -1)
    total = lambda columns: columns.astype(float).sum(-1, keepdims=True)  # noqa: E731
    alone = language_counts(flat[1], flat[1], questions, 1.0, total)
    pair = pair_counts(flat[0], flat[1], questions, "jaccard", total)
    found = {m.field: float(m.function(alone).value[..., 0]) for m in LANGUAGE_METRICS}
    found |= {m.field: float(m.function(pair).value[..., 0]) for m in PAIR_METRICS}
    return found | {"accuracy": accuracy, "ra_unclipped": (accuracy - 1 / K) / (1 - 1 / K)}


ONE_SIDED = "one_sided"
"""Share of data sets in which no item is wrong in both languages, or none right in both.

A corrected figure can then be no smaller, or an overlap, so that a truth below it is never missed.
"""


def coverage(
    n: int, accuracy: float, correlation: float, sets: int, sizes: tuple[int, ...] | None = None
) -> dict[str, float]:
    """Field → share of data sets whose interval holds the truth, among those where the figure exists.

    `sizes` of clusters that are not those of `units_of`.
    """
    true, random = truth(accuracy, correlation), np.random.default_rng(n)
    units = units_of(n, correlation) if sizes is None else sized(sizes)
    held: dict[str, list[np.ndarray]] = {field: [] for field in (*true, ONE_SIDED)}
    for _ in range(0, sets, _AT_ONCE):
        both = answers(random, min(sets, _AT_ONCE), units, anchor_and_other(accuracy), correlation)
        right = both == gold(n)
        held[ONE_SIDED].append(~(~right).all(0).any(-1) | ~right.all(0).any(-1))
        for field, estimates in figures(*both, units).items():
            if field == "position_bias":
                continue  # takes longest, and has a simulation of its own
            found = intervals(*estimates)
            inside = (found.low <= true[field] + 1e-9) & (true[field] - 1e-9 <= found.high)
            held[field].append(inside[~np.isnan(found.value)])
    joined = {field: np.concatenate(parts) for field, parts in held.items() if parts}
    return {field: float(inside.mean()) if inside.size else float("nan") for field, inside in joined.items()}


HABITS = (0.0, 0.1, 0.3, 0.8)


def coverage_of_position_bias(n: int, habit: float, correlation: float, sets: int) -> float:
    """Share of intervals that hold the true distance; in a share `habit` of the items the first letter is said.

    Of the rest half are known and half guessed. Where items come in clusters, the habit does.
    """
    random, units = np.random.default_rng(n), units_of(n, correlation)
    cluster = random.standard_normal((sets, int(units.max()) + 1))[:, units]
    score = np.sqrt(correlation) * cluster + np.sqrt(1 - correlation) * random.standard_normal((sets, n))
    limit = NormalDist().inv_cdf(habit) if habit else -np.inf
    free = np.where(random.random((sets, n)) < 0.5, gold(n), random.integers(0, K, (sets, n)))
    said = np.where(score < limit, 0, free).astype(np.int8)
    found = intervals(*figures(said, said, units)["position_bias"])
    shown = np.bincount(gold(n), minlength=K) / n
    given = (1 - habit) * (shown + 1 / K) / 2 + habit * (np.arange(K) == 0)
    true = float(np.abs(given - shown).sum() / 2)
    return float(((found.low <= true + 1e-9) & (true - 1e-9 <= found.high)).mean())


def anchor_and_other(accuracy: float) -> tuple[float, float]:
    """Anchor and other; an anchor that is always right would leave consistency nothing to tell."""
    return min(accuracy, 0.98), accuracy


def false_alarms(n: int, correlation: float, sets: int) -> tuple[float, float]:
    """How often two models of the same strength (.6 in both languages) differ at .05: (accuracy, consistency)."""
    random, units = np.random.default_rng(n + 1), units_of(n, correlation)
    four = answers(random, sets, units, (0.6,) * 4, correlation)
    first, second = (figures(four[i], four[i + 1], units) for i in (0, 2))
    clusters = None if correlation == 0 else int(units.max()) + 1
    alarms = np.zeros((2, sets))
    for row, field in enumerate(("accuracy", "en_co_chance_corrected")):
        robust = [side[field][1] or side[field][0] for side in (first, second)]
        ends = [intervals(*side[field]) for side in (first, second)]
        for s in range(sets):
            parts = Interval(*(np.array([e[end][s] for e in ends]) for end in range(3)))
            replicates = np.stack([estimate.value[s] for estimate in robust])
            p = p_value(*combined(parts, replicates, np.array([-1.0, 1.0]), clusters), clusters)
            if field == "accuracy" and clusters is None:
                p = mcnemar_exact(*discordant(four[1, s] == gold(n), four[3, s] == gold(n)))
            alarms[row, s] = p < 0.05
    return float(alarms[0].mean()), float(alarms[1].mean())


def null_of_consistency(items: int) -> Iterator[tuple[str, int, float]]:
    """(what two answerers share, choices, their corrected consistency); knowledge is independent throughout."""
    random = np.random.default_rng(7)
    for k in (2, 4):
        right = random.integers(0, k, items).astype(np.int8)
        for habit in (0.0, 0.5, 0.8, 0.95):
            pair = []
            for knows in (0.5, 0.2):
                guess = np.where(random.random(items) < habit, 0, random.integers(0, k, items))
                pair.append(np.where(random.random(items) < knows * (1 - habit), right, guess).astype(np.int8))
            value = float(chance_corrected(table_of(*pair, right), strata_of(*pair, right))[0])
            yield f"a letter said {habit:.0%} of the time", k, value
        for spread in (1.0, 2.0, 3.0):
            difficulty = random.standard_normal(items) * spread
            pair = []
            for _ in range(2):
                knows = random.random(items) < 1 / (1 + np.exp(-difficulty))
                pair.append(np.where(knows, right, random.integers(0, k, items)).astype(np.int8))
            value = float(chance_corrected(table_of(*pair, right), strata_of(*pair, right))[0])
            yield f"which items are easy (sd {spread:g} logits)", k, value
