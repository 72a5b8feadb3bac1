"""The gate's questions as they are watched while a model is taught: some of each part, in the form that is taught."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clika_client.conductivity.build import ask_as_choice
from clika_client.conductivity.formats import write_jsonl
from clika_client.conductivity.material import GATES, ExperimentQuestion, Material
from clika_client.sets.fictional.language import read

WATCHED = 50
"""Questions per gate that are asked while teaching; the gate itself is scored from all of them afterwards."""


def write_gates(material: Material, directory: Path) -> Mapping[str, Path] | None:
    """Gate questions in the form the answers are taught in, for watching the training; None where there is no one
    form (the authors' rows answer in ten)."""
    if material.source != "fictional":
        return None
    directory.mkdir(parents=True, exist_ok=True)
    files = {}
    for pair in material.pairs:
        for part in GATES:
            questions = material.asked(pair.language, part)
            some = questions[:: max(1, len(questions) // WATCHED)]
            path = directory / f"{pair.language}.{part}.jsonl"
            files[f"{pair.language} {part}"] = write_jsonl(path, [_as_taught(material, q) for q in some])
    return files


def _as_taught(material: Material, question: ExperimentQuestion) -> dict[str, Any]:
    answer = question.answer
    prompt = question.text
    if material.form == "choice":
        prompt, labels = ask_as_choice(question.text, question.language, question.choices)
        answer = labels[question.gold]
    elif question.part != "translation":
        answer = read(question.language).answer.format(continent=answer)
    return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]}
