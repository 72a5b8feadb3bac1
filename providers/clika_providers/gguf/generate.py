"""Text answers: tokens drawn one by one after the prompt, or one of the labels drawn by their probabilities."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import exp
from typing import Any

from clika_providers.errors import RunError
from clika_providers.gguf.engine import Engine
from clika_providers.gguf.template import THINKING, Marks
from clika_providers.types import Json, Request

THINKING_LIMIT = 1024
"""Tokens a model may think for, where thinking cannot be turned off, on top of `max_tokens` for the answer."""


@dataclass(frozen=True, slots=True)
class Generated:
    """A finished answer; `finish_reason` is `stop` or `length`."""

    text: str
    thinking: str | None
    finish_reason: str
    n_tokens: int
    n_thinking: int
    """How many of the tokens were thinking."""


def generate(engine: Engine, tokens: Sequence[int], request: Request, marks: Marks | None, inside: bool) -> Generated:
    """Continue a prompt until the model ends its turn, a stop text appears or the limit is reached."""
    limit = request.max_tokens + (THINKING_LIMIT if marks or request.thinking else 0)
    limit = max(request.max_tokens, min(limit, engine.settings.n_ctx_limit - len(tokens)))
    engine.room_for(len(tokens) + limit)
    engine.evaluate(tokens)
    raw, count, answered, finish = b"", 0, 0, "length"
    with _sampler(engine, request) as sampler:
        while count < limit and answered < request.max_tokens:
            token = engine.lib.llama_sampler_sample(sampler, engine.context, -1)
            if engine.is_end(token):
                finish = "stop"
                break
            raw += engine.piece(token)
            count += 1
            thinks = _thinks(raw, marks, inside)
            answered += not thinks
            if not thinks and any(stop.encode() in raw for stop in request.stop):
                finish = "stop"
                break
            if count < limit:
                engine.decode([token], len(tokens) + count - 1, last_only=True)
    engine.forget_after(len(tokens))
    text, thinking = split_thinking(raw.decode("utf-8", "replace"), marks, inside)
    for stop in request.stop:
        text = text.partition(stop)[0]
    return Generated(text, thinking, finish, count, count - answered)


def draw_label(request: Request, logprobs: Sequence[float]) -> int:
    """Which label an answer held to the labels is: the likeliest, or at a temperature one drawn by their probabilities.

    Not token by token: a model that begins with a space would be led away from the label it finds likeliest.
    """
    if request.temperature <= 0:
        return max(range(len(logprobs)), key=logprobs.__getitem__)
    best = max(logprobs)
    weights = [exp((one - best) / request.temperature) for one in logprobs]
    draw = random.Random(f"{request.seed or 0}:{request.repeat}:{request.messages!r}")
    return draw.choices(range(len(weights)), weights)[0]


def _thinks(raw: bytes, marks: Marks | None, inside: bool) -> bool:
    if marks is None or marks.closed.encode() in raw:
        return False
    said = raw.lstrip()
    opened = marks.opened.encode()
    return inside or said.startswith(opened) or opened.startswith(said)


def split_thinking(text: str, marks: Marks | None, inside: bool) -> tuple[str, str | None]:
    """The answer and the thinking before it; an unfinished thought leaves no answer."""
    for one in (marks,) if marks else THINKING:
        if inside or text.lstrip().startswith(one.opened):
            thought, closed, answer = text.partition(one.closed)
            return (answer.lstrip() if closed else ""), thought.replace(one.opened, "", 1).strip()
    return text, None


@contextmanager
def _sampler(engine: Engine, request: Request) -> Iterator[Any]:
    lib = engine.lib
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    try:
        options = sampling_options((*engine.settings.sampling, *request.extra))
        if request.temperature <= 0:
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_greedy())
        else:
            if "top_k" in options:
                lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_k(int(options["top_k"])))
            if "top_p" in options:
                lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_p(options["top_p"], 1))
            if "min_p" in options:
                lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_min_p(options["min_p"], 1))
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_temp(request.temperature))
            # Each repeat is another draw, and the same one whenever it is asked again.
            seed = (request.seed or 0) * 1_000_003 + request.repeat
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_dist(seed % 0xFFFFFFFF))
        yield chain
    finally:
        lib.llama_sampler_free(chain)


def sampling_options(extra: Sequence[tuple[str, Json]]) -> dict[str, float]:
    """The sampling options among further fields; raises RunError for one that does not exist here."""
    found: dict[str, float] = {}
    for name, value in extra:
        if name not in ("top_k", "top_p", "min_p"):
            raise RunError(f"GGUF models have no option {name!r}; they know top_k, top_p and min_p")
        found[name] = _number(name, value)
    return found


def _number(name: str, value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RunError(f"{name} must be a number, not {value!r}")
    return float(value)
