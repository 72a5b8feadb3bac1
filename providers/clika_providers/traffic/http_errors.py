"""What an HTTP failure means for the run: try again, give up this request, or give up the model."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from clika_providers.errors import ErrorCode, ItemError, ProviderError, RetryableError, RunError
from clika_providers.keys import redact, reply_text

RETRYABLE_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
THROTTLE_STATUS = frozenset({429, 529})

_QUOTA = re.compile(
    r"insufficient_quota|billing|credit balance|payment required|exceeded your current quota|out of credits"
    r"|account_deactivated|insufficient (balance|funds|credits)",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"(invalid|incorrect|not valid|expired|missing|no) (x-)?api[ _-]?key"
    r"|api[ _-]?key.{0,20}(invalid|incorrect|not valid|expired|missing)|API_KEY_INVALID",
    re.IGNORECASE,
)
_MODEL_GONE = re.compile(
    r"model_not_found|invalid model name"
    r"|model.{0,80}(does not exist|not found|decommissioned|deprecated|retired|shut ?down|no longer)",
    re.IGNORECASE | re.DOTALL,
)
_FILTER = re.compile(r"content_filter|content_policy|flagged|moderation|safety", re.IGNORECASE)
_LONG = re.compile(r"context_length|context length|context window|too many tokens|prompt is too long|maximum context",
                   re.IGNORECASE)  # fmt: skip
_NO_SUCH_PATH = re.compile(r"unexpected endpoint", re.IGNORECASE)
# How web servers say that they serve nothing at a path; who lacks a model names the model.
_NOTHING_THERE = re.compile(
    r"page not found|file not found|resource not found|cannot post|no route|unknown (path|route|endpoint)"
    r"|invalid (url|path|endpoint)|^(\S+ )?(404 )?not found\.?$|^$|a web page, not an API reply|method not allowed",
    re.IGNORECASE,
)

_CREDIT = "; check the account's credit and plan, then run again"
_OTHER_KEY = "; the key was not accepted: {key_cure}"
_NO_SERVICE = "; there is no chat service at {address}: does it end in /v1? Check --base-url"
_OTHER_MODEL = "; {address} knows no model {model!r}: see `clika models list {server}` and check --base-url"
_TOO_LONG = "; the prompt is longer than the model takes"

_MOST_WORDS = 4_000
"""Characters of a failure that are looked at; what matters is said at its beginning."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Where:
    """Whom a failure message speaks of."""

    server: str
    model: str
    address: str
    key_env: tuple[str, ...]

    @property
    def key_cure(self) -> str:
        """How to give a key that works."""
        return f"set {self.key_env[0]} or give --key-command" if self.key_env else "give --key-command"


@dataclass(frozen=True, slots=True)
class Failure:
    """A server's own words about an error, dug out of whichever shape it uses."""

    message: str
    code: str = ""
    param: str | None = None
    details: Any = None


def quoted(text: str, limit: int = 300) -> str:
    """Foreign text made fit for a message: one line, no control characters, no key, not long."""
    clean = _CONTROL.sub(" ", redact(text[:_MOST_WORDS])).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def read_failure(body: bytes | str) -> Failure:
    """The error in a reply body: OpenAI, Anthropic, Gemini, FastAPI and plain shapes."""
    text = reply_text(body) if isinstance(body, bytes) else body
    try:
        return failure_of(json.loads(text))
    except (ValueError, RecursionError):
        return Failure("a web page, not an API reply" if text.lstrip()[:1] == "<" else text[:_MOST_WORDS])


def failure_of(data: Any) -> Failure:
    """As read_failure, from parsed JSON."""
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return Failure(_words(data))
    error = data.get("error", data)
    if not isinstance(error, dict):
        return Failure(_words(error), _words(data.get("code") or data.get("error_type") or ""))
    message = error.get("message") or error.get("detail") or error.get("error") or error.get("object") or error
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and metadata.get("raw"):
        message = f"{_words(message)}: {_words(metadata['raw'])}"
    codes = [_words(error[k])[:200] for k in ("code", "type", "status") if error.get(k)]
    param = error.get("param")
    return Failure(
        _words(message),
        " ".join(codes),
        param if isinstance(param, str) else None,
        error.get("details"),
    )


def _words(value: Any) -> str:
    """A value of a failure as text of bounded length that any file can hold."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):  # an integer of thousands of digits, lists a thousand deep
        return "unreadable"
    return text[:_MOST_WORDS].encode("utf-8", "replace").decode("utf-8")


_ANY = range(100, 1000)


@dataclass(frozen=True, slots=True)
class _StatusRule:
    """What a kind of failed reply means; of the rules that fit a reply, the first one says it."""

    statuses: Container[int]
    error: type[ProviderError]
    code: ErrorCode | None = None
    cure: str = ""
    """What follows the server's own words, with the names of `Where` in braces."""
    said: re.Pattern[str] | None = None
    """What the server's code or message holds; None: whatever it says."""
    in_code: bool = False
    """Only its code is looked at: messages of other failures use the same words."""


