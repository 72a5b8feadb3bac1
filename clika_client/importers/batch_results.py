"""Imports result files of the OpenAI and Anthropic batch services.

A result names its request by `custom_id` alone, so the probe set must be named, and the id must hold the
item and the language: by a pattern (`{set}/{language}/{item_id}`), or in any form that has both between
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
from clika_client.importers.foreign import ForeignReply
from clika_client.importers.table import messages_of
from clika_client.sets.probes import ProbeSet
from clika_providers import Message

_FIELDS = ("item_id", "language", "set", "model", "repeat")
_FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "refusal", "stop": "stop",
    "length": "length", "content_filter": "content_filter",
}  # fmt: skip


def kind_of(row: Mapping[str, Any]) -> str | None:
    """`openai-batch`, `anthropic-batch`, or None for a row of neither."""
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
        named = resolve(str(row["custom_id"]))
        if named is None:
            report.skip_row("custom_id names no item and language of the set: describe it with --custom-id", where)
            continue
        text, finish, served = _anthropic(row) if kind_of(row) == "anthropic-batch" else _openai(row)
        model = defaults.get("model") or named.get("model") or served
        repeat = named.get("repeat", "0")
        reply = ForeignReply(
            where=where,
            model=model,
            language=named["language"],
            ids={"item_id": named["item_id"]},
            file=str(path),
            text=text,
            messages=prompts.get(str(row["custom_id"]), ()),
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


def _openai(row: Mapping[str, Any]) -> tuple[str | None, str | None, str]:
    """(text, finish, model); no text for a failed request."""
    response = row.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    body = body if isinstance(body, dict) else {}
    model = str(body.get("model") or "")
    if row.get("error") or not isinstance(response, dict) or response.get("status_code") != 200:
        return None, None, model
    try:
        choice = body["choices"][0]
        message = choice["message"]
        refusal, content = message.get("refusal"), message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None, None, model
    finish = "refusal" if refusal else _FINISH.get(str(choice.get("finish_reason")))
    return str(content or refusal or ""), finish, model


def _anthropic(row: Mapping[str, Any]) -> tuple[str | None, str | None, str]:
    message = row["result"].get("message")
    blocks = message.get("content") if isinstance(message, dict) else None
    if row["result"].get("type") != "succeeded" or not isinstance(blocks, list):
        return None, None, ""
    text = "".join(str(b.get("text", "")) for b in blocks if isinstance(b, dict) and b.get("type") == "text")
    return text, _FINISH.get(str(message.get("stop_reason"))), str(message.get("model") or "unknown")
