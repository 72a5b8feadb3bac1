"""The command line's operations as functions, with typed results; they also work where an event loop is running."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from clika_client.asking.asked_sets import find_set
from clika_client.asking.config import RunConfig
from clika_client.asking.plan import Items
from clika_client.asking.repeatable import repeatable
from clika_client.asking.run import PreparedRun, RunResult, SilentListener
from clika_client.asking.settings import Asking
from clika_client.common.languages import canonical
from clika_client.common.paths import home
from clika_client.common.running import finish, in_thread
from clika_client.common.tabular import Tabular
from clika_client.importers.common import ImportReport
from clika_client.importers.detect import ImportOptions, import_path
from clika_client.prompts.catalogue import get_style
from clika_client.report.rows.export import export as export_rows
from clika_client.report.rows.export import relation
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.compare import compare as compare_rows
from clika_client.scoring.differences import Comparison
from clika_client.scoring.load import load
from clika_client.scoring.records import Scores
from clika_client.scoring.score import Options, score_store
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import Store
from clika_providers import Provider, ProviderOptions
from clika_providers.cluster.settings import ClusterOptions

OneSet: TypeAlias = str | Path | ProbeSet
Sets: TypeAlias = OneSet | Sequence[OneSet]
"""Probe sets: names, files, `stored:DIGEST` (of the database), or sets made in Python; one or several."""
Models: TypeAlias = str | Provider | Sequence[str | Provider]
"""Specs (`provider/model`) or providers; one or several."""


@dataclass(frozen=True, slots=True)
class Rows(Tabular):
    """Flat rows for data frames; docs/sql.md says what each column holds."""

    what: str
    records: tuple[dict[str, Any], ...]

    def to_records(self) -> list[dict[str, Any]]:
        """One dictionary per row."""
        return list(self.records)


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended, and the scores of what it asked."""

    result: RunResult
    scores: Scores

    def _repr_html_(self) -> str:
        return self.scores._repr_html_()


def run(
    sets: Sets,
    models: Models,
    *,
    db: Path | str | None = None,
    languages: Sequence[str] | None = None,
    items: Items | None = None,
    limit: int | None = None,
    prompt: str = "plain",
    shots: int = 0,
    asking: Asking | None = None,
    provider: ProviderOptions | None = None,
    refresh: bool = False,
    max_cost: float | None = None,
    fallback: str | Provider | None = None,
    cluster: ClusterOptions | None = None,
    scoring: Options | None = None,
) -> RunReport:
    """Ask `models` the questions of `sets` and score the answers; waits until all is done, in a notebook too.

    A model is a spec (`openai/…`) or a Provider of your own, which is closed at the end. `limit` asks so
    many items, `items` says more about which; the same ones in every language. `shots` worked examples of the set's own
    reserved questions stand before each question. `max_cost` is in US dollars.
    With `cluster`, models named by a spec are asked through the actors of a Ray cluster (docs/scale.md).
    How a model is asked is decided by `asking.ask`: with `auto`, the default, hosted models are asked for
    text, local ones as a short probe of each advises. A run whose requests partly failed is returned, not raised: see
    `result.status` and each record's `coverage`. Raises UserError for bad input, ProviderError for a model that cannot
    be set up, CacheError for the file; all are ClikaError.
    """
    config = _config(
        db, sets, models, languages, items, limit, prompt, shots, asking, provider, refresh, max_cost, fallback,
        cluster,
    )  # fmt: skip
    with Store(_path(db)) as store:
        prepared = PreparedRun(store, config)
        result = finish(lambda: prepared.ask(SilentListener()))
        return RunReport(result, score_store(store, run_id=result.run_id, options=scoring))


