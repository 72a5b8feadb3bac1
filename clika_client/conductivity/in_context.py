"""In-context conductivity: facts told in English in the prompt, the question asked in X. Nothing is learned: not XRR.

For models that cannot be taught. Each prompt holds a small block of invented facts in English, the one that is
asked for among distractors on other continents, and then the question in X, with the place's name as X spells
it. The control asks for the same facts in English after the same blocks.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clika_client.common.errors import UserError
from clika_client.conductivity import asking
from clika_client.conductivity.asking import Progress, Replies
from clika_client.conductivity.build import ANCHOR, offer
from clika_client.conductivity.matching import Matcher
from clika_client.conductivity.material import Form, Question
from clika_client.conductivity.question_sets import QuestionSet, question_set
from clika_client.conductivity.score import Count, Figure
from clika_client.scoring.metrics.intervals import DRAWS, Resampler, percentile_interval
from clika_client.sets.fictional.facts import SEED, Fact, World, make_world
from clika_client.sets.fictional.language import read
from clika_client.sets.fictional.text import similarity
from clika_providers import Provider

if TYPE_CHECKING:
    from rich.console import Console

NAME = "in-context conductivity"
_HEAD = "Some facts:"
_FACT = "- The place {place} lies on the continent {continent}."


@dataclass(frozen=True, slots=True)
class Setting:
    """What is asked; the same setting, the same prompts."""

    languages: tuple[str, ...]
    facts: int = 8
    """Facts in each prompt, the one asked for included; each lies on a continent of its own."""
    limit: int = 100
    """Questions per language, the same facts in every language."""
    form: Form = "text"
    k: int = 4
    """Choices, where the form is `choice`."""
    seed: int = SEED


@dataclass(frozen=True, slots=True)
class LanguageResult:
    """One language beside the English control, on the same facts and blocks."""

    language: str
    same_script: bool
    asked: Count
    control: Count
    ratio: Figure
    """Accuracy in the language / accuracy in English; NaN where English is 0."""
    conditional: Figure
    """P(right in the language given right in English)."""


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
                "ratio_to_control": _plain(row.ratio),
                "conditional": _plain(row.conditional),
                "chance": self.chance,
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


def as_set(setting: Setting, questions: Sequence[Question]) -> QuestionSet:
    """The questions as one set, the same facts in English and in each language."""
    languages = dict.fromkeys(q.language for q in questions)
    by_language = {tag: [q for q in questions if q.language == tag] for tag in languages}
    return question_set("in-context", by_language, setting.form, {"facts": str(setting.facts)})


def build(setting: Setting) -> tuple[Question, ...]:
    """The control's questions, then those of each language; raises UserError for a setting that cannot be."""
    world = make_world(setting.seed)
    continents = len(world.continents)
    if not 2 <= setting.facts <= continents:
        raise UserError(f"--facts must be 2 to {continents}, the number of continents, got {setting.facts}")
    if not 2 <= setting.k <= setting.facts:
        raise UserError(f"--k must be 2 to {setting.facts}, the number of facts in a prompt, got {setting.k}")
    languages = tuple(dict.fromkeys(setting.languages))
    if not languages or ANCHOR in languages:
        raise UserError("name languages beside English with --language; English itself is the control")
    rng = random.Random(f"clika in-context {setting.seed} {setting.facts} {setting.k}")
    chosen = rng.sample(world.facts, min(setting.limit, len(world.facts)))
    asked = [(fact, _block(world, fact, setting.facts, rng)) for fact in chosen]
    offers = [offer(range(len(block)), block.index(fact), setting.k, rng) for fact, block in asked]
    return tuple(
        _question(world, tag, number, fact, block, [block[n].continent for n in order], gold)
        for tag in (ANCHOR, *languages)
        for number, ((fact, block), (order, gold)) in enumerate(zip(asked, offers, strict=True))
    )


def _block(world: World, fact: Fact, size: int, rng: random.Random) -> list[Fact]:
    """The fact and its distractors in random order, each on another continent."""
    others = rng.sample([c for c in range(len(world.continents)) if c != fact.continent], size - 1)
    block = [fact, *(rng.choice([f for f in world.facts if f.continent == c]) for c in others)]
    rng.shuffle(block)
    return block


def _question(
    world: World, tag: str, number: int, fact: Fact, block: Sequence[Fact], offered: Sequence[int], gold: int
) -> Question:
    told = [_FACT.format(place=f.place[ANCHOR], continent=world.answer(f, ANCHOR)) for f in block]
    wordings = read(tag).test
    asked = wordings[number % len(wordings)].format(place=fact.place[tag])
    return Question(
        f"in-context.{tag}.{fact.fact_id}",
        tag,
        "control" if tag == ANCHOR else "in-context",
        tag,
        fact.fact_id,
        "\n".join([_HEAD, *told, "", asked]),
        world.answer(fact, tag),
        tuple(world.continents[c][tag] for c in offered),
        gold,
        round(similarity(fact.place[tag], fact.place[ANCHOR]), 4),
    )


