"""The vocabulary of the provider layer: a Request goes in, a Completion comes out.

These are pure values. A provider knows nothing of probes, languages or metrics; the only trace of
multiple choice is `Request.labels`, the answer labels whose probabilities are wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

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


@runtime_checkable
class Provider(Protocol):
    """One model behind one door. A new vendor is a class with these members.

    It may have six more, each with a default for those that lack it: `runs_here` (the model computes in this process,
    so models take turns; False), `usual_ask` (what `auto` stands for; "text"), `most_output(request)` (tokens a reply
    can be billed for; the request's), `notes` (sentences for the user; none), `likelihood_form()` (a coroutine: in
    which form a server tells the likelihood of options, RunError where it does not; it never does), and `prepare()` (a
    coroutine: what has to be known of the servers before the first question, RunError where it is not so; nothing).
    """

    @property
    def spec(self) -> str:
        """`provider/model`, the row's name in every report."""
        ...

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything about the model that can change an answer; part of the cache key.

        Always holds `provider` and `model`; also base URL class, weights digest, library version,
        chat template, adapters. Never a key, a timeout or a thread count.
        """
        ...

    @property
    def concurrency(self) -> int:
        """How many requests in flight are useful at most."""
        ...

    async def complete(self, request: Request) -> Completion:
        """Answer one request, retrying what is worth retrying; raises ProviderError."""
        ...

    async def aclose(self) -> None:
        """Release connections, threads and memory."""
        ...
