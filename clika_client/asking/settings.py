"""How a model is asked, and the request that asks it one question so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clika_cache import canonical
from clika_client.prompts.likelihood import render_options
from clika_client.prompts.open import render_open
from clika_client.prompts.style import Style, render, style_digest
from clika_client.sets.probes import ProbeSet
from clika_providers import AskMode, Request

Way = AskMode | Literal["open"]
"""How a question is asked: as a provider is asked, or for text without showing options."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How each question is asked; the same for every model of a run."""

    ask: Way | Literal["auto"] = "auto"
    """`auto`: text from hosted models; a local one is asked as a short probe of it says (see `ask_mode.py`).

    `open` asks for text without showing options; a set that has none is never asked otherwise."""
    max_tokens: int = 32
    temperature: float = 0.0
    seed: int | None = None
    thinking: bool = False
    grammar: bool = False
    permute: bool = False
    """Ask every cyclic order of the options, k requests per question, instead of the order given."""
    repeats: int = 1

    @property
    def mode(self) -> Way:
        """How questions are asked, once `auto` has been decided for a model."""
        if self.ask == "auto":
            raise ValueError("how to ask is not decided yet: replace `auto` by a mode first")
        return self.ask

    @property
    def request_mode(self) -> AskMode:
        """What a provider is asked for: an open answer is text."""
        return "text" if self.mode == "open" else self.mode

    @property
    def samples(self) -> bool:
        """Whether something is asked for that only generated text can have; a cap on its length asks for nothing."""
        usual = Asking()
        named = ("temperature", "seed", "thinking", "grammar", "repeats")
        return any(getattr(self, name) != getattr(usual, name) for name in named)

    def settings(self, style: Style) -> str:
        """Canonical JSON of what differs from the defaults: part of a row's identity.

        A user's template is named by its digest too: the same file name may hold another text tomorrow.
        """
        usual = Asking(ask=self.ask)
        named = ("max_tokens", "temperature", "seed", "thinking", "grammar")
        changed = {n: getattr(self, n) for n in named if getattr(self, n) != getattr(usual, n)}
        if not style.builtin:
            changed["template"] = style_digest(style)
        return canonical(changed)


def make_request(
    probe_set: ProbeSet, language: str, position: int, style: Style, asking: Asking, rotation: int, repeat: int
) -> Request:
    """The request for one probe; the same arguments always give the same request."""
    probe, tags = probe_set.probes[language][position], probe_set.items[position].tags
    if asking.mode == "likelihood":
        asked = render_options(probe, style, probe_set, tags=tags)
        return Request(asked.messages, "likelihood", options=asked.options, neutral=asked.neutral)
    if asking.mode == "open":
        labels: tuple[str, ...] = ()
        messages = render_open(probe, style, probe_set, tags=tags)
    else:
        prompt = render(probe, style, probe_set, rotation=rotation, tags=tags)
        messages, labels = prompt.messages, prompt.labels
    return Request(
        messages=messages,
        mode=asking.request_mode,
        labels=labels,
        max_tokens=asking.max_tokens,
        temperature=asking.temperature,
        seed=asking.seed,
        grammar=asking.grammar,
        thinking=asking.thinking,
        repeat=repeat,
    )
