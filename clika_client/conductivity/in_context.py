"""In-context conductivity: facts told in English in the prompt, the question asked in X. Nothing is learned: not XRR.

For models that cannot be taught. Each prompt holds a small block of invented facts in English, the one that is
asked for among distractors on other continents, and then the question in X, with the place's name in X. Where X has
words of its own for places (coined names), the prompt also tells what the block's names are in X; respelled ones
(transliterated) can be found by comparing spellings alone, and the table says how often. The control asks for the same
facts in English after the same blocks.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clika_client.answers.open.named import NamesOffered
from clika_client.common.errors import UserError
from clika_client.conductivity import asking
from clika_client.conductivity.answerer import Answerer, name
from clika_client.conductivity.asking import Progress
from clika_client.conductivity.build import ANCHOR, offer
from clika_client.conductivity.ceiling import with_copied
from clika_client.conductivity.certainty import TeachingDifference, Xrr, json_number, paired_shares, xrr
from clika_client.conductivity.chance import shuffle
from clika_client.conductivity.free_answers import with_names
from clika_client.conductivity.gate import Count
from clika_client.conductivity.material import ExperimentQuestion, Form
from clika_client.conductivity.question_sets import QuestionSet, question_set
from clika_client.conductivity.replies import ExperimentReplies
from clika_client.conductivity.score import split_by_likeness
from clika_client.conductivity.trials import Trial
from clika_client.scoring.metrics.intervals import DRAWS
from clika_client.scoring.metrics.significance import holm
from clika_client.scoring.records import Figure
from clika_client.sets.fictional.facts import SEED, Fact, World, make_world
from clika_client.sets.fictional.language import read
from clika_client.sets.fictional.names import NameKind, Names
from clika_client.sets.fictional.text import similarity
from clika_providers import Provider

NAME = "in-context conductivity"
PLACES = 20
"""Per continent: a prompt holds a few facts, so fewer than for teaching do."""
_HEAD = "Some facts:"
_FACT = "- The place {place} lies on the continent {continent}."
_NAMES = "Some names:"
_NAME = "- In {language}, {english} is called {name}."


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
    names: NameKind = "coined"


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


def world_of(setting: Setting) -> World:
    """The invented facts that prompts are made of."""
    return make_world(setting.seed, places=PLACES, names=setting.names)


def as_set(setting: Setting, questions: Sequence[ExperimentQuestion]) -> QuestionSet:
    """The questions as one set, the same facts in English and in each language."""
    languages = dict.fromkeys(q.language for q in questions)
    by_language = {tag: [q for q in questions if q.language == tag] for tag in languages}
    offered = _offered(world_of(setting), by_language)
    return question_set("in-context", by_language, setting.form, {"facts": str(setting.facts)}, offered)


def _offered(world: World, languages: Iterable[str]) -> dict[str, tuple[NamesOffered, ...]]:
    """Every continent by its name in the language, and in English too: no one told the model what X calls it."""
    named = {tag: NamesOffered(tag, tuple(names[tag] for names in world.continents)) for tag in (ANCHOR, *languages)}
    return {tag: tuple(dict.fromkeys((named[tag], named[ANCHOR]))) for tag in languages}


def build(setting: Setting) -> tuple[ExperimentQuestion, ...]:
    """The control's questions, then those of each language; raises UserError for a setting that cannot be."""
    world = world_of(setting)
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
) -> ExperimentQuestion:
    told = [_FACT.format(place=f.place[ANCHOR], continent=world.answer(f, ANCHOR)) for f in block]
    if world.names == "coined" and tag != ANCHOR:
        told += ["", _NAMES, *_named(world, tag, block)]
    wordings = read(tag).test
    asked = wordings[number % len(wordings)].format(place=fact.place[tag])
    question = ExperimentQuestion(
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
    places = [(f.place[ANCHOR], world.answer(f, tag)) for f in block]
    return with_copied([question], [fact.place[tag]], places)[0]


def _named(world: World, tag: str, block: Sequence[Fact]) -> list[str]:
    """The block's places and continents by their names in a language, in the order of those names."""
    things: list[Names] = [names for f in block for names in (f.place, world.continents[f.continent])]
    language = read(tag).name
    return [
        _NAME.format(language=language, english=names[ANCHOR], name=names[tag])
        for names in sorted(things, key=lambda names: names[tag])
    ]


def score(
    setting: Setting, questions: Sequence[ExperimentQuestion], replies: ExperimentReplies, draws: int = DRAWS
) -> Result:
    """Every language beside the control, with intervals over facts, which come in continents."""
    world = world_of(setting)
    offered = setting.k if setting.form == "choice" else setting.facts
    by_language = {
        tag: [q for q in questions if q.language == tag] for tag in (ANCHOR, *dict.fromkeys(setting.languages))
    }
    names = _offered(world, by_language)
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
