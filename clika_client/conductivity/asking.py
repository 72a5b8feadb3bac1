"""Asks a model the questions of an experiment in a run like every other; what it said is kept in one file per form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clika_cache import canonical
from clika_client.answers.cells import read_cell, reading_stamp
from clika_client.answers.open.named import NAMED
from clika_client.asking.plan import Plan
from clika_client.asking.run import PreparedRun, RunResult, SilentListener
from clika_client.asking.workers import Event
from clika_client.common.errors import ClikaError, IncompleteRun, UserError
from clika_client.common.running import finish
from clika_client.conductivity.formats import write_text
from clika_client.conductivity.material import Form
from clika_client.conductivity.question_sets import QuestionSet, run_config
from clika_client.sets.packed import set_digest
from clika_client.store.store import Store
from clika_providers import Provider

FORMS: tuple[Form, ...] = ("text", "choice")
FREE_READING = reading_stamp(NAMED)


@dataclass(frozen=True, slots=True)
class ExperimentReply:
    """What came back for one question."""

    text: str
    choice: int | None = None
    """Index into the question's choices; None for no answer, or a free one that names what other questions offer."""


@dataclass(frozen=True, slots=True)
class ExperimentReplies:
    """All replies of one model to one material, in one form."""

    model: str
    identity: str
    """Canonical JSON of everything about the model that can change an answer."""
    material: str
    """Digest of the material's folder."""
    form: Form
    by_id: Mapping[str, ExperimentReply]
    reading: str = ""
    """With its version, the reading that free replies were read by; by another one their choices do not count."""


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
    """What a finished run stored: each reply and the choice that it is read as, a free one by the name it gives."""
    asked = {set_digest(one.probe_set): one for one in sets}
    by_id: dict[str, ExperimentReply] = {}
    for cell in store.cells(run_id):
        one = asked[store.set_digest(cell.key.set_id)]
        questions = one.questions[cell.key.language]
        found = store.replies(cell)
        choices = read_cell(store, cell, NAMED if form == "text" else "standard", one.probe_set).choices
        for position, text in zip(found.positions.tolist(), found.texts, strict=True):
            chosen = None if choices[position] < 0 else int(choices[position])
            by_id[questions[position].question_id] = ExperimentReply(text, chosen)
    ordered = [q.question_id for one in sets for some in one.questions.values() for q in some]
    return ExperimentReplies(spec, identity, material, form, {key: by_id[key] for key in ordered}, FREE_READING)


def save(replies: ExperimentReplies, path: Path) -> None:
    """Write a whole file or nothing."""
    document = {
        "model": replies.model,
        "identity": replies.identity,
        "material": replies.material,
        "form": replies.form,
        "reading": replies.reading,
        "replies": {key: [reply.text, reply.choice] for key, reply in replies.by_id.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(document, ensure_ascii=False, indent=0) + "\n")


def load(path: Path, material: str) -> ExperimentReplies | None:
    """The replies in a file, None where there is none; raises UserError for replies to other material."""
    if not path.exists():
        return None
    try:
        doc = json.loads(path.read_text("utf-8"))
        by_id = {key: ExperimentReply(text, choice) for key, (text, choice) in doc["replies"].items()}
        found = ExperimentReplies(
            doc["model"], doc["identity"], doc["material"], doc["form"], by_id, doc.get("reading", "")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a file of replies ({error}); delete it and ask again") from None
    if found.material != material:
        raise UserError(f"{path} holds replies to other material; delete it, or name another folder")
    return found
