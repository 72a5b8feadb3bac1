"""What a conductivity experiment consists of: rows to teach and questions to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Form = Literal["text", "choice"]
GATES = ("translation", "taught_type0", "taught_type1", "asked_type0")
"""Parts of the gate: names, and the facts of each type in each language except those that are the test."""
TEST = "asked_type1"
PARTS = (*GATES, TEST)
TEACHING = "teaching.chat.jsonl"


@dataclass(frozen=True, slots=True)
class TeachingExample:
    """One example to teach."""

    prompt: str
    answer: str
    part: str
    """`facts` or `names`."""
    language: str
    """The language the fact is told in, or the other language of a name."""
    input: str = ""
    """What the authors' files keep apart from the instruction: the name to translate."""


@dataclass(frozen=True, slots=True)
class ExperimentQuestion:
    """One question to ask before or after teaching."""

    question_id: str
    pair: str
    """The language beside English; the folder this question is in."""
    part: str
    """One of PARTS."""
    language: str
    """The language the question is asked in."""
    fact_id: str
    text: str
    answer: str
    choices: tuple[str, ...]
    gold: int
    similarity: float
    """Of the asked name to the same name in the language of teaching, 0 to 1; an equal name could be copied."""
    copied: str = ""
    """Test only: the continent that who compares spellings alone would answer; see `ceiling`."""
    copied_choice: int = -1
    """The same among the choices, as an index into them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """All facts are taught in `taught`, those of type 0 also in `asked`; type 1 is then asked in `asked`."""

    language: str
    taught: str
    asked: str
    same_script: bool


@dataclass(frozen=True, slots=True)
class Material:
    """Everything to teach and to ask, for one or more languages."""

    source: str
    """`fictional` or `release`."""
    form: Form
    """Whether the taught rows are answered in words or by the letter of a choice."""
    seed: int
    pairs: tuple[Pair, ...]
    rows: tuple[TeachingExample, ...]
    questions: tuple[ExperimentQuestion, ...]
    shuffled: Mapping[str, int]
    """Control: id of a test question → a continent dealt to it at random, as an index into its choices."""
    counts: Mapping[str, int]
    """What was built, in numbers."""
    notes: tuple[str, ...] = ()
    """Defects of the data, and what was done about them."""
    published: tuple[TeachingExample, ...] = ()
    """Release only: all its teaching rows, those of doubled names included."""

    @property
    def world(self) -> str:
        """What was invented, in words: figures on different worlds do not compare."""
        facts = next((name for name in self.counts if name.startswith("facts with")), "facts")
        return f"{self.source} {facts}, seed {self.seed}"

    def asked(self, pair: str, part: str) -> tuple[ExperimentQuestion, ...]:
        """The questions of one part of one language."""
        return tuple(q for q in self.questions if q.pair == pair and q.part == part)

    @property
    def baseline(self) -> tuple[ExperimentQuestion, ...]:
        """What is asked before teaching: the facts of the test, in both languages."""
        return tuple(q for q in self.questions if q.part in (TEST, "taught_type1"))
