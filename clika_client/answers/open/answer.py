"""What an open question accepts, and what a reply to it was found to say: plain values, no rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["name", "number", "date", "yes-no", "none"]
"""`none`: there is no answer, and right is a reply that says so, or that it does not know."""
Verdict = Literal["right", "right in another language", "wrong", "several", "refusal", "unknown", "empty", "truncated"]
RIGHT: Verdict = "right"
ELSEWHERE: Verdict = "right in another language"

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What counts as an answer to one question in one language.

    A name that ends in `*` is a stem: `французск*` accepts every word that begins so.
    """

    language: str
    """BCP 47 tag the question is asked in."""
    names: Names
    """Answers in that language, the one to show first."""
    elsewhere: Mapping[str, Names] = field(default_factory=dict)
    """Other language → its answers; right, but not in the language that was asked."""
    rivals: Mapping[str, Mapping[str, Names]] = field(default_factory=dict)
    """Language → wrong answer that is known → its names: the other options, or the golds of like questions."""
    kind: Kind = "name"
    about: Names = ()
    """What is asked about, in Latin letters: an English answer that names nothing like it answers something else."""


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """What one reply says. Exactly one verdict; `unknown` is a reply that says it does not know."""

    verdict: Verdict
    rule: str
    """The rule that decided, for reports that count them."""
    written: str = ""
    """What the model wrote as its answer, as it wrote it, shortened."""
    language: str | None = None
    """The language of the answer, where it is right in another one than was asked."""
    rival: str | None = None
    """Key of the known wrong answer that was given; None where a wrong answer is no known one."""

    @property
    def right(self) -> bool:
        """Whether the answer is right in the asked language."""
        return self.verdict == RIGHT
