"""Imports sample logs of lm-evaluation-harness (`samples_<task>_<time>.jsonl`, written with --log_samples).

Tasks of type multiple_choice carry a log-likelihood per choice and are read by probability; generation tasks
carry text. One task is one language of a set: the language is taken from the row, or from the task's name
(`xcopa_it`, `belebele_deu_Latn`), whose rest is the set's name. How many examples were shown and which chat
template was used is part of the prompt's name, so that 0-shot and 5-shot are two rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical
from clika_client.common.task_names import split_task
from clika_client.importers.common import ImportReport
from clika_client.importers.documents import choices_of, ids_of, question_of
from clika_client.importers.foreign import ForeignReply, gold_readings
from clika_client.importers.lm_eval_log import UNKNOWN_WAY, log_of
from clika_client.importers.table import messages_of
from clika_providers import Message


def read_samples(
    path: Path, defaults: Mapping[str, str], report: ImportReport, item_id: Sequence[str] = ()
) -> Iterator[ForeignReply]:
    """Replies of one sample log; `defaults` gives `model`, `language`, `set` or `prompt` where the log does not.

    `item_id` names the fields of a document that make its id.
    """
    log = log_of(path, defaults)
    base, language = split_task(log.task)
    samples = list(_once(_samples(path, report), report))
    shown = _examples_shown([sample for _, sample in samples]) if log.prompt == UNKNOWN_WAY else 0
    prompt = f"{UNKNOWN_WAY} {shown}-shot" if shown else log.prompt
    by_text = _targets_are_texts([sample for _, sample in samples])
    for where, sample in samples:
        spoken = _language(sample["doc"], defaults) or language
        if spoken is None:
            report.skip_row("language unknown: give it with --language", where)
            continue
        text, scores = _reply_of(sample)
        if text is None and scores is None:
            report.skip_row("no reply in the log", where)
            continue
        choices, gold = _options(sample, scores, by_text)
        if scores is not None and gold is not None and not _agrees(sample, scores, gold):
            report.skip_row("the logged accuracy contradicts the target", where)
            continue
        contexts, _ = _arguments(sample.get("arguments"))
        yield ForeignReply(
            where=where,
            file=str(path),
            model=log.model,
            language=spoken,
            ids=ids_of(sample["doc"], sample["doc_id"], item_id),
            text="" if scores is not None else text,
            set=defaults.get("set") or base,
            messages=_prompt(contexts),
            logprobs=scores,
            prompt=prompt,
            question=question_of(sample["doc"]) or (contexts[0] if contexts else None),
            choices=choices,
            gold=gold,
        )


def _examples_shown(samples: Sequence[Mapping[str, Any]]) -> int:
    """How many worked examples stand before each question, where no results file says it; 0 where that is not clear.

    The words that call for the answer end a question and every example before it: they are counted.
    """
    counts: set[int] = set()
    cues: set[str] = set()
    for sample in samples:
        contexts, _ = _arguments(sample.get("arguments"))
        lines = contexts[0].rstrip().splitlines() if contexts else []
        cues.add(lines[-1].strip() if lines else "")
        if len(cues) > 1:
            return 0
        counts.add(sum(line.strip().startswith(lines[-1].strip()) for line in lines) if lines else 0)
    return max(counts) - 1 if len(counts) == 1 and cues != {""} else 0


def _samples(path: Path, report: ImportReport) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8") as lines:
        first = lines.read(1)
        lines.seek(0)
        # Up to 0.4.2 the file was one JSON list, whatever its name said.
        found = _listed(lines.read()) if first == "[" else enumerate(map(_parsed, lines), 1)
        for number, sample in found:
            where = f"{path}, line {number}" if first != "[" else f"{path}, sample {number}"
            if sample is None:
                report.skip_row("not a sample of lm-evaluation-harness", where)
            else:
                yield where, sample


def _listed(text: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        rows = [None]
    return ((number, _sample(row)) for number, row in enumerate(rows, 1))


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return _sample(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _sample(row: object) -> dict[str, Any] | None:
    known = isinstance(row, dict) and isinstance(row.get("doc"), dict) and "resps" in row and "doc_id" in row
    return row if known else None  # type: ignore[return-value]


def _once(samples: Iterator[tuple[str, dict[str, Any]]], report: ImportReport) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each reply once: several answer filters log it several times."""
    filters: str | None = None
    for where, sample in samples:
        filters = filters or str(sample.get("filter"))
        if str(sample.get("filter")) == filters:
            yield where, sample
        else:
            report.skip_row("the same reply under another filter", where)


