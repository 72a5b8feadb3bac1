"""What is known of a log of lm-evaluation-harness before its rows are read: task, model, and the way of asking."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNKNOWN_WAY = "lm-eval"
"""The way of asking of which nothing is known."""
_FILE = re.compile(r"samples_(?P<task>.+?)_(?P<time>\d{4}-\d\d-\d\dT[\d:.\-]+)\.jsonl")


@dataclass(frozen=True, slots=True)
class SampleLog:
    """What is known of a file before its rows are read."""

    task: str
    model: str
    prompt: str


def sample_files(path: Path) -> list[Path]:
    """Sample logs at or under a path, under whatever name."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*.jsonl") if file.name.startswith("samples_") or is_samples(file))


def is_samples(path: Path) -> bool:
    """Whether a file's first row is a sample of the harness; its releases before 0.4.3 named files otherwise."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16).decode("utf-8", "replace").lstrip()
    except OSError:
        return False
    return head[:1] in ("[", "{") and all(f'"{name}"' in head for name in ("doc_id", "doc", "resps"))


def log_of(path: Path, defaults: Mapping[str, str]) -> SampleLog:
    """What a log's name and the results beside it tell; `defaults` come first."""
    match = _FILE.fullmatch(path.name)
    task = match["task"] if match else path.stem.removeprefix("samples_")
    results = _results(path, match["time"] if match else "", task)
    if match is None:
        # Older releases put the model's arguments before the task: pretrained__org__name_xcopa_it.jsonl
        known = [name for name in _mapping(results.get("configs")) if task.endswith(name)]
        task = max(known, key=len, default=task)
    model = defaults.get("model") or _model(results) or path.resolve().parent.name.replace("__", "/")
    return SampleLog(task, model, defaults.get("prompt") or _prompt_name(results, task))


def _results(path: Path, time: str, task: str) -> Mapping[str, Any]:
    """The results file beside the samples: that of the same time, else one that has the task; empty without one."""
    named = sorted(path.parent.glob(f"results_{time}*.json")) if time else []
    for file in named or sorted(path.parent.glob("results*.json")):
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(document, dict) and (named or not document.get("configs") or task in document["configs"]):
            return document
        if isinstance(document, dict) and any(task.endswith(name) for name in document["configs"]):
            return document
    return {}


def _model(results: Mapping[str, Any]) -> str | None:
    name = results.get("model_name")
    if isinstance(name, str) and name:
        return name
    arguments = _mapping(results.get("config")).get("model_args")
    found = re.search(r"(?:^|,)(?:pretrained|model)=([^,]+)", arguments) if isinstance(arguments, str) else None
    return found[1] if found else None


def _prompt_name(results: Mapping[str, Any], task: str) -> str:
    """`lm-eval` with what makes two runs of one task different ways of asking."""
    shots = _mapping(results.get("n-shot")).get(task)
    if shots is None:
        shots = _mapping(_mapping(results.get("configs")).get(task)).get("num_fewshot")
    parts = [UNKNOWN_WAY]
    if isinstance(shots, int):
        parts.append(f"{shots}-shot")
    for word, field in (("chat", "chat_template"), ("system", "system_instruction")):
        text = results.get(field)
        if isinstance(text, str) and text:
            parts.append(f"{word}-{hashlib.blake2b(text.encode(), digest_size=2).hexdigest()}")
    if results.get("fewshot_as_multiturn") and results.get("chat_template") and isinstance(shots, int) and shots > 0:
        parts.append("multiturn")
    return " ".join(parts)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
