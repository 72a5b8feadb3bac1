"""Reading a chat-completions reply: nothing becomes a Completion that is not one.

Every server that calls itself compatible differs; and proxies answer 200 with a web page, an error, or half a body.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from clika_providers.errors import ProviderError, RetryableError
from clika_providers.hosted import logprobs
from clika_providers.keys import reply_text
from clika_providers.traffic.http_errors import Where, classify, failure_of, quoted
from clika_providers.types import Completion, Request, Usage

_FINISH = {
    "stop": "stop", "eos": "stop", "end_turn": "stop", "stop_sequence": "stop", "length": "length",
    "max_tokens": "length", "content_filter": "content_filter", "safety": "content_filter",
    "prohibited_content": "content_filter", "blocklist": "content_filter", "recitation": "content_filter",
    "spii": "content_filter", "refusal": "refusal",
}  # fmt: skip
_MOST_TOKENS = 1_000_000_000
_STATUSES: dict[int | str, int] = {key: n for n in range(400, 600) for key in (n, str(n))}


def broken(what: str) -> RetryableError:
    """A reply that arrived but cannot be read."""
    return RetryableError(f"the server's reply was not usable: {what}", code="shape")


def parse_body(body: bytes | str) -> dict[str, Any]:
    """The reply's JSON object; raises a retryable error for anything else."""
    if not body.strip():
        raise broken("it was empty")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        text = reply_text(body) if isinstance(body, bytes) else body
        start = quoted(text[:80], 60)
        kind = "a web page; is --base-url right?" if text.lstrip()[:1] == "<" else "not JSON, or cut short"
        raise broken(f"{kind} ({start})") from None
    if not isinstance(data, dict):
        raise broken(f"a JSON {type(data).__name__} instead of an object")
    return data


def reading(
    read: Callable[[bytes, Request], Completion], body: bytes, request: Request, usage: Callable[[bytes], Usage]
) -> Completion:
    """What `read` makes of a body; a failure carries the tokens that the reply was billed for all the same."""
    try:
        return read(body, request)
    except ProviderError as error:
        error.usage, error.sent = usage(body), True
        raise


def read_chat(body: bytes, request: Request, where: Where, latency_s: float | None = None) -> Completion:
    """The Completion in a 200 reply; raises ProviderError when there is none (shape faults are retryable)."""
    raw = reply_text(body)
    data = parse_body(raw)
    if data.get("error"):
        raise _error_inside(data, where)
    choices = data.get("choices")
    if not isinstance(choices, list):
        raise broken("it holds no choices")
    if not choices:
        return _blocked(data, raw, latency_s)
    return _read_choice(choices[0], data, raw, request, where, latency_s)


def _blocked(data: dict[str, Any], raw: str, latency_s: float | None) -> Completion:
    """Gemini answers a blocked prompt with no choice at all, but says so or bills it; anything else is a fault."""
    feedback = data.get("promptFeedback") or data.get("prompt_feedback")
    if isinstance(feedback, dict) and (feedback.get("blockReason") or feedback.get("block_reason")):
        return Completion(
            "",
            "content_filter",
            usage=read_usage(data.get("usage")),
            model_served=_text(data.get("model")),
            raw=raw,
            latency_s=latency_s,
        )
    raise broken("its list of choices is empty")


def _read_choice(
    choice: Any, data: dict[str, Any], raw: str, request: Request, where: Where, latency_s: float | None
) -> Completion:
    if not isinstance(choice, dict):
        raise broken("its choice is not an object")
    if choice.get("error"):
        raise _error_inside(choice, where)
    message = choice.get("message")
    if not isinstance(message, dict):
        message = {"content": choice.get("text")} if isinstance(choice.get("text"), str) else {}
    finish = _FINISH.get(str(choice.get("finish_reason") or "").lower())
    text, thinking = said_and_thought(message, finish)
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        text, finish = text or message["refusal"], "refusal"
    if text is None:
        if finish not in ("length", "content_filter") and not thinking:
            raise broken("its message has no content")
        text = ""
    labels = request.labels if request.mode == "logprobs" else ()
    return Completion(
        text=text,
        finish_reason=finish,
        choice_logprobs=logprobs.of_labels(choice.get("logprobs"), labels) if labels else None,
        thinking=thinking,
        usage=read_usage(data.get("usage")),
        model_served=_text(data.get("model")),
        fingerprint=_text(data.get("system_fingerprint")) or _text(data.get("provider")),
        raw=raw,
        latency_s=latency_s,
    )


