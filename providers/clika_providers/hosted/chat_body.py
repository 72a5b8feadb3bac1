"""A Request as the body of a chat-completions call, by what the model takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set

from clika_providers.errors import RunError
from clika_providers.hosted.capabilities import Capabilities
from clika_providers.types import Json, Message, Request

_LOGPROBS_TOKENS = 4  # room for a space or an opening mark before the label


def chat_body(
    request: Request,
    model: str,
    can: Capabilities,
    *,
    extra: Mapping[str, Json],
    dropped: Set[str] = frozenset(),
    note: Callable[[str], None] = lambda _: None,
) -> dict[str, Json]:
    """The JSON body. `dropped` are fields this model was seen to reject; `note` is told what the user should know.

    Raises RunError when the request needs what the model cannot do.
    """
    body: dict[str, Json] = {"model": model, "messages": messages_of(request.messages, can.system)}
    if request.mode == "logprobs":
        if not can.logprobs or can.thinks(request.thinking):
            why = "gives no logprobs" if not can.logprobs else "gives no logprobs while it thinks"
            raise RunError(f"{model!r} {why}; ask it with --ask text", code="logprobs")
        body["logprobs"], body["top_logprobs"] = True, 20
    body[can.max_tokens] = output_cap(request, can, note)
    body.update(sampling_fields(request, can, note))
    if request.grammar:
        body.update(_grammar(request.labels, can, model))
    return completed(body, request, can, extra, dropped)


def output_cap(request: Request, can: Capabilities, note: Callable[[str], None]) -> int:
    """The cap on the reply's tokens: raised for a model that thinks, because its thoughts count too."""
    if request.mode == "logprobs":
        return min(request.max_tokens, _LOGPROBS_TOKENS)
    cap = can.most_output(request.max_tokens, request.thinking)
    if cap > request.max_tokens:
        why = "the model thinks" if request.thinking else "the model cannot answer without thinking"
        note(f"the output cap was raised from {request.max_tokens} to {cap} tokens: {why}")
    return cap


def sampling_fields(request: Request, can: Capabilities, note: Callable[[str], None]) -> dict[str, Json]:
    """Temperature, seed and stop sequences, as far as the model takes them; `note` is told what it does not take."""
    fields: dict[str, Json] = {}
    if can.temperature and (can.thinking_sampling or not can.thinks(request.thinking)):
        fields["temperature"] = request.temperature
    elif request.temperature != 1.0:
        note("temperature was not sent: the model does not take it")
    if request.seed is not None and can.seed:
        fields[can.seed_field] = request.seed
    elif request.seed is not None:
        note("seed was not sent: the model does not take it")
    if request.stop and can.stop:
        fields[can.stop_field] = list(request.stop)
    elif request.stop:
        note("stop sequences were not sent: the model does not take them")
    return fields


def completed(
    body: dict[str, Json], request: Request, can: Capabilities, extra: Mapping[str, Json], dropped: Set[str]
) -> dict[str, Json]:
    """The body with thinking switched off where it can be, the user's own fields, and without what was rejected."""
    if not request.thinking and can.thinking != "absent":
        body.update(can.thinking_off)
    body.update(extra)
    body.update(dict(request.extra))
    for name in dropped:
        body.pop(name, None)
    return body


def messages_of(messages: tuple[Message, ...], system: bool) -> list[Json]:
    """The conversation as sent; without a system role its text leads the first user turn."""
    if system or not any(m.role == "system" for m in messages):
        return [{"role": m.role, "content": m.content} for m in messages]
    lead = "\n\n".join(m.content for m in messages if m.role == "system")
    rest: list[Json] = [{"role": m.role, "content": m.content} for m in messages if m.role != "system"]
    if rest and isinstance(rest[0], dict) and rest[0]["role"] == "user":
        rest[0]["content"] = f"{lead}\n\n{rest[0]['content']}"
        return rest
    return [{"role": "user", "content": lead}, *rest]


def _grammar(labels: tuple[str, ...], can: Capabilities, model: str) -> dict[str, Json]:
    """Fields that hold the generated text to one of the labels."""
    choices: list[Json] = list(labels)
    if can.grammar == "structured_outputs":
        return {"structured_outputs": {"choice": choices}}
    if can.grammar == "gbnf":
        return {"grammar": "root ::= " + " | ".join(json.dumps(label, ensure_ascii=False) for label in labels)}
    if can.grammar == "json_schema":
        schema: dict[str, Json] = {
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": choices}},
            "required": ["answer"],
            "additionalProperties": False,
        }
        return {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": schema},
            }
        }
    raise RunError(f"no way is known to hold {model!r} to the answer labels on this server", code="grammar")
