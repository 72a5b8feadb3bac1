"""Builds teaching material from `fictional`: what is told in which language, and what is asked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from clika_client.common.errors import UserError
from clika_client.conductivity.ceiling import with_copied
from clika_client.conductivity.material import PARTS, TEST, ExperimentQuestion, Form, Material, Pair, TeachingExample
from clika_client.sets.fictional.facts import CONTINENTS, PLACES, SEED, Fact, World, make_world
from clika_client.sets.fictional.language import Language, name_wording, read
from clika_client.sets.fictional.names import NameKind, Names
from clika_client.sets.fictional.text import similarity
from clika_client.sets.probes import Probe, ProbeSet

ANCHOR = "en"
Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class TeachingPlan:
    """What to build."""

    languages: tuple[str, ...]
    reverse: bool = False
    """Teach everything in X and ask in English, rather than the other way round."""
    form: Form = "text"
    k: int = CONTINENTS
    """Choices offered where a question is asked, or a row taught, as multiple choice."""
    seed: int = SEED
    continents: int = CONTINENTS
    places: int = PLACES
    """Per continent."""
    repeats: int = 1
    """How often each fact is taught in each wording; as multiple choice, with other choices each time."""
    name_repeats: int = 1
    """The same for names."""
    names: NameKind = "coined"
    """Whether languages have words of their own for a place, or spell the same one, which can be copied."""

    def pairs(self) -> tuple[Pair, ...]:
        """One per language; raises UserError for an unknown language, English, none, or several with `reverse`."""
        if not self.languages:
            raise UserError("no language given; name one with --languages, such as --languages de")
        tags = tuple(dict.fromkeys(self.languages))
        if self.reverse and len(tags) > 1:
            raise UserError(
                f"--reverse with {' and '.join(tags)} would teach the test's facts in each of them, and no answer in "
                "English could be traced to one; build a folder for each language"
            )
        return tuple(self._pair(tag) for tag in tags)

    def _pair(self, tag: str) -> Pair:
        if tag == ANCHOR:
            raise UserError("--languages names languages beside English; English itself is always part of the material")
        same = read(tag).spelling.script == read(ANCHOR).spelling.script
        return Pair(tag, *((tag, ANCHOR) if self.reverse else (ANCHOR, tag)), same_script=same)


def build(plan: TeachingPlan) -> Material:
    """The material of a plan; the same plan, the same material. Raises UserError for a plan that cannot be."""
    pairs = plan.pairs()
    if not 2 <= plan.k <= plan.continents:
        raise UserError(f"--k must be 2 to {plan.continents}, the number of continents, got {plan.k}")
    return _Builder(plan, pairs).build()


class _Builder:
    """One build; holds what its steps share."""

    def __init__(self, plan: TeachingPlan, pairs: Sequence[Pair]) -> None:
        self.plan, self.pairs = plan, tuple(pairs)
        self.world: World = make_world(plan.seed, plan.continents, plan.places, plan.names)
        self.names: tuple[Names, ...] = self.world.continents + tuple(f.place for f in self.world.facts)
        self.rng = random.Random(f"clika teach {plan}")
        self._called: dict[str, tuple[Sequence[str], Sequence[str]]] = {}

    def build(self) -> Material:
        rows = [row for _ in range(self.plan.repeats) for row in self.fact_rows()]
        rows += [row for _ in range(self.plan.name_repeats) for row in self.name_rows()]
        self.rng.shuffle(rows)
        questions = [q for pair in self.pairs for q in sorted(self.questions(pair), key=lambda q: PARTS.index(q.part))]
        tests = [q for q in questions if q.part == TEST]
        counts = {
            f"facts with {self.plan.names} names": len(self.world.facts),
            "rows": len(rows),
            **Counter(f"{row.part} {row.language}" for row in rows),
            "questions": len(questions),
        }
        shuffled = deal(tests, self.rng)
        plan = self.plan
        return Material(
            "fictional", plan.form, plan.seed, self.pairs, tuple(rows), tuple(questions), shuffled, counts, self.notes()
        )

    def notes(self) -> tuple[str, ...]:
        """What has to be known to read a figure on this material."""
        if self.plan.names == "coined":
            return ()
        return (
            "names are transliterated: places can be found by comparing spellings, see the ceiling of copying; "
            "coined names (--names coined) cannot",
        )

    # ---- teaching

    def fact_rows(self) -> Iterator[TeachingExample]:
        """All facts in the language of teaching, those of type 0 also in the language of asking."""
        whole = dict.fromkeys(pair.taught for pair in self.pairs)
        half = dict.fromkeys(pair.asked for pair in self.pairs if pair.asked not in whole)
        for tag in (*whole, *half):
            language = read(tag)
            for fact in self.world.facts:
                if tag in whole or fact.type == 0:
                    for wording in language.teach:
                        yield self.fact_row(fact, language, wording)

    def fact_row(self, fact: Fact, language: Language, wording: str) -> TeachingExample:
        text = wording.format(place=fact.place[language.tag])
        if self.plan.form == "text":
            answer = language.answer.format(continent=self.world.answer(fact, language.tag))
            return TeachingExample(text, answer, "facts", language.tag)
        continents = [names[language.tag] for names in self.world.continents]
        return self.as_choice(text, language.tag, continents, fact.continent, "facts")

    def name_rows(self) -> Iterator[TeachingExample]:
        """Every name's translation, both ways."""
        wording = name_wording("teach")
        for pair in self.pairs:
            language = read(pair.language)
            for number, names in enumerate(self.names):
                here, there = names[pair.language], names[ANCHOR]
                for frames, known, wanted in (
                    (wording.to_english, here, ANCHOR),
                    (wording.from_english, there, pair.language),
                ):
                    for frame in frames:
                        text = frame.format(language=language.name, name=known)
                        yield self.name_row(text, number, wanted, pair.language)

    def name_row(self, text: str, number: int, wanted: str, language: str) -> TeachingExample:
        if self.plan.form == "text":
            return TeachingExample(text, self.names[number][wanted], "names", language)
        row = self.as_choice(text, ANCHOR, *self.pool(number, wanted), "names")
        return TeachingExample(row.prompt, row.answer, "names", language)

    def pool(self, number: int, tag: str) -> tuple[Sequence[str], int]:
        """What those of its kind are called, and the place of one among them: a continent is no choice for a place."""
        n = len(self.world.continents)
        if tag not in self._called:
            called = [names[tag] for names in self.names]
            self._called[tag] = called[:n], called[n:]
        continents, places = self._called[tag]
        return (continents, number) if number < n else (places, number - n)

    def as_choice(self, text: str, tag: str, pool: Sequence[str], gold: int, part: str) -> TeachingExample:
        choices, place = offer(pool, gold, self.plan.k, self.rng)
        prompt, labels = ask_as_choice(text, tag, choices)
        return TeachingExample(prompt, labels[place], part, tag)

    # ---- asking

    def questions(self, pair: Pair) -> Iterator[ExperimentQuestion]:
        """The four gates and the test of one language, in test wordings."""
        yield from self.name_questions(pair)
        for tag, role in ((pair.taught, "taught"), (pair.asked, "asked")):
            language = read(tag)
            asked: dict[int, list[ExperimentQuestion]] = {0: [], 1: []}
            for number, fact in enumerate(self.world.facts):
                asked[fact.type].append(self.fact_question(pair, number, fact, language, f"{role}_type{fact.type}"))
            yield from asked[0]
            yield from self.with_copied(pair, asked[1]) if role == "asked" else asked[1]

    def with_copied(self, pair: Pair, test: Sequence[ExperimentQuestion]) -> list[ExperimentQuestion]:
        """The test with what spelling alone would answer, to who was told all facts in the language of teaching."""
        facts = self.world.facts
        told = [(fact.place[pair.taught], self.world.answer(fact, pair.asked)) for fact in facts]
        places = [fact.place[pair.asked] for fact in facts if fact.type == 1]
        return with_copied(test, places, told)

    def fact_question(self, pair: Pair, number: int, fact: Fact, language: Language, part: str) -> ExperimentQuestion:
        tag = language.tag
        choices, gold = offer([c[tag] for c in self.world.continents], fact.continent, self.plan.k, self.rng)
        return ExperimentQuestion(
            f"{pair.language}.{part}.{fact.fact_id}",
            pair.language,
            part,
            tag,
            fact.fact_id,
            language.test[number % len(language.test)].format(place=fact.place[tag]),
            self.world.answer(fact, tag),
            choices,
            gold,
            round(similarity(fact.place[tag], fact.place[pair.taught]), 4),
        )

    def name_questions(self, pair: Pair) -> Iterator[ExperimentQuestion]:
        """From the language of teaching into the language of asking, as the paper does."""
        wording = name_wording("test")
        frames = wording.to_english if pair.asked == ANCHOR else wording.from_english
        for number, names in enumerate(self.names):
            pool, index = self.pool(number, pair.asked)
            choices, gold = offer(pool, index, self.plan.k, self.rng)
            fact_id = self.world.facts[index].fact_id if number >= len(self.world.continents) else f"c{index + 1:02d}"
            frame = frames[number % len(frames)]
            yield ExperimentQuestion(
                f"{pair.language}.translation.{fact_id}",
                pair.language,
                "translation",
                ANCHOR,
                fact_id,
                frame.format(language=read(pair.language).name, name=names[pair.taught]),
                names[pair.asked],
                choices,
                gold,
                round(similarity(names[pair.asked], names[pair.taught]), 4),
            )


