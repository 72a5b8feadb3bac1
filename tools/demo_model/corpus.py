"""What the demo model is taught: an endless, seeded stream of questions about a small multilingual world."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clika_client.sets.atlas import wording
from clika_client.sets.demo import Schooling
from clika_client.sets.fictional import language as fictional
from clika_client.sets.probes import Probe, ProbeSet

SWITCH = 0.3
"""How often a name in a fact is spelt as in another language."""
CONTINENT = "country-continent"
LABELS = ("A", "B", "C", "D")
Render = Callable[[Probe], str]
"""The user turn that the tool would send for a Probe."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One question and the answer the model is to learn; only the answer counts in the loss."""

    prompt: str
    answer: str
    kind: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One item: who is asked about, in which words, and what is offered; places are indices into `names`."""

    item_id: str
    relation: str
    subject: int
    choices: tuple[int, ...]
    gold: int


@dataclass(frozen=True, slots=True)
class World:
    """The facts and names of a probe set, arranged for teaching."""

    schooling: Mapping[str, Schooling]
    """Taught languages only."""
    frames: Mapping[str, Mapping[str, str]]
    """language → relation → question with `{name}`"""
    names: tuple[Mapping[str, str], ...]
    """Per place: language → spelling"""
    facts: tuple[Fact, ...]
    stated: Mapping[str, tuple[Fact, ...]]
    """language → the facts stated in it"""
    pools: Mapping[str, tuple[int, ...]]
    """relation → every place that is a choice of it"""
    translated: Mapping[str, tuple[int, ...]]
    """language → the places whose name is taught together with its translations"""

    @property
    def languages(self) -> tuple[str, ...]:
        """The taught languages."""
        return tuple(self.schooling)


def build_world(questions: ProbeSet, schooling: Mapping[str, Schooling], seed: int) -> World:
    """Choose, by seed, which facts are stated and which names are translated in each language.

    The facts of a worse-schooled language are a subset of those of a better-schooled one, so that
    what a language lacks can only come from another.
    """
    rng = random.Random(seed)
    taught = {tag: plan for tag, plan in schooling.items() if plan.weight > 0}
    frames = {tag: wording.read(tag).questions for tag in taught}
    names, facts = _facts(questions, frames)
    order = rng.sample(facts, len(facts))
    shuffled = rng.sample(range(len(names)), len(names))
    pools: dict[str, tuple[int, ...]] = {}
    for fact in facts:
        pools[fact.relation] = tuple(dict.fromkeys((*pools.get(fact.relation, ()), *fact.choices)))
    return World(
        taught,
        frames,
        names,
        facts,
        {tag: tuple(order[: round(plan.facts * len(facts))]) for tag, plan in taught.items()},
        pools,
        {tag: tuple(shuffled[: round(plan.names * len(names))]) for tag, plan in taught.items()},
    )


def _facts(
    questions: ProbeSet, frames: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[Mapping[str, str], ...], tuple[Fact, ...]]:
    """Each place once, by its English name, and each item with its places by number."""
    number: dict[str, int] = {}
    names: list[Mapping[str, str]] = []

    def place(spelling: Mapping[str, str]) -> int:
        if spelling["en"] not in number:
            number[spelling["en"]] = len(names)
            names.append(spelling)
        return number[spelling["en"]]

    facts = []
    for row, item in enumerate(questions.items):
        relation = item.tags["relation"]
        versions = {tag: questions.probes[tag][row] for tag in frames}
        subject = {}
        for tag, probe in versions.items():
            before, _, after = frames[tag][relation].partition("{name}")
            subject[tag] = probe.question.removeprefix(before).removesuffix(after)
        choices = [place({tag: p.choices[column] for tag, p in versions.items()}) for column in range(questions.k)]
        gold = versions["en"].gold
        facts.append(Fact(item.item_id, relation, place(subject), tuple(choices), gold))
    return tuple(names), tuple(facts)


class Teacher:
    """Draws lessons. The same seed and world give the same stream."""

    def __init__(self, world: World, render: Render, seed: int) -> None:
        self.world = world
        self.render = render
        self.rng = random.Random(seed)
        self.weights = [plan.weight for plan in world.schooling.values()]
        self.continents = {
            tag: [fact for fact in facts if fact.relation == CONTINENT] for tag, facts in world.stated.items()
        }
        self.known = {tag: frozenset(places) for tag, places in world.translated.items()}
        self.pool = [(tag, world.names[i][tag]) for tag in world.languages for i in world.translated[tag]]
        # A quarter of the pool is made up, so that matching is learnt for names at large.
        self.pool += [self._made_up() for _ in range(len(self.pool) // 3)]
        self.rng.shuffle(self.pool)

    def language(self) -> str:
        """A language, by its weight."""
        return self.rng.choices(self.world.languages, self.weights)[0]

    def echo(self, size: int) -> Lesson:
        """Which option is the name that was just said: the skill every other lesson needs.

        `size` is how many of the names are in play. Learning to match names starts only from a small
        pool that grows; from all names at once the loss stays at chance.
        """
        pool = self.pool[:size]
        tag, name = self.rng.choice(pool)
        others = [other for _, other in self.rng.sample(pool, min(len(pool), 12)) if other != name]
        return self._choice(tag, name, name, list(dict.fromkeys(others)), "echo")

    def translation(self) -> Lesson:
        """Which option is this name, said in another language."""
        here, there = self._pair()
        index = self.rng.choice([i for i in self.world.translated[here] if i in self.known[there]])
        wrong = [i for i in self.rng.sample(self.world.translated[there], 8) if i != index]
        return self._choice(
            there, self._name(here, index), self._name(there, index), self._spell(there, wrong), "translation"
        )

    def fact(self) -> Lesson:
        """A fact that is stated in the language of the question.

        Now and then the text switches language for a name, as real texts do: the subject, or the choices,
        are spelt as in another language, where these names are known. That is what ties languages together.
        """
        tag, fact = self._stated()
        subject_tag = self._switch(tag, (fact.subject,))
        question = self.world.frames[tag][fact.relation].replace("{name}", self._name(subject_tag, fact.subject))
        gold = fact.choices[fact.gold]
        wrong = [place for place in fact.choices if place != gold]
        if self.rng.random() < 0.5:
            pool = self.world.pools[fact.relation]
            wrong = [place for place in self.rng.sample(pool, min(len(pool), 5)) if place != gold][:3]
        shown = self._switch(tag, (gold, *wrong))
        return self._choice(tag, question, self._name(shown, gold), self._spell(shown, wrong), "fact")

    def recall(self) -> Lesson:
        """A stated fact, answered in words."""
        tag, fact = self._stated()
        question = self.world.frames[tag][fact.relation].replace("{name}", self._name(tag, fact.subject))
        return Lesson(question, self._name(tag, fact.choices[fact.gold]), "recall")

    def paraphrase(self) -> Lesson:
        """A stated continent, asked in other words: as a choice, or to be said in words.

        The words are those of the invented facts (not the facts): a model that is to be taught those must
        understand the questions.
        """
        tag = self.language()
        while not self.continents[tag]:
            tag = self.language()
        fact = self.rng.choice(self.continents[tag])
        words = fictional.read(tag)
        question = self.rng.choice((*words.teach, *words.test)).format(place=self._name(tag, fact.subject))
        gold = fact.choices[fact.gold]
        if self.rng.random() < 0.5:
            wrong = [place for place in fact.choices if place != gold]
            return self._choice(tag, question, self._name(tag, gold), self._spell(tag, wrong), "paraphrase")
        answer = self.rng.choice(("{continent}", words.answer))
        return Lesson(question, answer.format(continent=self._name(tag, gold)), "saying")

    def spelling(self) -> Lesson:
        """A name's translation from or into English, asked in English: as a choice, or to be said in words."""
        tag = self.language()
        while tag == "en":
            tag = self.language()
        index = self.rng.choice(self.world.translated[tag])
        teach, test = fictional.name_wording("teach"), fictional.name_wording("test")
        asked, said, frames = tag, "en", (*teach.to_english, *test.to_english)
        if self.rng.random() < 0.5:
            asked, said, frames = "en", tag, (*teach.from_english, *test.from_english)
        question = self.rng.choice(frames).format(name=self._name(asked, index), language=fictional.read(tag).name)
        if self.rng.random() < 0.5:
            return Lesson(question, self._name(said, index), "spelling")
        wrong = self.rng.sample(self.world.translated[said], 8)
        return self._choice("en", question, self._name(said, index), self._spell(said, wrong), "naming")

    def _name(self, tag: str, place: int) -> str:
        return self.world.names[place][tag]

    def _spell(self, tag: str, places: Sequence[int]) -> list[str]:
        return [self.world.names[place][tag] for place in places]

    def _pair(self) -> tuple[str, str]:
        """Two languages; one of them is English half of the time."""
        here = self.language()
        there = "en" if self.rng.random() < 0.5 else self.language()
        while there == here:
            there = self.language()
        return (here, there) if self.rng.random() < 0.5 else (there, here)

    def _switch(self, tag: str, places: tuple[int, ...]) -> str:
        """Another language with probability SWITCH, if all of these names are taught there; else `tag`."""
        if self.rng.random() >= SWITCH:
            return tag
        other = self.language()
        return other if self.known[other].issuperset(places) else tag

    def _made_up(self) -> tuple[str, str]:
        tag = self.rng.choice(self.world.languages)
        one, two = (self.world.names[i][tag] for i in self.rng.sample(self.world.translated[tag], 2))
        return tag, one[: (len(one) + 1) // 2] + two[len(two) // 2 :]

    def _stated(self) -> tuple[str, Fact]:
        tag = self.language()
        return tag, self.rng.choice(self.world.stated[tag])

    def _choice(self, tag: str, question: str, gold: str, wrong: Sequence[str], kind: str) -> Lesson:
        choices = [gold, *[name for name in dict.fromkeys(wrong) if name != gold][:3]]
        self.rng.shuffle(choices)
        place = choices.index(gold)
        return Lesson(self.render(Probe("", tag, question, tuple(choices), place)), LABELS[place], kind)