def score(setting: Setting, questions: Sequence[Question], replies: Replies, draws: int = DRAWS) -> Result:
    """Every language beside the control, with intervals from one paired bootstrap over facts."""
    right: dict[str, npt.NDArray[np.bool_]] = {}
    unread: dict[str, int] = {}
    for tag in (ANCHOR, *dict.fromkeys(setting.languages)):
        mine = [q for q in questions if q.language == tag]
        given = _given(make_world(setting.seed), tag, mine, replies)
        right[tag] = np.array([name == q.answer for q, name in zip(mine, given, strict=True)], np.bool_)
        unread[tag] = sum(name is None for name in given)
    script = read(ANCHOR).spelling.script
    n = right[ANCHOR].size
    resampler = Resampler(n, draws, setting.seed % 2**32)
    counts = {tag: Count(int(hits.sum()), n, unread[tag]) for tag, hits in right.items()}
    rows = tuple(
        LanguageResult(
            tag,
            read(tag).spelling.script == script,
            counts[tag],
            counts[ANCHOR],
            *_ratios(right[ANCHOR], right[tag], resampler),
        )
        for tag in right
        if tag != ANCHOR
    )
    offered = setting.k if setting.form == "choice" else setting.facts
    return Result(replies.model, setting, 1 / offered, rows)


def _given(world: World, tag: str, questions: Sequence[Question], replies: Replies) -> list[str | None]:
    """The continent each reply names, in the question's language.

    The English name of the continent counts too: no one told the model what X calls it.
    """
    found = [replies.by_id[q.question_id] for q in questions]
    if replies.form == "choice":
        return [None if r.choice is None else q.choices[r.choice] for q, r in zip(questions, found, strict=True)]
    here = [names[tag] for names in world.continents]
    native = Matcher(here, tag)
    english = Matcher([names[ANCHOR] for names in world.continents], ANCHOR)
    given: list[str | None] = []
    for reply in found:
        named = {m.index for m in (native.match(reply.text), english.match(reply.text)) if m.index is not None}
        given.append(here[named.pop()] if len(named) == 1 else None)
    return given


def _ratios(
    control: npt.NDArray[np.bool_], asked: npt.NDArray[np.bool_], resampler: Resampler
) -> tuple[Figure, Figure]:
    both = control & asked
    base = int(control.sum())
    values = [float(asked.sum()) / base if base else math.nan, float(both.sum()) / base if base else math.nan]
    sums = resampler.sums(np.stack([control, asked, both])).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = (sums[1] / sums[0], sums[2] / sums[0])
    ratio, conditional = (
        Figure(value, *map(float, percentile_interval(np.where(np.isfinite(row), row, np.nan))))
        for value, row in zip(values, drawn, strict=True)
    )
    return ratio, conditional


def render(result: Result, console: Console) -> None:
    """Print the table."""
    from rich.table import Table
    from rich.text import Text

    from clika_client.common.safe_text import shown

    setting = result.setting
    console.print(
        Text(
            f"In-context conductivity of {shown(result.model)}: {setting.facts} facts told in English in each prompt, "
            f"chance {result.chance:.3f}",
            style="bold",
        )
    )
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold", pad_edge=False)
    for number, column in enumerate(
        ("asked in", "n", "right", "right in English", "ratio", "right if right in English")
    ):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in result.languages:
        figures = (row.asked.figure, row.control.figure, row.ratio, row.conditional)
        table.add_row(row.language, str(row.asked.n), *map(_cell, figures))
    console.print(table)
    console.print(
        Text("This is not XRR: nothing was taught, the facts stand in the prompt. Intervals: 95 %.", style="dim")
    )
    if any(row.control.figure.value < 0.9 for row in result.languages):
        console.print(
            Text("The control is below 90 %: the model does not use the prompt well even in English.", style="yellow")
        )


def _cell(figure: Figure) -> str:
    if math.isnan(figure.value):
        return "–"
    ends = "" if math.isnan(figure.low) else f"\n{figure.low:.2f}–{figure.high:.2f}"
    return f"{figure.value:.3f}{ends}"


def _plain(figure: Figure) -> dict[str, float | None]:
    named = {"value": figure.value, "low": figure.low, "high": figure.high}
    return {name: None if math.isnan(value) else round(value, 6) for name, value in named.items()}
