"""Prompt styles: how a Probe becomes the messages a model is sent."""

from __future__ import annotations

from dataclasses import dataclass

from clika_providers import Message


@dataclass(frozen=True, slots=True)
class Prompt:
    """One rendered question: what is sent, and how to map the reply back."""

    messages: tuple[Message, ...]
    labels: tuple[str, ...]
    """The label shown at each position."""
    choice_order: tuple[int, ...]
    """Index of the choice shown at each position; identity unless options were permuted."""
