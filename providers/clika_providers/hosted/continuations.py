"""How likely a text is to a server's model: the ways that servers tell log-probabilities of what they did not write.

No two servers tell them alike, so the first question finds out which form one has, by trying: vLLM's
`prompt_logprobs`, a completion's `echo` (llama-cpp-python's server and others), SGLang's `/generate`, llama-server's
`/tokenize` with one forced token after the other. What is computed is what a model in this process is asked for
(`gguf/likelihood.py`): text and option tokenized together, conditioned on the tokens that all of them share.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeAlias

from clika_providers.errors import ItemError, RunError
from clika_providers.types import Json

Post: TypeAlias = Callable[[str, dict[str, Json]], Awaitable[dict[str, Any] | list[Any]]]
"""POST of a body to a path of the API, or to an address of the same server; raises ProviderError."""
_FORCED = 1e5
_LEAST = math.log(2**-149)
"""What the least probability above 0 in single precision says; llama-server tells one that is less as -3.4e38."""


@dataclass(frozen=True, slots=True)
class TokensTold:
    """A text as the server took it apart."""

    tokens: tuple[Hashable, ...]
    """Ids, or texts where the server tells no ids; equal tokens are equal here."""
    logprobs: tuple[float | None, ...]
    """Natural log P(token | tokens before it); None where nothing stands before."""
    evaluated: int = 0
    """Prompt tokens as the server counted them."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """Whom a form asks."""

    post: Post
    root: str
    """The server's address without `/v1`."""
    model: str


@dataclass(frozen=True, slots=True)
class ServedLikelihoods:
    """Per option: log P(option | prompt) and its tokens."""

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...]
    evaluated: int


Form: TypeAlias = Callable[[ServedModel, str, Sequence[str]], Awaitable[ServedLikelihoods]]


class NotTold(Exception):
    """The reply holds no probabilities in this form."""


# --- servers that tell a whole text -----------------------------------------------------------------


async def _prompt_logprobs(server: ServedModel, text: str) -> TokensTold:
    """vLLM: one mapping per token of the prompt, from its id to what is known of it."""
    body: dict[str, Json] = {
        "model": server.model, "prompt": text, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0
    }  # fmt: skip
    data = await _object(server, "/completions", body)
    listed = _choice(data).get("prompt_logprobs", data.get("prompt_logprobs"))
    if not isinstance(listed, list) or not listed:
        raise NotTold
    pairs: list[tuple[Hashable, float | None]] = []
    for entry in listed:
        # Asked for no alternatives, the mapping holds the prompt's own token; the first names none.
        token, known = next(iter(entry.items())) if isinstance(entry, dict) and entry else (None, None)
        pairs.append((token, _number(known.get("logprob")) if isinstance(known, dict) else None))
    return _told(pairs, data)


async def _echo(server: ServedModel, text: str) -> TokensTold:
    """The completions API of old: the prompt said again, with a probability beside every token."""
    body: dict[str, Json] = {
        "model": server.model, "prompt": text, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1
    }  # fmt: skip
    data = await _object(server, "/completions", body)
    choice = _choice(data)
    held = choice.get("logprobs")
    held = held if isinstance(held, dict) else {}
    tokens, values = held.get("tokens"), held.get("token_logprobs")
    if not (isinstance(tokens, list) and isinstance(values, list) and len(tokens) == len(values)):
        raise NotTold
    prompt = len(tokens) - _written(choice, data)
    if prompt < 1 or not all(isinstance(token, str) for token in tokens):
        raise NotTold
    if text.isascii():  # pieces of a character have no text of their own
        written = str(choice.get("text", ""))[len(text) :]
        if prompt < len(tokens) and tokens[-1] != written and "".join(tokens).endswith(text.lstrip()):
            raise RunError(
                f"{server.model!r}: for a model whose text does not begin with BOS this server tells the probability "
                "of each token's successor (llama-cpp-python's server does): run the file in this process "
                "(gguf/FILE) or in llama-server",
                code="likelihood",
            )
        if not "".join(tokens[:prompt]).endswith(text.lstrip()):
            raise NotTold
    return _told(list(zip(tokens[:prompt], map(_number, values[:prompt]), strict=True)), data)


def _written(choice: dict[str, Any], data: dict[str, Any]) -> int:
    """How many tokens of a reply the model wrote itself."""
    usage = data.get("usage")
    counted = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return counted if isinstance(counted, int) else int(choice.get("finish_reason") == "length")


