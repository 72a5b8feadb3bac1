"""Prompt styles: how a Probe becomes the messages a model is sent.

A style turns a language into a Layout (labels, the line of one choice, the text around them), made once per
language; rendering a Probe only fills it in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from clika_client.common.errors import UserError
from clika_client.prompts.shots import MakeLayout, Shots
from clika_client.sets.probes import OF_QUESTIONS, Probe, ProbeSet, Tags
from clika_client.sets.wording import FIELD
from clika_providers import Message

_LOOKED_AT = 20
"""Questions of a set that tell which fields it has."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One rendered question: what is sent, and how to map the reply back."""

    messages: tuple[Message, ...]
    labels: tuple[str, ...]
    """The label shown at each position."""
    choice_order: tuple[int, ...]
    """Index of the choice shown at each position; identity unless options were permuted."""


@dataclass(frozen=True, slots=True)
class Style:
    """A named way of asking. Two styles with one name and one digest render the same prompts."""

    name: str
    """Shown in reports and part of a score's identity; holds the version once there is a second one."""
    version: str
    about: str
    """One sentence for a list of styles."""
    make_layout: MakeLayout = field(repr=False, compare=False)
    content: Callable[[], str] = field(repr=False, compare=False)
    """All text that the style brings along, so that its digest changes with it."""
    shots: Shots | None = field(default=None, repr=False, compare=False)
    """Worked examples before each question; they are part of the name."""
    brings_example: bool = False
    builtin: bool = True
    """Whether it comes with the tool; a user's own is named with its text's digest in a row's settings."""


def render(probe: Probe, style: Style, probe_set: ProbeSet, *, rotation: int = 0, tags: Tags | None = None) -> Prompt:
    """Ask one question in one style; `rotation` r shows choice (p + r) mod k at position p.

    `tags` are the item's own, by which examples are chosen. Raises UserError where the style cannot serve the set
    or its language.
    """
    k = len(probe.choices)
    layout = style.make_layout(probe.language, k, probe_set.meta)
    order = _order(k, rotation % k)
    choices = probe.choices if rotation % k == 0 else tuple(probe.choices[i] for i in order)
    examples = ""
    if style.shots is not None:
        examples = style.shots.text(probe.language, {**(tags or {}), **probe.tags}, probe_set, style.make_layout)
    return Prompt(layout.messages(probe, choices, examples), layout.labels, order)


def with_shots(style: Style, n: int) -> Style:
    """The style with `n` worked examples before each question, under a name of its own."""
    if n == 0:
        return style
    if n < 0:
        raise UserError(f"--shots must be 0 or more, got {n}")
    if style.brings_example:
        raise UserError(f"{style.name} has an example of its own; use --shots with another style, such as plain")
    return replace(style, name=f"{style.name} {n}-shot", shots=Shots(n))


@lru_cache(maxsize=1024)
def _order(k: int, rotation: int) -> tuple[int, ...]:
    return tuple((position + rotation) % k for position in range(k))


def style_digest(style: Style) -> str:
    """16 hex digits over everything a style brings to a prompt; the set brings the rest."""
    text = "\n".join((style.name, style.version, style.content()))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def style_notes(style: Style, probe_set: ProbeSet) -> tuple[str, ...]:
    """What a reader of scores should know about how this set was asked, one sentence each; often none."""
    notes: dict[str, list[str]] = {}
    for language in probe_set.languages:
        note = style.make_layout(language, probe_set.k, probe_set.meta).note
        if note:
            notes.setdefault(note, []).append(language)
    return (*(f"{note}: {', '.join(tags)}" for note, tags in notes.items()), *_not_shown(style, probe_set))


def _not_shown(style: Style, probe_set: ProbeSet) -> list[str]:
    """Fields of a set of the user's own that hold text which no prompt of this style contains, such as a passage."""
    language = probe_set.languages[0]
    layout = style.make_layout(language, probe_set.k, probe_set.meta)
    shown = {place.removeprefix(FIELD) for place in (*layout.lead.places, *layout.body.places)} | OF_QUESTIONS
    lost = sorted(
        {
            name
            for probe in probe_set.probes[language][:_LOOKED_AT]
            for name, text in probe.fields.items()
            if name not in shown and text.strip() and text.strip() not in probe.question
        }
    )
    if not lost:
        return []
    return [
        f"No prompt shows the fields {', '.join(lost)} of set {probe_set.name}; a text that belongs before each "
        "question is mapped as context=COLUMN, and a template of your own can show any field"
    ]
