"""The vocabulary of the provider layer: a Request goes in, a Completion comes out.

These are pure values. A provider knows nothing of probes, languages or metrics; the only trace of
multiple choice is `Request.labels`, the answer labels whose probabilities are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Role = Literal["system", "user", "assistant"]
AskMode = Literal["text", "logprobs", "likelihood"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model, with everything that can change its answer."""

    messages: tuple[Message, ...]
    mode: AskMode = "text"
    """Whether text is wanted, the probabilities of the labels, or those of the options as continuations."""
    labels: tuple[str, ...] = ()
    """Answer labels as shown in the prompt; needed by `logprobs` and by `grammar`."""
    max_tokens: int = 64
    temperature: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    grammar: bool = False
    """Constrain generated text to one of `labels` where the provider can (GBNF, structured output)."""
    thinking: bool = False
    """False asks for thinking to be off wherever the model allows it."""
    repeat: int = 0
    """Sample index: repeat 1 of the same question is another question to the cache."""
    extra: tuple[tuple[str, Json], ...] = ()
    """Further body fields the user asked for, sorted by name."""
    options: tuple[str, ...] = ()
    """For `likelihood`: the texts to be scored as continuations, exactly as they would stand after the messages."""
    neutral: tuple[Message, ...] = ()
    """For `likelihood`: the same prompt without its question, after which the options are scored once more."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the provider billed them; None where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for one Request: stored raw, read later."""

    text: str
    finish_reason: str | None = None
    """Normalised: `stop`, `length`, `refusal`, `content_filter`, or None when the server did not say."""
    choice_logprobs: tuple[float | None, ...] | None = None
    """Natural-log probability per label (`likelihood`: per option), in the request's order; None where not offered."""
    option_tokens: tuple[int, ...] | None = None
    """`likelihood`: in how many tokens each option was scored."""
    neutral_logprobs: tuple[float, ...] | None = None
    """`likelihood`: natural-log probability of each option after `Request.neutral`; None where there is none."""
    thinking: str | None = None
    usage: Usage = field(default_factory=Usage)
    model_served: str | None = None
    raw: str | None = None
    """The reply body as JSON text, without headers; None for in-process models."""
    latency_s: float | None = None
    fingerprint: str | None = None
    """The server's own statement of what produced this (system_fingerprint, upstream provider)."""

    @property
    def is_answer(self) -> bool:
        """False for replies that were filtered, or cut before a word was said.

        Such replies are recorded as attempts and never served from the cache as answers.
        """
        if self.finish_reason == "content_filter":
            return False
        said = bool(self.text.strip()) or self.choice_logprobs is not None
        return said or self.finish_reason != "length"