def _language(doc: Mapping[str, Any], defaults: Mapping[str, str]) -> str | None:
    for value in (defaults.get("language"), doc.get("language"), doc.get("lang")):
        if isinstance(value, str):
            try:
                return canonical(value)
            except UserError:
                continue
    return None


def _arguments(value: Any) -> tuple[list[str], list[str]]:
    """(contexts, continuations) of the requests, from either of the two shapes the harness has written."""
    if isinstance(value, dict):
        requests = [request for _, request in sorted(value.items(), key=_by_number) if isinstance(request, dict)]
        value = [[v for _, v in sorted(request.items())] for request in requests]
    pairs = [request for request in (value if isinstance(value, list) else ()) if isinstance(request, list) and request]
    contexts = [str(request[0]) for request in pairs]
    continuations = [request[1] for request in pairs if len(request) > 1 and isinstance(request[1], str)]
    return contexts, continuations


def _by_number(entry: tuple[str, Any]) -> int:
    digits = entry[0].rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0


def _reply_of(sample: Mapping[str, Any]) -> tuple[str | None, tuple[float | None, ...] | None]:
    """(generated text, log-likelihood per choice): one of the two, or neither."""
    scores = _scores(sample)
    if scores is not None:
        return None, scores
    response: Any = sample["resps"]
    while isinstance(response, list) and response:
        response = response[0]
    return (response if isinstance(response, str) else None), None


def _scores(sample: Mapping[str, Any]) -> tuple[float | None, ...] | None:
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
    contexts, continuations = _arguments(sample.get("arguments"))
    half = len(found) // 2
    # acc_mutual_info asks for every choice again without the question.
    again = len(continuations) == len(found) == 2 * half and continuations[:half] == continuations[half:]
    if again and not any(context.strip() for context in contexts[half:]):
        found = found[:half]
    return tuple(found) or None


def _options(
    sample: Mapping[str, Any], scores: Sequence[float | None] | None, by_text: bool
) -> tuple[tuple[str, ...], int | None]:
    """(choices, index of the right one) of a sample."""
    choices = choices_of(sample["doc"])
    if not choices or (scores is not None and len(choices) != len(scores)):
        contexts, continuations = _arguments(sample.get("arguments"))
        asked = contexts if len(set(continuations)) < len(set(contexts)) else continuations
        choices = tuple(text.strip() for text in (asked[: len(scores)] if scores is not None else asked))
    readings = gold_readings(sample.get("target"), choices) if choices else {}
    if scores is not None and not by_text and "index" in readings:
        return choices, readings["index"]
    return choices, next(iter(readings.values()), None)


def _targets_are_texts(samples: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a file's targets name choices by their text and not by their number, as its accuracies tell.

    With log-likelihoods the harness logs a number, which may also be the text of another choice.
    """
    wrong = {"index": 0, "text": 0}
    for sample in samples:
        scores = _scores(sample)
        if scores is None:
            return False
        choices, _ = _options(sample, scores, by_text=False)
        readings = gold_readings(sample.get("target"), choices) if choices else {}
        for word in wrong:
            reading = readings.get(word)
            wrong[word] += reading is None or not _agrees(sample, scores, reading)
    return wrong["text"] < wrong["index"]


def _agrees(sample: Mapping[str, Any], scores: Sequence[float | None], gold: int) -> bool:
    logged = sample.get("acc")
    if not isinstance(logged, int | float):
        return True
    known = [(score, -i) for i, score in enumerate(scores) if score is not None]
    return (bool(known) and -max(known)[1] == gold) == bool(logged)


def _prompt(contexts: list[str]) -> tuple[Message, ...]:
    if not contexts:
        return ()
    return messages_of(contexts[0]) or (Message("user", contexts[0]),)
