"""Prompts for open answers: a style without what speaks of options, and a sentence that asks for a short answer."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources

from clika_client.common.errors import UserError
from clika_client.prompts.layout import Layout
from clika_client.prompts.likelihood import bare_layout, seam
from clika_client.prompts.shots import Meta, Shots
from clika_client.prompts.style import Style
from clika_client.sets.probes import Probe, ProbeSet, Tags
from clika_client.sets.wording import compile_text, escape
from clika_providers import Message

_FALLBACK = "en"
NOTE = "no wording in these languages, so the sentence that asks for a short answer is in English"


class OpenLayout(Layout):
    """A layout without what speaks of options; its worked examples end in the answer itself."""

    def worked(self, probe: Probe) -> str:
        """A question with its right answer, as the question itself is asked."""
        text = self._fill(self.body, self._values(probe, probe.choices), probe).rstrip()
        return text + seam(text) + probe.choices[probe.gold]


def render_open(probe: Probe, style: Style, probe_set: ProbeSet, *, tags: Tags | None = None) -> tuple[Message, ...]:
    """The messages that ask one question without options; raises UserError where the style cannot serve.

    `tags` are the item's own, by which examples are chosen. Examples end in the answer itself.
    """

    def layout_of(language: str, k: int, meta: Meta) -> Layout:
        return _open_layout(style, language, k, meta)

    layout = layout_of(probe.language, len(probe.choices), probe_set.meta)
    examples = ""
    if style.shots is not None:
        examples = _own(style.shots).text(probe.language, {**(tags or {}), **probe.tags}, probe_set, layout_of)
    return layout.messages(probe, probe.choices, examples)


@lru_cache(maxsize=16)
def _own(shots: Shots) -> Shots:
    """The same number of examples, kept apart from those that end in a label."""
    return Shots(shots.n)


def _open_layout(style: Style, language: str, k: int, meta: Meta) -> OpenLayout:
    if not style.name.startswith("plain") and style.builtin:
        raise UserError(f"{style.name} asks for one of the options; to ask openly, use plain or your own template")
    return _made(style.make_layout(language, k, meta), language, style.builtin)


@lru_cache(maxsize=1024)
def _made(layout: Layout, language: str, own_words: bool) -> OpenLayout:
    """The bare layout, with our own instruction before it; a user's template says itself what it wants."""
    bare = bare_layout(layout, whole=not own_words)
    text, note = instruction(language)
    lead = compile_text(f"{escape(text)}\n") if own_words else layout.lead
    system = None if own_words else layout.system
    return OpenLayout(
        bare.body, layout.labels, system=system, language=layout.language, note=note if own_words else None, lead=lead
    )


def instruction(language: str) -> tuple[str, str | None]:
    """(the sentence that asks for a short answer, a note where it is not in the language)."""
    known = _instructions()
    for tag in (language, language.split("-")[0], {"no": "nb"}.get(language, "")):
        if tag in known:
            return known[tag], None
    return known[_FALLBACK], NOTE


def open_notes(style: Style, probe_set: ProbeSet) -> tuple[str, ...]:
    """What a reader of scores should know about how an open set was asked, one sentence each; often none."""
    without = [tag for tag in probe_set.languages if style.builtin and instruction(tag)[1] is not None]
    return (f"{NOTE}: {', '.join(without)}",) if without else ()


@cache
def _instructions() -> Mapping[str, str]:
    text = resources.files("clika_client").joinpath("prompts/open_instructions.toml").read_text("utf-8")
    found: Mapping[str, str] = tomllib.loads(text)
    return found
