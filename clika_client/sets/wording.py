"""Text with named places: the syntax of templates, the labels of choices, and where a set keeps published wording.

A place is `{name}`; a brace that is meant is written twice. Values are put in as they are: a question that
holds braces of its own changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from clika_client.common.errors import UserError

LATIN = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
FIELD = "field:"
"""`{field:premise}` is the probe's field `premise`."""
CONTEXT_PLACE = "context"
"""`{context}` is what stands before the question, with a line break after it; nothing where there is none."""
EXAMPLES_PLACE = "examples"
"""`{examples}` is where worked examples stand; what follows it is the form of one question."""
PLACES = ("question", CONTEXT_PLACE, "choices", "labels", "first_label", "last_label", "language", EXAMPLES_PLACE)
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


def latin_labels(k: int) -> tuple[str, ...]:
    """The first k capital letters; raises UserError beyond 26."""
    if k > len(LATIN):
        raise UserError(f"a question with {k} choices runs out of letters; at most {len(LATIN)} can be shown")
    return LATIN[:k]


def meta_key(style: str, language: str) -> str:
    """Where a set's `meta` keeps the published template of a style in one language."""
    return f"prompt:{style}:{language}"


def problem_key(style: str, language: str) -> str:
    """Where a set of the release says why it has no such template."""
    return f"problem:{style}:{language}"