def said_and_thought(message: dict[str, Any], finish: str | None) -> tuple[str | None, str | None]:
    """(what was said, what was thought) in a message of a reply that ended so; None for what is not there.

    Raises ProviderError for a content that is none.
    """
    text, thinking = _split_content(message)
    if thinking and finish == "stop" and not (text or "").strip():
        # A server that is told to part thoughts from replies files all of an unthinking model's reply under thoughts.
        return thinking, None
    return text, thinking


_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_text")
"""Where servers put what a model thought before it spoke."""


def _thought(message: dict[str, Any]) -> str | None:
    for name in _THOUGHTS:
        if found := _text(message.get(name)):
            return found
    details = message.get("reasoning_details")
    parts = [part for part in details if isinstance(part, dict)] if isinstance(details, list) else []
    return "".join(_text(part.get("text")) or _text(part.get("summary")) or "" for part in parts) or None


def _split_content(message: dict[str, Any]) -> tuple[str | None, str | None]:
    """(what was said, what was thought): content may be text, null, or a list of parts."""
    thinking = _thought(message)
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content, thinking
    if not isinstance(content, list):
        raise broken(f"its content is a {type(content).__name__}")
    said, thought = [], [thinking] if thinking else []
    for part in content:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, dict) and part.get("type") == "thinking":
            thought.append(_flat(part.get("thinking")))
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            said.append(part["text"])
    return "".join(said), "".join(thought) or None


def _flat(value: Any) -> str:
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    return "".join(p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str))


def _error_inside(holder: dict[str, Any], where: Where) -> ProviderError:
    """An error that came with status 200, as OpenRouter and some proxies send it."""
    failure = failure_of(holder)
    error = holder["error"]
    code = error.get("code") if isinstance(error, dict) else holder.get("code")
    status = _STATUSES.get(code) if isinstance(code, int | str) else None
    if status is not None:
        return classify(status, failure, {}, where)
    found = classify(400, failure, {}, where)
    # Without a status only key, quota and model troubles are told by their words; the rest is worth another try.
    return found if found.kind == "run" else broken(f"an error inside a success: {quoted(failure.message)}")


def read_usage(usage: Any) -> Usage:
    """Token counts, as far as they are given."""
    if not isinstance(usage, dict):
        return Usage()
    prompt, completion = _details(usage, "prompt_tokens_details"), _details(usage, "completion_tokens_details")
    said, reasoning = count(usage.get("completion_tokens")), count(completion.get("reasoning_tokens"))
    given, total = count(usage.get("prompt_tokens")), count(usage.get("total_tokens"))
    return Usage(given, _output(given, said, reasoning, total), count(prompt.get("cached_tokens")), reasoning)


def _output(given: int | None, said: int | None, reasoning: int | None, total: int | None) -> int | None:
    """Output tokens as they are billed: the largest of what the counts can mean.

    Gateways before Gemini leave thinking out of `completion_tokens`, and show it in the details or in the total only.
    """
    if said is None:
        return None
    outside = reasoning if reasoning is not None and reasoning > said else 0
    beyond = total - given if total is not None and given is not None else 0
    return max(said + outside, beyond)


def usage_of(body: bytes, read: Callable[[Any], Usage] = read_usage) -> Usage:
    """The tokens a reply was billed for, whatever else is wrong with it; `read` knows the vendor's counts."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return Usage()
    return read(data.get("usage")) if isinstance(data, dict) else Usage()


def _details(usage: dict[str, Any], name: str) -> dict[str, Any]:
    value = usage.get(name)
    return value if isinstance(value, dict) else {}


def count(value: Any) -> int | None:
    """A count of tokens one request can have; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_TOKENS:
        return None
    return int(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
