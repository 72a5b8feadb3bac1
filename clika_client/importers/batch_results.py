"""Imports result files of the batch services of OpenAI (chat completions and responses), Anthropic and Google.

A result names its request by `custom_id` (Google: `key`) alone, so the probe set must be named, and the id must hold
the item and the language: by a pattern (`{set}/{language}/{item_id}`), or in any form that has both between
separators.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.importers.common import ImportReport
from clika_client.importers.finish import finish_of
from clika_client.importers.foreign import ForeignReply
from clika_client.importers.table import messages_of
from clika_client.sets.probes import ProbeSet
from clika_providers import Message, ProviderError
from clika_providers.hosted.chat_reply import said_and_thought

_FIELDS = ("item_id", "language", "set", "model", "repeat")
_GEMINI = {"candidates", "promptFeedback", "usageMetadata", "modelVersion"}
"""Names of which a reply of Google's has at least one: a blocked prompt has no candidates."""
_Read = tuple[str | None, str | None, str]
"""(text, finish, model); no text for a failed request."""


class _Unread(Exception):
    """A reply arrived, in a shape that is not read: it is no failed request."""


def kind_of(row: Mapping[str, Any]) -> str | None:
    """`openai-batch`, `anthropic-batch`, `gemini-batch`, or None for a row of none."""
    if "key" in row and "custom_id" not in row and ("error" in row or _GEMINI & set(_object_at(row, "response"))):
        return "gemini-batch"
    if "custom_id" not in row:
        return None
    if isinstance(row.get("result"), dict) and "type" in row["result"]:
        return "anthropic-batch"
    return "openai-batch" if "response" in row or "error" in row else None


def read_results(
    path: Path,
    probe_set: ProbeSet,
    defaults: Mapping[str, str],
    report: ImportReport,
    pattern: str | None = None,
    requests: Path | None = None,
) -> Iterator[ForeignReply]:
    """Replies of one result file. `requests` is the batch's input file, from which the prompts are taken.

    Raises UserError for a pattern that cannot name an item.
    """
    resolve = _resolver(pattern, probe_set)
    prompts = _prompts(requests) if requests is not None else {}
    models: set[str] = set()
    failed: list[ForeignReply] = []
    for where, row in _rows(path, report):
        custom_id = str(row.get("custom_id", row.get("key")))
        named = resolve(custom_id)
        if named is None:
            report.skip_row("custom_id names no item and language of the set: describe it with --custom-id", where)
            continue
        try:
            text, finish, served = _READERS[kind_of(row) or ""](row)
        except _Unread as unread:
            report.skip_row(f"a reply that is not read: {unread}", where)
            continue
        model = defaults.get("model") or named.get("model") or served
        repeat = named.get("repeat", "0")
        reply = ForeignReply(
            where=where,
            model=model,
            language=named["language"],
            ids={"item_id": named["item_id"]},
            file=str(path),
            text=text,
            messages=prompts.get(custom_id, ()),
            finish=finish,
            repeat=int(repeat) if repeat.isdecimal() else 0,
            prompt=defaults.get("prompt") or "batch",
        )
        if model:
            models.add(model)
            yield reply
        else:
            failed.append(reply)
    # A failed request does not say which model it was for; the others do, when they agree.
    for reply in failed:
        if len(models) == 1:
            yield replace(reply, model=next(iter(models)))
        else:
            report.skip_row("a failed request of an unknown model: name it with --model", reply.where)


def _rows(path: Path, report: ImportReport) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            row = _object(line)
            if row is None or kind_of(row) is None:
                report.skip_row("not a batch result", f"{path}, line {number}")
            else:
                yield f"{path}, line {number}", row


class _Resolver:
    """custom_id → item, language and what else it holds."""

    def __init__(self, pattern: re.Pattern[str] | None, probe_set: ProbeSet) -> None:
        self._pattern = pattern
        self._items = {item.item_id for item in probe_set.items}
        self._languages = set(probe_set.languages)

    def __call__(self, custom_id: str) -> dict[str, str] | None:
        if self._pattern is not None:
            match = self._pattern.fullmatch(custom_id)
            found = match.groupdict() if match else {}
        else:
            found = self._guess(custom_id)
        good = found.get("item_id") in self._items and found.get("language") in self._languages
        return found if good else None

    def _guess(self, custom_id: str) -> dict[str, str]:
        """The one way to cut the id so that a piece is a language and the pieces after or before it an item."""
        cuts = [m.start() for m in re.finditer(r"[|:/#_\-.]", custom_id)]
        edges = [-1, *cuts, len(custom_id)]
        pieces = {
            (i, j): custom_id[edges[i] + 1 : edges[j]] for i in range(len(edges)) for j in range(i + 1, len(edges))
        }
        ways = {
            (language, item)
            for (i, j), language in pieces.items()
            if language in self._languages
            for (a, b), item in pieces.items()
            if item in self._items and (a >= j or b <= i)
        }
        return {"language": next(iter(ways))[0], "item_id": next(iter(ways))[1]} if len(ways) == 1 else {}