async def _generate(server: ServedModel, text: str) -> TokensTold:
    """SGLang's own door: triples of log-probability, id and text."""
    body: dict[str, Json] = {
        "text": text,
        "sampling_params": {"max_new_tokens": 1, "temperature": 0},
        "return_logprob": True,
        "logprob_start_len": 0,
    }
    data = await _object(server, f"{server.root}/generate", body)
    meta = data.get("meta_info")
    listed = meta.get("input_token_logprobs") if isinstance(meta, dict) else None
    if not isinstance(listed, list) or not all(isinstance(row, list) and len(row) >= 2 for row in listed):
        raise NotTold
    return _told([(row[1], _number(row[0])) for row in listed], {"usage": meta})


def _told(pairs: Sequence[tuple[Hashable, float | None]], data: dict[str, Any]) -> TokensTold:
    usage = data.get("usage")
    counted = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    evaluated = counted if isinstance(counted, int) else len(pairs)
    return TokensTold(tuple(token for token, _ in pairs), tuple(value for _, value in pairs), evaluated)


def _whole(tell: Callable[[ServedModel, str], Awaitable[TokensTold]]) -> Form:
    async def figures(server: ServedModel, text: str, options: Sequence[str]) -> ServedLikelihoods:
        alone = await tell(server, text) if text else None
        wholes = [await tell(server, text + option) for option in options]
        shared = _shared(alone.tokens if alone else (), [told.tokens for told in wholes], options)
        rows = [told.logprobs[shared:] for told in wholes]
        if any(value is None for row in rows for value in row):
            raise ItemError(
                "the option begins the text, and the server tells no probability of a first token: "
                "put something before the answer"
            )
        evaluated = sum(told.evaluated for told in (*wholes, *([alone] if alone else [])))
        sums = tuple(math.fsum(value for value in row if value is not None) for row in rows)
        return ServedLikelihoods(sums, tuple(map(len, rows)), evaluated)

    return figures


def _shared(alone: Sequence[Hashable], wholes: Sequence[Sequence[Hashable]], options: Sequence[str]) -> int:
    """Tokens that the text and all of its continuations begin with, leaving each continuation one of its own."""
    for option, whole in zip(options, wholes, strict=True):
        if not option.strip() or len(whole) < len(alone):
            raise ItemError(f"the option {option!r} adds nothing to the prompt; give it a text")
    common = min(
        sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(alone, whole, strict=False))) for whole in wholes
    )
    return min(common, min(map(len, wholes)) - 1)


# --- llama-server: its tokenizer, then one token at a time --------------------------------------------


async def _forced(server: ServedModel, text: str, options: Sequence[str]) -> ServedLikelihoods:
    """llama-server tells the raw probability of the token it writes, and a bias makes it write the one that is asked.

    Equal beginnings are asked once; the server keeps the prompt in its cache.
    """
    alone = await _tokens(server, text)
    wholes = [await _tokens(server, text + option) for option in options]
    shared = _shared(alone, wholes, options)
    known: dict[tuple[int, ...], float] = {}
    for path in sorted({tuple(whole[:end]) for whole in wholes for end in range(shared + 1, len(whole) + 1)}):
        if len(path) == 1:
            raise ItemError("the option begins the text: put something before the answer")
        known[path] = await _forced_token(server, path[:-1], path[-1])
    rows = [[known[tuple(whole[:end])] for end in range(shared + 1, len(whole) + 1)] for whole in wholes]
    return ServedLikelihoods(tuple(map(math.fsum, rows)), tuple(map(len, rows)), len(alone) + len(known))


async def _tokens(server: ServedModel, text: str) -> list[int]:
    body: dict[str, Json] = {"content": text, "add_special": True, "parse_special": False}
    data = await _object(server, f"{server.root}/tokenize", body)
    tokens = data.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
        raise NotTold
    return tokens


async def _forced_token(server: ServedModel, before: Sequence[int], token: int) -> float:
    body: dict[str, Json] = {
        "prompt": list(before),
        "n_predict": 1,
        "temperature": 0,
        "n_probs": 1,
        "logit_bias": [[token, _FORCED]],
        "cache_prompt": True,
    }
    data = await _object(server, f"{server.root}/completion", body)
    listed = data.get("completion_probabilities")
    entry = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    value = _number(entry.get("logprob"))
    if entry.get("id") != token or value is None:
        raise NotTold
    return max(value, _LEAST)


FORMS: dict[str, Form] = {
    "prompt_logprobs": _whole(_prompt_logprobs),
    "echo": _whole(_echo),
    "/generate": _whole(_generate),
    "/completion with a forced token": _forced,
}
"""Name → how it is asked, in the order they are tried."""


async def _object(server: ServedModel, path: str, body: dict[str, Json]) -> dict[str, Any]:
    data = await server.post(path, body)
    if not isinstance(data, dict):
        raise NotTold
    return data


def _choice(data: dict[str, Any]) -> dict[str, Any]:
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return min(0.0, float(value))
