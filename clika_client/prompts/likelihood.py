"""A question as text to be continued: its options are not shown, each is scored as the answer itself.

Any style can be asked this way. What speaks of options and labels is left out - the lead with the instruction, the
lines that list options or labels, a system message - and what remains is the question and where its answer begins.
A question made from a sentence with a gap (fields `before` and `after`) is asked as that sentence.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from clika_client.common.errors import UserError
from clika_client.prompts.layout import Layout
from clika_client.prompts.shots import Meta, Shots
from clika_client.prompts.style import Style
from clika_client.sets.probes import Probe, ProbeSet, Tags
from clika_client.sets.wording import CONTEXT_PLACE, FIELD, Text, compile_text, escape
from clika_providers import Message

_OF_OPTIONS = ("choices", "labels", "first_label", "last_label")


@dataclass(frozen=True, slots=True)
class Continuation:
    """One question rendered for likelihood."""

    messages: tuple[Message, ...]
    options: tuple[str, ...]
    """Each choice exactly as it would go on from the text, in the probe's own order."""
    neutral: tuple[Message, ...]
    """The text without its question (`Answer:`), against which PMI is taken; empty where nothing remains."""


class BareLayout(Layout):
    """A layout without what speaks of options; its worked examples end in the answer itself."""

    def worked(self, probe: Probe) -> str:
        """A question with its right answer, as the question itself is asked."""
        text, options = self.continued(probe)
        return text + options[probe.gold]

    def continued(self, probe: Probe) -> tuple[str, tuple[str, ...]]:
        """(the text up to the answer, each choice as it goes on from there)."""
        if _is_sentence(probe):
            text, after = probe.fields["before"], probe.fields["after"]
        else:
            text, after = self.messages(probe, probe.choices)[-1].content, ""
        start = text.rstrip()
        gap = text[len(start) :] or ("" if _is_sentence(probe) else seam(start))
        return start, tuple(gap + choice + after for choice in probe.choices)


def render_options(probe: Probe, style: Style, probe_set: ProbeSet, *, tags: Tags | None = None) -> Continuation:
    """Ask one question for the likelihood of its options; raises UserError where the style cannot serve.

    `tags` are the item's own, by which examples are chosen.
    """

    def bare(language: str, k: int, meta: Meta) -> BareLayout:
        return bare_layout(style.make_layout(language, k, meta))

    layout = bare(probe.language, len(probe.choices), probe_set.meta)
    examples = ""
    if style.shots is not None:
        examples = _own(style.shots).text(probe.language, {**(tags or {}), **probe.tags}, probe_set, bare)
    text, options = layout.continued(probe)
    neutral = "" if _is_sentence(probe) else _neutral(layout)
    return Continuation(
        (Message("user", examples + text),) if examples + text else (),
        options,
        (Message("user", neutral),) if neutral else (),
    )


@lru_cache(maxsize=16)
def _own(shots: Shots) -> Shots:
    """The same number of examples, kept apart from those that end in a label."""
    return Shots(shots.n)


def seam(text: str) -> str:
    """What stands between a text and what goes on from it: a space, but none after full-width writing."""
    return "" if not text or unicodedata.east_asian_width(text[-1]) in "WF" else " "


def _is_sentence(probe: Probe) -> bool:
    return "before" in probe.fields and "after" in probe.fields


@lru_cache(maxsize=1024)
def bare_layout(layout: Layout, *, whole: bool = False) -> BareLayout:
    """The layout without what speaks of options; raises UserError where no question remains.

    What stands before the question goes too, unless `whole`.
    """
    lines = _lines(layout.body)
    first = next((i for i, line in enumerate(lines) if whole or _asks(line)), None)
    kept = [] if first is None else [line for line in lines[first:] if not set(line.places) & set(_OF_OPTIONS)]
    if not any(_asks(line) for line in kept):
        raise UserError(
            "this prompt cannot be asked without options: the question stands on a line with the options or labels; "
            "put {question} on a line of its own, or use --prompt plain"
        )
    return BareLayout(_joined(kept), layout.labels, language=layout.language, note=layout.note)


@lru_cache(maxsize=1024)
def _neutral(layout: BareLayout) -> str:
    """What a bare layout says after its question, such as `Answer:`."""
    lines = _lines(layout.body)
    last = max(i for i, line in enumerate(lines) if _asks(line))
    return _joined(lines[last + 1 :]).fill({"language": layout.language}).strip()


def _asks(line: Text) -> bool:
    return any(place in ("question", CONTEXT_PLACE) or place.startswith(FIELD) for place in line.places)


def _lines(text: Text) -> list[Text]:
    """A text cut at its line breaks; what is filled in later may hold more of them."""
    source = escape(text.literals[0])
    for place, literal in zip(text.places, text.literals[1:], strict=True):
        source += f"{{{place}}}{escape(literal)}"
    return [compile_text(line) for line in source.split("\n")]


def _joined(lines: list[Text]) -> Text:
    literals: list[str] = [""]
    places: list[str] = []
    for number, line in enumerate(lines):
        literals[-1] += ("\n" if number else "") + line.literals[0]
        literals += line.literals[1:]
        places += line.places
    return Text(tuple(literals), tuple(places))