async def arun(
    sets: Sets,
    models: Models,
    *,
    db: Path | str | None = None,
    languages: Sequence[str] | None = None,
    items: Items | None = None,
    limit: int | None = None,
    prompt: str = "plain",
    shots: int = 0,
    asking: Asking | None = None,
    provider: ProviderOptions | None = None,
    refresh: bool = False,
    max_cost: float | None = None,
    fallback: str | Provider | None = None,
    cluster: ClusterOptions | None = None,
    scoring: Options | None = None,
) -> RunReport:
    """As `run`, in the running event loop: other tasks go on while models are asked. Cancelling keeps what arrived."""
    config = _config(
        db, sets, models, languages, items, limit, prompt, shots, asking, provider, refresh, max_cost, fallback,
        cluster,
    )  # fmt: skip
    with Store(_path(db)) as store:
        prepared = PreparedRun(store, config)
        result = await prepared.ask(SilentListener())
        return await in_thread(lambda: RunReport(result, score_store(store, run_id=result.run_id, options=scoring)))


def score(db: Path | str | None = None, *, wanted: Wanted | None = None, scoring: Options | None = None) -> Scores:
    """Score what a database holds: no network, no key. Raises UserError, CacheError."""
    with Store(_path(db), read_only=True) as store:
        return score_store(store, wanted=wanted, options=scoring)


def compare(a: str, b: str, db: Path | str | None = None, *, scoring: Options | None = None) -> Comparison:
    """Is model `b` really better than model `a`, and in which languages? Raises UserError for unknown names."""
    with Store(_path(db), read_only=True) as store:
        loaded = load(store, Wanted(models=(a, b)))
    rows = [[block for block in loaded.blocks if block.key.model == name] for name in (a, b)]
    return compare_rows(rows[0], rows[1], loaded.sets, scoring)


def rows(
    what: str = "replies",
    db: Path | str | None = None,
    *,
    wanted: Wanted | None = None,
    scoring: Options | None = None,
) -> Rows:
    """One row per stored reply (or of `items`, `scores`, `runs`), all in memory. Raises UserError, CacheError."""
    with Store(_path(db), read_only=True) as store:
        return Rows(what, tuple(relation(store, what, wanted, scoring)))


def export(
    path: Path | str,
    what: str = "replies",
    db: Path | str | None = None,
    *,
    wanted: Wanted | None = None,
    scoring: Options | None = None,
) -> int:
    """Write the same rows to a .parquet, .csv or .jsonl file, or all of them to a .sqlite file; returns how many.

    They are streamed: a million replies need little memory. Raises UserError, CacheError.
    """
    with Store(_path(db), read_only=True) as store:
        return export_rows(store, Path(path), what, wanted, scoring)


def import_replies(
    path: Path | str, db: Path | str | None = None, *, options: ImportOptions | None = None
) -> ImportReport:
    """Bring in replies that others collected; twice is as once. Raises UserError for what cannot be read."""
    with Store(_path(db)) as store:
        return import_path(store, Path(path), options)


def _path(db: Path | str | None) -> Path:
    return home() / "clika.db" if db is None else Path(db)


def _config(
    db: Path | str | None,
    sets: Sets,
    models: Models,
    languages: Sequence[str] | None,
    items: Items | None,
    limit: int | None,
    prompt: str,
    shots: int,
    asking: Asking | None,
    provider: ProviderOptions | None,
    refresh: bool,
    max_cost: float | None,
    fallback: str | Provider | None,
    cluster: ClusterOptions | None,
) -> RunConfig:
    several_sets: Sequence[OneSet] = (sets,) if isinstance(sets, str | Path | ProbeSet) else sets
    several_models = (models,) if isinstance(models, str) or not isinstance(models, Sequence) else tuple(models)
    asking, provider = asking or Asking(), provider or ProviderOptions()
    items = replace(items or Items(), limit=limit) if limit is not None else items or Items()
    settings = repeatable(
        several_sets, several_models, asking=asking, items=items, options=provider,
        languages=None if languages is None else ",".join(languages), prompt=prompt, shots=shots, max_cost=max_cost,
        fallback=fallback, cluster=cluster,
    )  # fmt: skip
    return RunConfig(
        sets=tuple(s if isinstance(s, ProbeSet) else find_set(str(s), _path(db)) for s in several_sets),
        models=several_models,
        style=get_style(prompt, shots),
        asking=asking,
        languages=None if languages is None else tuple(canonical(tag) for tag in languages),
        items=items,
        options=provider,
        refresh=refresh,
        max_cost=max_cost,
        fallback=fallback,
        cluster=cluster,
        settings=settings,
    )
