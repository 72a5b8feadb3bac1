"""Asks a model the questions of an experiment in a run like every other, and reads what is stored of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from clika_cache import canonical
from clika_client.answers.cells import read_cell
from clika_client.answers.given import names_given
from clika_client.answers.open.named import NAMED
from clika_client.asking.plan import Plan
from clika_client.asking.run import PreparedRun, RunResult, SilentListener
from clika_client.asking.workers import Event
from clika_client.common.errors import ClikaError, IncompleteRun
from clika_client.common.running import finish
from clika_client.conductivity.material import Form
from clika_client.conductivity.question_sets import QuestionSet, run_config
from clika_client.conductivity.replies import ExperimentReplies, ExperimentReply
from clika_client.sets.packed import set_digest
from clika_client.store.store import Store
from clika_providers import Provider

FORMS: tuple[Form, ...] = ("text", "choice")


Progress = Callable[[int, int], None]
"""(answered, all)"""


class _Counter(SilentListener):
    """Listens to a run and tells how many questions are answered."""

    def __init__(self, progress: Progress, answered: int, total: int) -> None:
        self.progress, self.answered, self.total = progress, answered, total

    def event(self, plan: Plan, event: Event) -> None:
        """One request ended."""
        if event.error is None:
            self.answered += 1
            self.progress(self.answered, self.total)


def ask(
    provider: Provider,
    sets: Sequence[QuestionSet],
    form: Form,
    *,
    database: Path,
    material: str,
    progress: Progress = lambda done, total: None,
) -> ExperimentReplies:
    """Ask every question once and close the provider; what is stored is not asked again.

    Raises IncompleteRun when some were not answered: what arrived is kept, and the same call asks the rest.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    spec, identity = provider.spec, canonical(dict(provider.identity))
    with Store(database) as store:
        run = PreparedRun(store, run_config(provider, sets, form))
        plan = run.plans[0]
        result = finish(lambda: run.ask(_Counter(progress, plan.total - plan.missing, plan.total)))
        if result.status != "done":
            raise _unfinished(spec, result)
        return replies(store, result.run_id, sets, form, material, spec, identity)


def _unfinished(spec: str, result: RunResult) -> ClikaError:
    """Why a run is not through; what arrived is kept."""
    (outcome,) = result.outcomes
    why = outcome.stop or next(iter(outcome.reasons), "asking was stopped")
    return IncompleteRun(
        f"{outcome.to_ask - outcome.answered - outcome.shared} of {outcome.to_ask} questions got no answer from {spec} "
        f"({why}); what arrived is kept, and the same command asks only the rest"
    )


def replies(
    store: Store, run_id: str, sets: Sequence[QuestionSet], form: Form, material: str, spec: str, identity: str
) -> ExperimentReplies:
    """What a finished run stored: each reply, and what it is read as: a choice, or the names that a free one gives."""
    asked = {set_digest(one.probe_set): one for one in sets}
    by_id: dict[str, ExperimentReply] = {}
    for cell in store.cells(run_id):
        one = asked[store.set_digest(cell.key.set_id)]
        questions = one.questions[cell.key.language]
        found = store.replies(cell)
        texts = zip(found.positions.tolist(), found.texts, strict=True)
        if form == "text":
            lists = [names_given(store, cell, one.probe_set.n, offered) for offered in one.offered[cell.key.language]]
            read = {at: ExperimentReply(text, None, tuple(given[at] for given in lists)) for at, text in texts}
        else:
            choices = read_cell(store, cell, "standard", one.probe_set).choices.tolist()
            read = {at: ExperimentReply(text, None if choices[at] < 0 else choices[at]) for at, text in texts}
        by_id |= {questions[at].question_id: reply for at, reply in read.items()}
    ordered = [q.question_id for one in sets for some in one.questions.values() for q in some]
    return ExperimentReplies(spec, identity, material, form, {key: by_id[key] for key in ordered}, NAMED)
