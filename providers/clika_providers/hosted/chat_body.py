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
    thinks = can.thinks(request.thinking)
    body: dict[str, Json] = {"model": model, "messages": messages_of(request.messages, can.system)}
    cap = request.max_tokens
    if request.mode == "logprobs":
        if not can.logprobs or thinks:
            why = "gives no logprobs" if not can.logprobs else "gives no logprobs while it thinks"
            raise RunError(f"{model!r} {why}; ask it with --ask text", code="logprobs")
        body["logprobs"], body["top_logprobs"] = True, 20
        cap = min(cap, _LOGPROBS_TOKENS)
    elif thinks and cap < can.min_output:
        why = "the model thinks" if request.thinking else "the model cannot answer without thinking"
        note(f"the output cap was raised from {cap} to {can.min_output} tokens: {why}")
        cap = can.min_output
    body[can.max_tokens] = cap
    if can.temperature and (not thinks or can.thinking_sampling):
        body["temperature"] = request.temperature
    elif request.temperature != 1.0:
        note("temperature was not sent: the model does not take it")
    if request.seed is not None:
        if can.seed:
            body[can.seed_field] = request.seed
        else:
            note("seed was not sent: the model does not take it")
    if request.stop:
        if can.stop:
            body["stop"] = list(request.stop)
        else:
            note("stop sequences were not sent: the model does not take them")
    if not request.thinking and can.thinking != "absent":
        body.update(can.thinking_off)
    if request.grammar:
        body.update(_grammar(request.labels, can, model))
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
