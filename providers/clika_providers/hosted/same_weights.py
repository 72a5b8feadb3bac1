"""Do two servers serve the same weights? What each tells of its model, and how each answers a few fixed prompts.

Equal weights on other hardware differ a little in every probability; other weights, or another quantization that is
told, differ by more than that. What neither is told nor shows in the probe is not found out.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from clika_providers.errors import ProviderError
from clika_providers.hosted.openai_chat import OpenAIChat
from clika_providers.types import Json, Message, Request

_PROMPTS = (
    "The capital of Australia is which city? Answer with its name only.",
    "Continue: 2, 4, 8, 16,",
    "Name one animal that lives in the sea. One word.",
    "Translate into French: bread",
)
_TOKENS = 8
_TOP = 5
_FAR = 0.5
"""Natural-log probability: builds for other processors differ by .14 in the median (docs/local-models.md), weights by
more."""
_LIKELY = 0.05
_MOST_ODD = 1
"""Prompts on which equal weights may differ: a tie is broken either way."""
_TOLD = ("root", "quantization")
_TOLD_OF_FILE = ("n_params", "size", "n_vocab", "n_embd", "n_ctx_train")
"""What vLLM and SGLang (`root`) and llama-server (`meta`) tell of a model in their lists."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one server told and showed."""

    told: Mapping[str, Json]
    texts: tuple[str, ...]
    first_tokens: tuple[Mapping[str, float] | None, ...]
    """Per prompt: natural-log probabilities of the likeliest first tokens; None where they are not given."""

    @property
    def gave_probabilities(self) -> bool:
        """Whether every prompt was answered with probabilities."""
        return None not in self.first_tokens


@dataclass(frozen=True, slots=True)
class ServerDifference:
    """How two servers differ; an empty sentence where they serve the same."""

    sentence: str
    log_probability: float = 0.0
    """The largest difference of a natural-log probability."""


async def look(server: OpenAIChat) -> Shown:
    """Ask one server what it serves, and the probe; raises ProviderError where it does not answer."""
    told = await _told(server)
    replies = await asyncio.gather(*(_probe(server, prompt) for prompt in _PROMPTS))
    return Shown(told, tuple(text for text, _ in replies), tuple(tokens for _, tokens in replies))


def difference(one: Shown, other: Shown) -> ServerDifference:
    """What tells two servers apart."""
    for name in one.told:
        if name in other.told and one.told[name] != other.told[name]:
            return ServerDifference(f"{name} is {one.told[name]} and {other.told[name]}")
    odd, most = [], 0.0
    pairs = zip(_PROMPTS, one.texts, other.texts, one.first_tokens, other.first_tokens, strict=True)
    for prompt, text, text_there, tokens, tokens_there in pairs:
        if tokens and tokens_there:
            far = _distance(tokens, tokens_there)
            most = max(most, min(far, 99.0))
            differs = far > _FAR
        else:
            differs = text.strip() != text_there.strip()
        if differs:
            odd.append((prompt, text, text_there))
    if len(odd) <= _MOST_ODD:
        return ServerDifference("", most)
    prompt, text, text_there = odd[0]
    return ServerDifference(
        f"{len(odd)} of {len(_PROMPTS)} fixed prompts were answered differently ({prompt!r}: {text[:40]!r} and "
        f"{text_there[:40]!r})",
        most,
    )


def _distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The largest difference over the tokens that are likely for either; infinite where one does not know them."""
    likely = [t for t in {*one, *other} if max(one.get(t, -math.inf), other.get(t, -math.inf)) >= math.log(_LIKELY)]
    return max((abs(one[t] - other[t]) if t in one and t in other else math.inf for t in likely), default=0.0)


async def _told(server: OpenAIChat) -> dict[str, Json]:
    """What the server's list of models says of this one; empty where it has no list."""
    with suppress(ProviderError, TypeError, KeyError, AttributeError):
        listed = await server.get(server.models_path)
        rows = listed["data"] if isinstance(listed, dict) else listed
        row = next(row for row in [*rows, {}] if not row or row.get("id") == server.spec.partition("/")[2])
        meta = row.get("meta") if isinstance(row.get("meta"), dict) else {}
        found = {name: row.get(name) for name in _TOLD} | {name: meta.get(name) for name in _TOLD_OF_FILE}
        if isinstance(found["root"], str):  # the same weights may lie in another folder there
            found["root"] = found["root"].rstrip("/").rpartition("/")[2]
        return {name: value for name, value in found.items() if value is not None}
    return {}


async def _probe(server: OpenAIChat, prompt: str) -> tuple[str, Mapping[str, float] | None]:
    """The answer to one prompt: its text, and the probabilities of its first token where they are given."""
    body = server.body(Request((Message("user", prompt),), max_tokens=_TOKENS))
    try:
        reply = await server.post("/chat/completions", {**body, "logprobs": True, "top_logprobs": _TOP})
    except ProviderError as error:
        if error.status is None or error.status >= 500:
            raise
        reply = await server.post("/chat/completions", body)
    return _text(reply), _first_token(reply)


def _text(reply: Any) -> str:
    with suppress(TypeError, KeyError, IndexError, AttributeError):
        message = reply["choices"][0]["message"]
        return f"{message.get('reasoning_content') or ''}{message.get('content') or ''}"
    return ""


def _first_token(reply: Any) -> dict[str, float] | None:
    with suppress(TypeError, KeyError, IndexError, ValueError):
        entries = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        return {str(entry["token"]): float(entry["logprob"]) for entry in entries} or None
    return None
