"""Asking an experiment's questions as `clika run` asks: with their price, a budget, a dry run and progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clika_client.asking.run import RunResult
    from clika_client.conductivity.material import Form
    from clika_client.conductivity.question_sets import QuestionSet
    from clika_client.conductivity.replies import ExperimentReplies
    from clika_providers import ProviderOptions


def ask_questions(
    model: str,
    sets: Sequence[QuestionSet],
    form: Form,
    options: ProviderOptions,
    database: Path,
    material: str,
    *,
    max_cost: float | None = None,
    prices: Path | None = None,
    dry_run: bool = False,
    as_json: bool = False,
) -> ExperimentReplies | None:
    """What the model said, None for a dry run; what is stored in `database` is not asked again.

    Raises UserError, IncompleteRun or StoppedRun like `clika run`, with everything that arrived kept.
    """
    from clika_cache import canonical
    from clika_client.cli.job import RunJob
    from clika_client.conductivity.asking import replies
    from clika_client.conductivity.question_sets import run_config
    from clika_client.store.store import Store
    from clika_providers.registry import connect

    provider = connect(model, replace(options, need_key=not dry_run))
    spec, identity = provider.spec, canonical(dict(provider.identity))
    config = run_config(provider, sets, form, options=options, max_cost=max_cost, prices=prices)
    told: list[ExperimentReplies] = []
    database.parent.mkdir(parents=True, exist_ok=True)
    with Store(database) as store:

        def keep(result: RunResult) -> None:
            if result.status == "done":
                told.append(replies(store, result.run_id, sets, form, material, spec, identity))

        RunJob(store, config, dry_run=dry_run, as_json=as_json, report=keep).ask()
    return told[0] if told else None