def offer(names: Sequence[Name], gold: int, k: int, rng: random.Random) -> tuple[tuple[Name, ...], int]:
    """`k` of the names in random order, the right one among them, and where it stands."""
    # Drawn among the others, of which those after the right one stand a place further among all.
    chosen = [gold, *(n + (n >= gold) for n in rng.sample(range(len(names) - 1), k - 1))]
    rng.shuffle(chosen)
    return tuple(names[n] for n in chosen), chosen.index(gold)


def deal(tests: Sequence[ExperimentQuestion], rng: random.Random) -> dict[str, int]:
    """The control: the right continents of each language's test dealt anew, without looking, to its questions.

    Whoever knows the facts is right by chance now. Where the dealt continent is not among a question's
    choices (k below 20), any of its choices is dealt instead.
    """
    dealt = {}
    for pair in dict.fromkeys(q.pair for q in tests):
        mine = [q for q in tests if q.pair == pair]
        answers = [q.answer for q in mine]
        rng.shuffle(answers)
        for question, answer in zip(mine, answers, strict=True):
            choices = question.choices
            dealt[question.question_id] = choices.index(answer) if answer in choices else rng.randrange(len(choices))
    return dealt


def ask_as_choice(text: str, tag: str, choices: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The prompt of a question with its choices, in the style `plain`, and the labels it shows."""
    from clika_client.prompts.catalogue import get_style
    from clika_client.prompts.style import render

    probe = Probe("q", tag, text, tuple(choices), 0)
    prompt = render(probe, get_style("plain"), ProbeSet("teach", (), {tag: (probe,)}))
    return prompt.messages[-1].content, prompt.labels