def _resolver(pattern: str | None, probe_set: ProbeSet) -> _Resolver:
    if pattern is None:
        return _Resolver(None, probe_set)
    regex = "".join(
        f"(?P<{piece[1:-1]}>.+?)" if piece[:1] == "{" and piece[1:-1] in _FIELDS else re.escape(piece)
        for piece in re.split(r"(\{\w+\})", pattern)
    )
    if "{item_id}" not in pattern or "{language}" not in pattern or "(?P<" not in regex:
        fields = ", ".join("{" + name + "}" for name in _FIELDS)
        raise UserError(f"--custom-id {pattern!r} must hold {{item_id}} and {{language}}; it may hold {fields}")
    try:
        return _Resolver(re.compile(regex), probe_set)
    except re.error as error:
        raise UserError(f"--custom-id {pattern!r} names a part twice ({error})") from None


def _prompts(path: Path) -> dict[str, tuple[Message, ...]]:
    """custom_id → messages, from an input file of either service."""
    found: dict[str, tuple[Message, ...]] = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    for line in lines:
        row = _object(line) or {}
        body = row.get("body") or row.get("params")
        if isinstance(body, dict) and "custom_id" in row:
            system = messages_of([{"role": "system", "content": body["system"]}]) if body.get("system") else ()
            found[str(row["custom_id"])] = (*system, *messages_of(body.get("messages")))
    return found


def _object(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _object_at(row: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object at a path; empty where there is none."""
    found: Any = row
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _openai(row: Mapping[str, Any]) -> _Read:
    body = _object_at(row, "response", "body")
    model = str(body.get("model") or "")
    if row.get("error") or _object_at(row, "response").get("status_code") != 200:
        return None, None, model
    if body.get("object") == "response" or isinstance(body.get("output"), list):
        return _responses(body, model)
    try:
        choice = body["choices"][0]
        finish = finish_of(choice.get("finish_reason"))
        refusal = choice["message"].get("refusal")
        text, _ = said_and_thought(choice["message"], finish)
    except (KeyError, IndexError, TypeError, AttributeError, ProviderError):
        raise _Unread(f"neither a chat completion nor a response ({body.get('object') or 'no object'})") from None
    return text or str(refusal or ""), "refusal" if refusal else finish, model


def _responses(body: Mapping[str, Any], model: str) -> _Read:
    """A body of /v1/responses: its messages' texts, without the reasoning before them."""
    if body.get("status") == "failed" or body.get("error"):
        return None, None, model
    parts = [
        part
        for item in body.get("output") or ()
        if isinstance(item, dict) and item.get("type") == "message"
        for part in item.get("content") or ()
        if isinstance(part, dict)
    ]
    refused = [str(part.get("refusal", "")) for part in parts if part.get("type") == "refusal"]
    text = "".join(str(part.get("text", "")) for part in parts if part.get("type") in ("output_text", "text"))
    text = text or (body["output_text"] if isinstance(body.get("output_text"), str) else "")
    why = _object_at(body, "incomplete_details").get("reason")
    return text or "".join(refused), "refusal" if refused else finish_of(why) if why else "stop", model


def _anthropic(row: Mapping[str, Any]) -> _Read:
    message = row["result"].get("message")
    blocks = message.get("content") if isinstance(message, dict) else None
    if row["result"].get("type") != "succeeded" or not isinstance(blocks, list):
        return None, None, ""
    text = "".join(str(b.get("text", "")) for b in blocks if isinstance(b, dict) and b.get("type") == "text")
    return text, finish_of(message.get("stop_reason")), str(message.get("model") or "unknown")


def _gemini(row: Mapping[str, Any]) -> _Read:
    body = _object_at(row, "response")
    model = str(body.get("modelVersion") or "")
    candidates = body.get("candidates")
    if not row.get("error") and not candidates and _object_at(body, "promptFeedback").get("blockReason"):
        return "", "content_filter", model
    if row.get("error") or not isinstance(candidates, list) or not candidates:
        return None, None, model
    first = candidates[0] if isinstance(candidates[0], dict) else {}
    parts = _object_at(first, "content").get("parts") or ()
    text = "".join(str(p.get("text", "")) for p in parts if isinstance(p, dict) and not p.get("thought"))
    return text, finish_of(first.get("finishReason")), model


_READERS = {"openai-batch": _openai, "anthropic-batch": _anthropic, "gemini-batch": _gemini}
