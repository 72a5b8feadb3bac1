"""The command line's operations as functions, with typed results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clika_client.asking.plan import Asking, Items, Plan
from clika_client.asking.run import RunConfig, RunResult, evaluate
from clika_client.asking.workers import Event
from clika_client.common.languages import canonical
from clika_client.common.paths import home
from clika_client.importers.common import ImportReport
from clika_client.importers.detect import ImportOptions, import_path
from clika_client.prompts.catalogue import get_style
from clika_client.scoring.compare import compare as compare_rows
from clika_client.scoring.differences import Comparison
from clika_client.scoring.load import Wanted, load
from clika_client.scoring.records import Scores
from clika_client.scoring.score import Options, score_store
from clika_client.sets.catalogue import resolve
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import Store
from clika_providers import ProviderOptions


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended, and the scores of what it asked."""

    result: RunResult
    scores: Scores


def run(
    sets: Sequence[str | ProbeSet],
    models: Sequence[str],
    *,
    db: Path | None = None,
    languages: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    prompt: str = "plain",
    asking: Asking | None = None,
    provider: ProviderOptions | None = None,
    refresh: bool = False,
    max_cost: float | None = None,
    fallback: str | None = None,
    scoring: Options | None = None,
) -> RunReport:
    """Ask `models` the questions of `sets` and score the answers.

    With `ask="auto"`, the default, label probabilities are read from local models and text from all others. A run whose
    requests partly failed is returned, not raised: see `result.status` and each record's `coverage`.
    Raises UserError for bad input, ProviderError for a model that cannot be set up, CacheError for the file.
    """
    config = RunConfig(
        sets=tuple(s if isinstance(s, ProbeSet) else resolve(s) for s in sets),
        models=tuple(models),
        style=get_style(prompt),
        asking=asking or Asking(),
        languages=None if languages is None else tuple(canonical(tag) for tag in languages),
        items=Items(limit=limit, seed=seed),
        options=provider or ProviderOptions(),
        refresh=refresh,
        max_cost=max_cost,
        fallback=fallback,
    )
    with Store(db or home() / "clika.db") as store:
        result = evaluate(store, config, _Silent())
        return RunReport(result, score_store(store, run_id=result.run_id, options=scoring))


def score(db: Path | None = None, *, wanted: Wanted | None = None, scoring: Options | None = None) -> Scores:
    """Score what a database holds: no network, no key. Raises UserError, CacheError."""
    with Store(db or home() / "clika.db", read_only=True) as store:
        return score_store(store, wanted=wanted, options=scoring)


def compare(a: str, b: str, db: Path | None = None, *, scoring: Options | None = None) -> Comparison:
    """Is model `b` really better than model `a`, and in which languages? Raises UserError for unknown names."""
    with Store(db or home() / "clika.db", read_only=True) as store:
        loaded = load(store, Wanted(models=(a, b)))
    rows = [[block for block in loaded.blocks if block.key.model == name] for name in (a, b)]
    return compare_rows(rows[0], rows[1], loaded.sets, scoring)


def import_replies(path: Path, db: Path | None = None, *, options: ImportOptions | None = None) -> ImportReport:
    """Bring in replies that others collected; twice is as once. Raises UserError for what cannot be read."""
    with Store(db or home() / "clika.db") as store:
        return import_path(store, path, options)


class _Silent:
    """Listens to a run and shows nothing."""

    def planned(self, plans: Sequence[Plan]) -> None:
        """Nothing to show."""

    def started(self, plan: Plan) -> None:
        """Nothing to show."""

    def event(self, plan: Plan, event: Event) -> None:
        """Nothing to show."""