_RULES = (
    _StatusRule({402}, RunError, "quota", _CREDIT),
    _StatusRule({400, 403, 429}, RunError, "quota", _CREDIT, _QUOTA),
    _StatusRule({401}, RunError, "key", _OTHER_KEY),
    _StatusRule({400, 403}, RunError, "key", _OTHER_KEY, _KEY),
    _StatusRule({403}, ItemError, "content_filter", said=_FILTER),
    _StatusRule({403}, RunError, "access",
          "; the key has no access to {model!r}: use another key ({key_cure}) or another model"),
    # LM Studio says so with status 200; others answer 404 to every path.
    _StatusRule(_ANY, RunError, "address", _NO_SERVICE, _NO_SUCH_PATH),
    _StatusRule({404, 405}, RunError, "address", _NO_SERVICE, _NOTHING_THERE),
    _StatusRule({404, 405}, RunError, "model", _OTHER_MODEL),
    _StatusRule({400, 410}, RunError, "model", _OTHER_MODEL, _MODEL_GONE),
    _StatusRule(_ANY, RunError, "logprobs",
          "; start the server with --logits_all true, or ask with --ask text", re.compile("logits_all")),
    _StatusRule(RETRYABLE_STATUS | frozenset(range(500, 1000)), RetryableError),
    _StatusRule(_ANY, ItemError, "content_filter", said=_FILTER, in_code=True),
    _StatusRule({413}, ItemError, "too_long", _TOO_LONG),
    _StatusRule(_ANY, ItemError, "too_long", _TOO_LONG, _LONG),
    _StatusRule(_ANY, ItemError),
)  # fmt: skip
"""Order matters where a status has several meanings: what the server says goes before what its status says."""


def classify(status: int, failure: Failure, headers: Mapping[str, str], where: Where) -> ProviderError:
    """The error to raise for a failed reply; messages name the server, what it said and the cure."""
    if 300 <= status < 400:
        return _redirected(status, headers, where)
    said = f"{failure.code} {failure.message}".strip()[:_MOST_WORDS]
    rule = next(r for r in _RULES if status in r.statuses and _says(r, failure.code if r.in_code else said))
    words = quoted(failure.message)
    head = f"{where.server} answered {status}: {words}" if words else f"{where.server} answered {status}"
    cure = rule.cure.format(server=where.server, model=where.model, address=where.address, key_cure=where.key_cure)
    error = rule.error(head + cure, status=status, code=rule.code)
    if isinstance(error, RetryableError):
        error.retry_after = retry_after(headers, failure)
    return error


def _says(rule: _StatusRule, text: str) -> bool:
    return rule.said is None or rule.said.search(text) is not None


def _redirected(status: int, headers: Mapping[str, str], where: Where) -> ItemError:
    return ItemError(
        f"{where.server} at {where.address} answered {status}, a redirect to {_place(headers)}; a reply from there "
        "would not be this server's: if it is right, give that address with --base-url",
        status=status,
        code="redirect",
    )


def _place(headers: Mapping[str, str]) -> str:
    """Where a redirect leads: scheme and host, without what may be secret in its path."""
    try:
        parts = urlsplit(headers.get("location", ""))
        return quoted(f"{parts.scheme}://{parts.hostname}", 100) if parts.hostname else "another path"
    except ValueError:
        return "another address"


_NUMBER = r"(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})"
_DURATION = re.compile(rf"(?:(\d{{1,6}})h)?(?:(\d{{1,9}})m(?!s))?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?", re.ASCII)


def duration(text: str) -> float | None:
    """Seconds in `6m0s`, `59.6s`, `20ms`, `1h2m`, or a bare number; None when it is none of these."""
    text = text.strip()[:100]
    try:
        value = float(text)
    except ValueError:
        pass
    else:
        return max(0.0, value) if math.isfinite(value) else None
    match = _DURATION.fullmatch(text)
    if not match or not text:
        return None
    hours, minutes, seconds, millis = (float(g) if g else 0.0 for g in match.groups())
    return hours * 3600 + minutes * 60 + seconds + millis / 1000


def retry_after(headers: Mapping[str, str], failure: Failure | None = None) -> float | None:
    """Seconds the server asks to wait: `retry-after-ms`, `retry-after` (number or date), Gemini's RetryInfo."""
    millis = headers.get("retry-after-ms")
    if millis is not None and (value := duration(millis)) is not None:
        return value / 1000
    header = headers.get("retry-after")
    if header is not None:
        value = duration(header)
        if value is not None:
            return value
        try:
            return max(0.0, parsedate_to_datetime(header[:100]).timestamp() - time.time())
        except (ValueError, OverflowError, OSError, TypeError):
            pass
    details = failure.details if failure else None
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and isinstance(detail.get("retryDelay"), str):
            return duration(detail["retryDelay"])
    return None
