"""The form of a prompt in one language: text with named places, filled in by one pass over the text.

A place is `{name}`; a brace that is meant is written twice. Values are put in as they are: a question that
holds braces of its own changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from clika_client.errors import UserError
from clika_client.probes import Probe
from clika_providers import Message

LATIN = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
FIELD = "field:"
"""`{field:premise}` is the probe's field `premise`."""
PLACES = ("question", "choices", "labels", "first_label", "last_label", "language")
_PLACE = re.compile(r"\{([^{}]*)\}")
_DOUBLED = {"{{": "\0", "}}": "\1"}


def escape(text: str) -> str:
    """`text` for use inside a template, so that its braces stay braces."""
    return text.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True, slots=True)
class Text:
    """A compiled template: `literals[0] place[0] literals[1] place[1] … literals[-1]`."""

    literals: tuple[str, ...]
    places: tuple[str, ...]

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with every place filled; raises KeyError for a place without a value."""
        parts = [self.literals[0]]
        for place, literal in zip(self.places, self.literals[1:], strict=True):
            parts.append(values[place])
            parts.append(literal)
        return "".join(parts)


@lru_cache(maxsize=4096)
def compile_text(template: str) -> Text:
    """The Text of a template; raises UserError for a brace that opens or closes nothing."""
    for doubled, mark in _DOUBLED.items():
        template = template.replace(doubled, mark)
    pieces = _PLACE.split(template)
    literals = tuple(piece.replace("\0", "{").replace("\1", "}") for piece in pieces[::2])
    for piece in pieces[::2]:
        if "{" in piece or "}" in piece:
            line = next(part for part in piece.splitlines() if "{" in part or "}" in part).strip()
            raise UserError(f"a brace stands alone near {line!r}; write {{{{ or }}}} for a brace that is meant")
    return Text(literals, tuple(place.strip() for place in pieces[1::2]))


_LETTER_DOT = compile_text("{label}. {choice}")


@dataclass(frozen=True, slots=True)
class Layout:
    """A style in one language, for questions with `len(labels)` choices."""

    body: Text
    labels: tuple[str, ...]
    """The label shown at each position."""
    choice: Text = _LETTER_DOT
    """One line of the list of choices."""
    between: str = "\n"
    """What stands between two lines of the list of choices."""
    system: str | None = None
    """A system message before the question."""
    language: str = ""
    """What `{language}` stands for."""
    note: str | None = None
    """What a reader of scores should know, such as that the wording is another language's."""

    def messages(self, probe: Probe, choices: Sequence[str]) -> tuple[Message, ...]:
        """The messages for one probe with its choices in the order shown."""
        lines = [
            self.choice.fill({"label": label, "choice": choice})
            for label, choice in zip(self.labels, choices, strict=True)
        ]
        values = {
            "question": probe.question,
            "choices": self.between.join(lines),
            "labels": ", ".join(self.labels),
            "first_label": self.labels[0],
            "last_label": self.labels[-1],
            "language": self.language,
        }
        for name, value in probe.fields.items():
            values[FIELD + name] = value
        try:
            user = Message("user", self.body.fill(values))
        except KeyError as error:
            known = ", ".join(FIELD + name for name in probe.fields) or "none"
            raise UserError(
                f"item {probe.item_id!r} has nothing for the placeholder {{{error.args[0]}}} of the prompt; "
                f"fields of this item: {known}"
            ) from None
        return (user,) if self.system is None else (Message("system", self.system), user)


def latin_labels(k: int) -> tuple[str, ...]:
    """The first k capital letters; raises UserError beyond 26."""
    if k > len(LATIN):
        raise UserError(f"a question with {k} choices runs out of letters; at most {len(LATIN)} can be shown")
    return LATIN[:k]
