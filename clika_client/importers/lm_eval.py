"""Imports sample logs of lm-evaluation-harness (`samples_<task>_<time>.jsonl`, written with --log_samples).

Tasks of type multiple_choice carry a log-likelihood per choice and are read by probability; generation tasks
carry text. One task is one language of a set: the language is taken from the row, or from the end of the
task's name (`xcopa_it`, `belebele_deu_Latn`), which is then the rest of the name.
"""

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
from clika_client.importers.foreign import ForeignReply, gold_index
from clika_client.importers.table import messages_of
from clika_providers import Message

_FILE = re.compile(r"samples_(?P<task>.+?)_(?P<time>\d{4}-\d\d-\d\dT[\d:.\-]+)\.jsonl")

_CHOICE_COLUMNS = (
    ("A", "B", "C", "D", "E"),
    ("option_a", "option_b", "option_c", "option_d"),
    ("mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4"),
    ("choice1", "choice2", "choice3"),
)


def sample_files(path: Path) -> list[Path]:
    """Sample logs at or under a path."""
    return [path] if path.is_file() else sorted(path.rglob("samples_*.jsonl"))


def read_samples(path: Path, defaults: Mapping[str, str], report: ImportReport) -> Iterator[ForeignReply]:
    """Replies of one sample log; `defaults` gives `model`, `language`, `set` or `prompt` where the log does not."""
    match = _FILE.fullmatch(path.name)
    task = match["task"] if match else path.stem.removeprefix("samples_")
    base, language = split_task(task)
    model = defaults.get("model") or _model(path, match["time"] if match else "")
    filters: str | None = None
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path}, line {number}"
            sample = _parsed(line)
            if sample is None:
                report.skip_row("not a sample of lm-evaluation-harness", where)
                continue
            # Several answer filters log one reply several times.
            filters = filters or str(sample.get("filter"))
            if str(sample.get("filter")) != filters:
                report.skip_row("the same reply under another filter", where)
                continue
            spoken = _language(sample["doc"], defaults) or language
            if spoken is None:
                report.skip_row("language unknown: give it with --language", where)
                continue
            reply = _reply(sample, where, model, spoken, defaults.get("set") or base, defaults, report)
            if reply is not None:
                yield reply


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(row, dict) and isinstance(row.get("doc"), dict) and "resps" in row and "doc_id" in row
    return row if known else None


def _language(doc: Mapping[str, Any], defaults: Mapping[str, str]) -> str | None:
    for value in (defaults.get("language"), doc.get("language"), doc.get("lang")):
        if isinstance(value, str):
            try:
                return canonical(value)
            except UserError:
                continue
    return None


def _model(path: Path, time: str) -> str:
    """The model's name from the results file beside the samples, else from the folder's name."""
    for results in sorted(path.parent.glob(f"results_{time}*.json")) or sorted(path.parent.glob("results_*.json")):
        try:
            document = json.loads(results.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        name = document.get("model_name") if isinstance(document, dict) else None
        if isinstance(name, str) and name:
            return name
    return path.resolve().parent.name.replace("__", "/")


def _reply(
    sample: Mapping[str, Any],
    where: str,
    model: str,
    language: str,
    set_name: str,
    defaults: Mapping[str, str],
    report: ImportReport,
) -> ForeignReply | None:
    doc = sample["doc"]
    contexts, continuations = _arguments(sample.get("arguments"))
    scores = _scores(sample)
    choices = _choices(doc) or tuple(text.strip() for text in continuations)
    if scores is not None and len(choices) != len(scores):
        choices = tuple(text.strip() for text in continuations)
    gold = gold_index(sample.get("target"), choices) if choices else None
    if scores is not None and gold is not None and not _agrees(sample, scores, gold):
        report.skip_row("the logged accuracy contradicts the target", where)
        return None
    text = "" if scores is not None else _text(sample)
    if text is None:
        report.skip_row("no reply in the log", where)
        return None
    return ForeignReply(
        where=where,
        model=model,
        language=language,
        item_id=str(doc.get("item_id", doc.get("id", sample["doc_id"]))),
        text=text,
        set=set_name,
        messages=_prompt(contexts),
        logprobs=scores,
        prompt=defaults.get("prompt") or "lm-eval",
        question=_question(doc, contexts),
        choices=choices,
        gold=gold,
    )


def _arguments(value: Any) -> tuple[list[str], list[str]]:
    """(contexts, continuations) of the requests, from either of the two shapes the harness has written."""
    if isinstance(value, dict):
        value = [[v for _, v in sorted(request.items())] for _, request in sorted(value.items(), key=_by_number)]
    pairs = [request for request in value or [] if isinstance(request, list) and request]
    contexts = [str(request[0]) for request in pairs]
    continuations = [request[1] for request in pairs if len(request) > 1 and isinstance(request[1], str)]
    return contexts, continuations


def _by_number(entry: tuple[str, Any]) -> int:
    digits = entry[0].rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0


def _scores(sample: Mapping[str, Any]) -> tuple[float | None, ...] | None:
    """Log-likelihood per choice, or None for a generated reply."""
    found = []
    for response in sample.get("filtered_resps") or sample["resps"]:
        while isinstance(response, list) and len(response) == 1:
            response = response[0]
        if not (isinstance(response, list) and len(response) == 2 and str(response[1]).lower() in ("true", "false")):
            return None
        try:
            found.append(float(response[0]))
        except (TypeError, ValueError):
            return None
    return tuple(found) or None


def _agrees(sample: Mapping[str, Any], scores: tuple[float | None, ...], gold: int) -> bool:
    logged = sample.get("acc")
    if not isinstance(logged, int | float):
        return True
    known = [(score, -i) for i, score in enumerate(scores) if score is not None]
    return (bool(known) and -max(known)[1] == gold) == bool(logged)


def _text(sample: Mapping[str, Any]) -> str | None:
    response: Any = sample["resps"]
    while isinstance(response, list) and response:
        response = response[0]
    return response if isinstance(response, str) else None


def _prompt(contexts: list[str]) -> tuple[Message, ...]:
    if not contexts:
        return ()
    return messages_of(contexts[0]) or (Message("user", contexts[0]),)


def _question(doc: Mapping[str, Any], contexts: list[str]) -> str | None:
    for name in ("question", "query", "premise", "stem", "input"):
        value = doc.get(name)
        if isinstance(value, dict):
            value = value.get("stem")
        if isinstance(value, str) and value.strip():
            return value
    return contexts[0] if contexts else None


def _choices(doc: Mapping[str, Any]) -> tuple[str, ...]:
    """Choice texts as common data sets name them."""
    for name in ("choices", "options", "endings"):
        value = doc.get(name)
        if isinstance(value, dict):
            value = value.get("text")
        if isinstance(value, list) and value and all(isinstance(choice, str) for choice in value):
            return tuple(value)
    for names in _CHOICE_COLUMNS:
        found = [doc[name] for name in names if isinstance(doc.get(name), str)]
        if len(found) > 1:
            return tuple(found)
    return ()
