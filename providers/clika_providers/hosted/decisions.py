"""OpenAI's Decisions endpoint as a reading mode of its own (experimental): a probability for each label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from clika_providers.errors import RunError
from clika_providers.hosted.chat_reply import broken, parse_body
from clika_providers.keys import without_keys
from clika_providers.traffic.http_errors import Where, classify, failure_of
from clika_providers.types import Completion, Json, Request, Usage

_QUESTION = "Which of these labels marks the correct answer?"
_MOST_CHOICES = 255


def body(request: Request, model: str, extra: Mapping[str, Json]) -> dict[str, Json]:
    """The request body: the conversation as input, one question of type `choice` over the labels.

    Raises RunError when the number of labels is not 2 to 255.
    """
    if not 2 <= len(request.labels) <= _MOST_CHOICES:
        raise RunError(
            f"a Decisions question takes 2 to {_MOST_CHOICES} labels, not {len(request.labels)}", code="decisions"
        )
    messages: list[Json] = [{"type": "message", "role": m.role, "content": m.content} for m in request.messages]
    choices: list[Json] = [{"value": label} for label in request.labels]
    question: dict[str, Json] = {"type": "choice", "instructions": _QUESTION, "choices": choices}
    return {"model": model, "input": messages, "questions": [question], **extra, **dict(request.extra)}


def read(data: bytes, request: Request, where: Where) -> Completion:
    """The Completion in a Decisions reply: text is the chosen label, choice_logprobs the logs of the probabilities."""
    data = without_keys(data)
    reply = parse_body(data)
    if reply.get("error"):
        raise classify(400, failure_of(reply), {}, where)
    answers = reply.get("answers")
    if not isinstance(answers, list) or len(answers) != 1 or not isinstance(answers[0], dict):
        raise broken("it holds no answer")
    answer, usage = answers[0], _usage(reply.get("usage"))
    model, raw = reply.get("model"), data.decode("utf-8", "replace")
    served = model if isinstance(model, str) else None
    if answer.get("type") == "refusal":
        return Completion("", "refusal", usage=usage, model_served=served, raw=raw)
    chosen, pairs = answer.get("choice"), answer.get("probabilities")
    if chosen not in request.labels or not isinstance(pairs, list):
        raise broken("its answer is none of the labels")
    given = {p.get("value"): p.get("probability") for p in pairs if isinstance(p, dict)}
    values = [given.get(label) for label in request.labels]
    if not all(isinstance(v, int | float) and 0 <= v <= 1 for v in values):
        raise broken("it lacks the probability of a label")
    logs = tuple(math.log(v) if v else None for v in values)
    return Completion(str(chosen), "stop", choice_logprobs=logs, usage=usage, model_served=served, raw=raw)


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()

    def count(name: str) -> int | None:
        value = usage.get(name)
        return value if isinstance(value, int) else None

    return Usage(count("input_tokens"), count("output_tokens"))
