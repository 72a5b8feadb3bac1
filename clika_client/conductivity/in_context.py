"""In-context conductivity: facts told in English in the prompt, the question asked in X. Nothing is learned: not XRR.

For models that cannot be taught. Each prompt holds a small block of invented facts in English, the one that is
asked for among distractors on other continents, and then the question in X, with the place's name in X. Where X has
words of its own for places (coined names), the prompt also tells what the block's names are in X; respelled ones
(transliterated) can be found by comparing spellings alone, and the table says how often. The control asks for the same
facts in English after the same blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clika_client.conductivity import asking
from clika_client.conductivity.answerer import Answerer, name
from clika_client.conductivity.asking import Progress
from clika_client.conductivity.build import ANCHOR
from clika_client.conductivity.certainty import TeachingDifference, Xrr, json_number, paired_shares, xrr
from clika_client.conductivity.chance import shuffle
from clika_client.conductivity.free_answers import with_names
from clika_client.conductivity.gate import Count
from clika_client.conductivity.material import ExperimentQuestion, Form
from clika_client.conductivity.replies import ExperimentReplies
from clika_client.conductivity.score import split_by_likeness
from clika_client.conductivity.told_in_prompt import Setting, as_set, build, names_told, world_of
from clika_client.conductivity.trials import Trial
from clika_client.scoring.metrics.intervals import DRAWS
from clika_client.scoring.metrics.significance import holm
from clika_client.scoring.records import Figure
from clika_client.sets.fictional.facts import World
from clika_client.sets.fictional.language import read
from clika_providers import Provider

NAME = "in-context conductivity"


@dataclass(frozen=True, slots=True)
class LanguageResult:
    """One language beside the English control, on the same facts and blocks."""

    language: str
    same_script: bool
    asked: Count
    control: Count
    found: Xrr
    """Its `ratio` is to the control, its `conditional` given that is right; NaN where the control is 0."""
    copying: Count
    """What comparing the spelling of places alone would get right."""
    above_copying: TeachingDifference
    p_chance: float
    """One-sided, adjusted for all languages (Holm)."""
    splits: Mapping[str, Count]
    """By likeness of the place's name to its English one, where 50 facts are on each side; else empty."""
    answerer: Answerer

    @property
    def verdict(self) -> str:
        """What kind of answerer, in words that fit what was not taught."""
        return {"memoriser": "no better than chance", "conductor": "carries facts over"}.get(
            self.answerer.kind, self.answerer.kind
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One model's in-context conductivity."""

    model: str
    setting: Setting
    chance: float
    """Of picking any continent that the prompt offers."""
    languages: tuple[LanguageResult, ...]

    def to_records(self) -> list[dict[str, Any]]:
        """One flat row per language; what is undefined is None."""
        return [
            {
                "model": self.model,
                "measure": NAME,
                "language": row.language,
                "same_script": row.same_script,
                "form": self.setting.form,
                "facts_in_prompt": self.setting.facts,
                "n": row.asked.n,
                "accuracy": _plain(row.asked.figure),
                "no_answer": row.asked.no_answer,
                "control_accuracy": _plain(row.control.figure),
                "ratio_to_control": _plain(row.found.ratio),
                "conditional": _plain(row.found.conditional),
                "above_chance": _plain(row.found.above_chance),
                "chance": self.chance,
                "p_chance": round(row.p_chance, 6),
                "names": self.setting.names,
                "copying": _plain(row.copying.figure),
                "above_copying": {**_plain(row.above_copying), "p": round(row.above_copying.p, 6)},
                "verdict": row.verdict,
                "because": row.answerer.why,
                "splits": {side: _plain(count.figure) for side, count in row.splits.items()} or None,
            }
            for row in self.languages
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {"measure": NAME, "model": self.model, "seed": self.setting.seed, "languages": self.to_records()}


def measure(
    provider: Provider, setting: Setting, *, database: Path, progress: Progress = lambda done, total: None
) -> Result:
    """Ask through the cache and score; raises UserError for a bad setting, IncompleteRun for missing answers."""
    questions = build(setting)
    replies = asking.ask(
        provider, [as_set(setting, questions)], setting.form, database=database, material=NAME, progress=progress
    )
    return score(setting, questions, replies)


def score(
    setting: Setting, questions: Sequence[ExperimentQuestion], replies: ExperimentReplies, draws: int = DRAWS
) -> Result:
    """Every language beside the control, with intervals over facts, which come in continents."""
    world = world_of(setting)
    offered = setting.k if setting.form == "choice" else setting.facts
    by_language = {
        tag: [q for q in questions if q.language == tag] for tag in (ANCHOR, *dict.fromkeys(setting.languages))
    }
    names = names_told(world, by_language)
    replies = with_names(replies, {q.question_id: names[tag] for tag, mine in by_language.items() for q in mine})
    given = {tag: _given(world, tag, mine, replies) for tag, mine in by_language.items()}
    control = [name == q.answer for q, name in zip(by_language[ANCHOR], given[ANCHOR], strict=True)]
    trials = {
        tag: _trial(world, tag, mine, given[tag], control, offered, setting.form)
        for tag, mine in by_language.items()
        if tag != ANCHOR
    }
    chances = {tag: shuffle([trial], draws, setting.seed % 2**32).p for tag, trial in trials.items()}
    adjusted = dict(zip(chances, holm(list(chances.values())), strict=True))
    count = Count(sum(control), len(control), given[ANCHOR].count(None))
    rows = tuple(_result(tag, trial, by_language[tag], count, adjusted[tag]) for tag, trial in trials.items())
    return Result(replies.model, setting, 1 / offered, rows)


def _trial(
    world: World,
    tag: str,
    questions: Sequence[ExperimentQuestion],
    given: Sequence[str | None],
    control: Sequence[bool],
    offered: int,
    form: Form,
) -> Trial:
    number = {names[tag]: n for n, names in enumerate(world.continents)}
    answer = np.array([number[q.answer] for q in questions], np.int64)
    chosen = np.array([-1 if name is None else number[name] for name in given], np.int64)
    copied = [q.choices[q.copied_choice] if form == "choice" else q.copied for q in questions]
    return Trial(
        tuple(q.fact_id for q in questions),
        tuple(number),
        answer,
        chosen,
        np.array([number[name] for name in copied], np.int64),
        chosen == answer,
        np.array(control, np.bool_),
        None,
        np.zeros(len(questions), np.bool_),
        offered,
    )


def _result(
    tag: str, trial: Trial, questions: Sequence[ExperimentQuestion], control: Count, p: float
) -> LanguageResult:
    n = len(questions)
    copies = trial.copies_right
    above = paired_shares([trial], trial.asked[None, :].astype(np.float64), copies[None, :].astype(np.float64))
    return LanguageResult(
        tag,
        read(tag).spelling.script == read(ANCHOR).spelling.script,
        Count(int(trial.asked.sum()), n, int((trial.given < 0).sum())),
        control,
        xrr([trial]),
        Count(int(copies.sum()), n),
        above,
        p,
        split_by_likeness(trial, questions),
        name([trial], False, p, above),
    )


def _given(
    world: World, tag: str, questions: Sequence[ExperimentQuestion], replies: ExperimentReplies
) -> list[str | None]:
    """The continent each reply names, in the question's language.

    The English name of the continent counts too: no one told the model what X calls it.
    """
    found = [replies.by_id[q.question_id] for q in questions]
    if replies.form == "choice":
        return [None if r.choice is None else q.choices[r.choice] for q, r in zip(questions, found, strict=True)]
    number = [{names[language]: n for n, names in enumerate(world.continents)} for language in (tag, ANCHOR)]
    given: list[str | None] = []
    for reply in found:
        named = {of[name] for of, name in zip(number, reply.named, strict=False) if name is not None}
        given.append(world.continents[named.pop()][tag] if len(named) == 1 else None)
    return given


def _plain(figure: Figure | TeachingDifference) -> dict[str, float | None]:
    named = {"value": figure.value, "low": figure.low, "high": figure.high}
    return {name: json_number(value) for name, value in named.items()}
