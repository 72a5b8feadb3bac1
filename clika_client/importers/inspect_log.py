"""Imports inspect_ai logs: `.eval` through its public reader when it is installed, and its JSON format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical
from clika_client.common.task_names import split_task
from clika_client.importers.common import ImportReport
from clika_client.importers.documents import ids_of
from clika_client.importers.finish import finish_of
from clika_client.importers.foreign import POSITION, ForeignReply, gold_index
from clika_client.importers.table import messages_of
from clika_providers import Message


def log_files(path: Path) -> list[Path]:
    """Logs at or under a path."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in (".eval", ".json") and is_log(file))


def is_log(path: Path) -> bool:
    """Whether a file looks like an inspect_ai log, from its name or the beginning of its text."""
    if path.suffix == ".eval":
        return True
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return head.lstrip().startswith(b"{") and b'"eval"' in head and b'"version"' in head


def read_log(path: Path, defaults: Mapping[str, str], report: ImportReport) -> Iterator[ForeignReply]:
    """Replies of one log; `defaults` gives `model`, `language`, `set` or `prompt` where the log does not."""
    document = _document(path)
    header = document.get("eval")
    if not isinstance(header, dict) or not isinstance(document.get("samples"), list):
        report.skip_file("log without samples", str(path))
        return
    base, language = split_task(str(header.get("task", "")).rpartition("/")[2])
    arguments = _mapping(header.get("task_args"))
    model = defaults.get("model") or str(header.get("model") or "unknown")
    prompt = defaults.get("prompt") or _prompt_name(document, arguments)
    for sample in document["samples"]:
        if not isinstance(sample, dict):
            report.skip_row("not a sample", str(path))
            continue
        where = f"{path}, sample {sample.get('id')}"
        metadata = _mapping(sample.get("metadata"))
        spoken = _language(defaults, metadata, arguments) or language
        if spoken is None:
            report.skip_row("language unknown: give it with --language, or log it as metadata 'language'", where)
            continue
        yield _reply(sample, metadata, where, model, spoken, defaults.get("set") or base, prompt)


def _document(path: Path) -> dict[str, Any]:
    if path.suffix == ".eval":
        try:
            from inspect_ai.log import read_eval_log
        except ImportError:
            raise UserError(
                f"{path}: reading .eval logs needs inspect_ai (pip install inspect-ai); or convert the log first: "
                "inspect log convert FILE --to json --output-dir DIR"
            ) from None
        log = read_eval_log(str(path))
        return dict(log.model_dump(mode="json"))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise UserError(f"{path}: not a readable JSON log ({error})") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: not an inspect_ai log")
    return found


def _language(*sources: Mapping[str, Any]) -> str | None:
    for source in sources:
        for name in ("language", "lang"):
            if isinstance(source.get(name), str):
                try:
                    return canonical(source[name])
                except UserError:
                    continue
    return None


def _reply(
    sample: Mapping[str, Any],
    metadata: Mapping[str, Any],
    where: str,
    model: str,
    language: str,
    set_name: str,
    prompt: str,
) -> ForeignReply:
    spoken = (_mapping(sample.get("output")).get("choices") or [None])[0]
    failed = bool(sample.get("error")) or not isinstance(spoken, dict)
    finish = finish_of(_mapping(spoken).get("stop_reason"))
    text = None if failed else _said(_mapping(spoken.get("message")).get("content"), finish)
    choices = tuple(str(choice) for choice in sample.get("choices") or ())
    epoch = sample.get("epoch")
    return ForeignReply(
        where=where,
        model=model,
        language=language,
        file=where.rpartition(", ")[0],
        ids={**_named_ids(metadata), "sample id": str(sample.get("id"))},
        text=text,
        set=set_name,
        messages=_messages(sample),
        finish=finish,
        repeat=epoch - 1 if isinstance(epoch, int) and epoch > 0 else 0,
        prompt=prompt,
        question=_question(sample.get("input")),
        choices=choices,
        gold=gold_index(sample.get("target"), choices) if choices else None,
    )


def _named_ids(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The ids in a sample's metadata; its position there is the sample's own id."""
    found = ids_of(metadata, "")
    return {name: value for name, value in found.items() if name != POSITION}


_ASKING = re.compile(r"shot|cot|prompt|template|system|reasoning")


def _prompt_name(document: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """`inspect` with what makes two runs of one task different ways of asking: arguments of the task and its solvers.

    Texts are left out: they may be translations, and the prompts themselves tell them apart.
    """
    steps = _mapping(document.get("plan")).get("steps")
    listed = steps if isinstance(steps, list) else []
    given = [arguments, *(_mapping(_mapping(step).get("params")) for step in listed)]
    found = {
        name: value
        for each in given
        for name, value in each.items()
        if _ASKING.search(str(name)) and isinstance(value, int) and value is not False
    }
    return " ".join(["inspect", *(f"{name}={value}".replace("=True", "") for name, value in sorted(found.items()))])


def _messages(sample: Mapping[str, Any]) -> tuple[Message, ...]:
    """What was sent: the conversation up to the reply, else the sample's input."""
    turns = messages_of(sample.get("messages"))
    while turns and turns[-1].role == "assistant":
        turns = turns[:-1]
    return turns or messages_of(sample.get("input"))


def _question(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    turns = [turn for turn in messages_of(value) if turn.role == "user"]
    return turns[-1].content if turns else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _said(content: Any, finish: str | None) -> str:
    """What was said; where that is nothing though the reply was ended, all of it was filed under thoughts."""
    text = _text(content)
    if text.strip() or finish != "stop" or not isinstance(content, list):
        return text
    thoughts = [str(part.get("reasoning", "")) for part in content if isinstance(part, dict)]
    return "".join(thoughts) or text


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(p.get("text", "")) for p in content if isinstance(p, dict) and p.get("type") == "text")
    return content if isinstance(content, str) else ""
