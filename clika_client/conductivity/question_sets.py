"""The questions of an experiment as probe sets and how they are asked: planned, priced and kept like all others.

Free answers are asked with the question alone, as the teaching data has it; choices as every set of choices is, in the
style `plain`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clika_client.answers.open.named import NamesOffered
from clika_client.asking.config import RunConfig
from clika_client.asking.settings import Asking
from clika_client.conductivity.free_answers import by_part, offered_by_part
from clika_client.conductivity.material import ExperimentQuestion, Form
from clika_client.prompts.catalogue import get_style
from clika_client.prompts.layout import Layout
from clika_client.prompts.style import Style
from clika_client.sets.probes import OPEN, Item, Probe, ProbeSet, build
from clika_client.sets.wording import compile_text, latin_labels
from clika_providers import Provider

MAX_TOKENS = 48
"""Of a free-text answer: a sentence with a long name, in scripts that take many tokens too."""


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions in the order of a set's items, in each of its languages."""

    probe_set: ProbeSet
    questions: Mapping[str, Sequence[ExperimentQuestion]]
    """Language → one question per item."""
    offered: Mapping[str, tuple[NamesOffered, ...]]
    """Language → the names that free answers to its questions are read for, in one language after another."""


def sets_of_parts(questions: Iterable[ExperimentQuestion], form: Form) -> list[QuestionSet]:
    """One set per part of each pair: a gate or the test, in the one language that it asks in."""
    parts = by_part(questions)
    offered = offered_by_part(parts)
    return [
        question_set(
            f"teach-{pair}-{part}",
            {some[0].language: some},
            form,
            {"pair": pair, "part": part},
            {some[0].language: offered[pair, part]},
        )
        for (pair, part), some in parts.items()
    ]


def question_set(
    name: str,
    by_language: Mapping[str, Sequence[ExperimentQuestion]],
    form: Form,
    tags: Mapping[str, str],
    offered: Mapping[str, tuple[NamesOffered, ...]],
) -> QuestionSet:
    """A set of the same questions in the same order in each language; open where answers are free."""
    ids = [f"{number:04d} {q.fact_id}" for number, q in enumerate(next(iter(by_language.values())), 1)]
    probes = [
        Probe(item_id, language, q.text, q.choices, q.gold)
        for language, some in by_language.items()
        for item_id, q in zip(ids, some, strict=True)
    ]
    meta = {OPEN: "free answers"} if form == "text" else {}
    items = [Item(item_id, tags) for item_id in ids]
    probe_set = build(name, items, probes, licence="MIT", source="clika teach", meta=meta)
    return QuestionSet(probe_set, by_language, offered)


def run_config(model: Provider, sets: Sequence[QuestionSet], form: Form, **more: object) -> RunConfig:
    """How the questions are asked; `more` are further fields of the RunConfig, such as `max_cost`."""
    probe_sets = tuple(one.probe_set for one in sets)
    if form == "text":
        return RunConfig(probe_sets, (model,), ALONE, Asking("open", MAX_TOKENS), **more)  # type: ignore[arg-type]
    # A model that is asked for probabilities is taught letters, too: which way suits it better is not the question.
    ask = "logprobs" if model.usual_ask == "logprobs" else "text"
    return RunConfig(probe_sets, (model,), get_style("plain"), Asking(ask), **more)  # type: ignore[arg-type]


def _alone(language: str, k: int, meta: Mapping[str, str]) -> Layout:
    return Layout(compile_text(_QUESTION), latin_labels(k), language=language)


_QUESTION = "{question}"
ALONE = Style(
    name="question-alone",
    version="1",
    about="The question and nothing else.",
    make_layout=_alone,
    content=lambda: _QUESTION,
    builtin=False,
)
