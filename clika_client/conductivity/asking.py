"""Asks a model the questions of an experiment through the cache, and keeps what it said in one file per form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clika_cache import CachedProvider, Database, Writer, canonical
from clika_client.common.errors import IncompleteRun, UserError
from clika_client.conductivity.build import ask_as_choice
from clika_client.conductivity.formats import write_text
from clika_client.conductivity.material import Form, Question
from clika_providers import Completion, Message, Provider, ProviderError, Request, RunError

FORMS: tuple[Form, ...] = ("text", "choice")
MAX_TOKENS = 48
"""Of a free-text answer: a sentence with a long name, in scripts that take many tokens too."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one question: the text, or the choice with the highest probability."""

    text: str
    choice: int | None = None
    """Index into the question's choices; None for a free-text answer, which is read when it is scored."""


@dataclass(frozen=True, slots=True)
class Replies:
    """All replies of one model to one material, in one form."""

    model: str
    identity: str
    """Canonical JSON of everything about the model that can change an answer."""
    material: str
    """Digest of the material's folder."""
    form: Form
    by_id: Mapping[str, Reply]


Progress = Callable[[int, int], None]
"""(answered, all)"""


def ask(
    provider: Provider,
    questions: Sequence[Question],
    form: Form,
    *,
    database: Path,
    material: str,
    progress: Progress = lambda done, total: None,
) -> Replies:
    """Ask every question once and close the provider; what is in the cache is not asked again.

    Raises IncompleteRun when some were not answered: what arrived is kept, and the same call asks the rest.
    """
    return asyncio.run(_ask(provider, questions, form, database, material, progress))


async def _ask(
    provider: Provider, questions: Sequence[Question], form: Form, path: Path, material: str, progress: Progress
) -> Replies:
    path.parent.mkdir(parents=True, exist_ok=True)
    database = Database(path)
    writer = Writer(database)
    try:
        cached = CachedProvider(provider, database, writer)
        by_id, errors = await _ask_all(cached, questions, form, progress)
    finally:
        writer.close()
        await provider.aclose()
        database.close()
    if errors:
        raise IncompleteRun(
            f"{len(questions) - len(by_id)} of {len(questions)} questions got no answer from {provider.spec} "
            f"({errors[0]}); what arrived is kept, and the same command asks only the rest"
        )
    ordered = {q.question_id: by_id[q.question_id] for q in questions}
    return Replies(provider.spec, canonical(dict(provider.identity)), material, form, ordered)


async def _ask_all(
    cached: CachedProvider, questions: Sequence[Question], form: Form, progress: Progress
) -> tuple[dict[str, Reply], list[ProviderError]]:
    by_id: dict[str, Reply] = {}
    errors: list[ProviderError] = []
    source: Iterator[Question] = iter(questions)
    local = cached.spec.startswith("gguf/")

    async def work() -> None:
        for question in source:
            if any(isinstance(error, RunError) for error in errors):
                return
            try:
                completion = await cached.complete(request(question, form, local=local))
            except ProviderError as error:
                errors.append(error)
                continue
            by_id[question.question_id] = read(question, form, completion)
            progress(len(by_id), len(questions))

    await asyncio.gather(*(work() for _ in range(max(1, min(cached.concurrency, len(questions))))))
    return by_id, errors


def request(question: Question, form: Form, *, local: bool) -> Request:
    """Free text: the question alone. Choice: the question with its choices, read from label probabilities of a
    local model and from the reply of any other."""
    if form == "text":
        return Request((Message("user", question.text),), max_tokens=MAX_TOKENS)
    prompt, labels = ask_as_choice(question.text, question.language, question.choices)
    return Request((Message("user", prompt),), mode="logprobs" if local else "text", labels=labels, max_tokens=32)


def read(question: Question, form: Form, completion: Completion) -> Reply:
    """The reply as it is kept."""
    if form == "text":
        return Reply(completion.text)
    if completion.choice_logprobs is not None:
        figures = [float("-inf") if x is None else x for x in completion.choice_logprobs]
        return Reply(completion.text, figures.index(max(figures)) if max(figures) > float("-inf") else None)
    from clika_client.answers.read import read_answer

    _, labels = ask_as_choice(question.text, question.language, question.choices)
    answer = read_answer(completion.text, labels, question.choices, question.language)
    return Reply(completion.text, answer.choice)


def save(replies: Replies, path: Path) -> None:
    """Write a whole file or nothing."""
    document = {
        "model": replies.model,
        "identity": replies.identity,
        "material": replies.material,
        "form": replies.form,
        "replies": {key: [reply.text, reply.choice] for key, reply in replies.by_id.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(document, ensure_ascii=False, indent=0) + "\n")


def load(path: Path, material: str) -> Replies | None:
    """The replies in a file, None where there is none; raises UserError for replies to other material."""
    if not path.exists():
        return None
    try:
        doc = json.loads(path.read_text("utf-8"))
        by_id = {key: Reply(text, choice) for key, (text, choice) in doc["replies"].items()}
        found = Replies(doc["model"], doc["identity"], doc["material"], doc["form"], by_id)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a file of replies ({error}); delete it and ask again") from None
    if found.material != material:
        raise UserError(f"{path} holds replies to other material; delete it, or name another folder")
    return found
