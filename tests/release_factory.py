"""Writes a checkout in the layout of the authors' release, with invented questions and replies of known quality."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "zh", "ja", "de", "fr", "it", "pl", "ru", "ar", "he")
FOLDERS = {
    "x_csqa": (
        *("en", "ZH_trans", "JA_trans", "DE_trans", "FR_trans", "IT_trans", "PL_trans", "RU_trans"),
        *("ar_trans", "he_trans"),
    ),
    "x_copa": ("en", "zh", "JA", "DE", "FR", "it", "PL", "RU", "ar", "he"),
    "x_geo": LANGUAGES,
    "x_name": LANGUAGES,
}  # fmt: skip
FULL = {"x_csqa": 1000, "x_copa": 500, "x_geo": 200, "x_name": 180}
CHOICES = {"x_csqa": 5, "x_copa": 2, "x_geo": 4, "x_name": 4}
_SHOT = (
    "The following are multiple choice questions. Please choose the most reasonable one.\n"
    "Question:2+3=?\nA. 1\nB. 5\nAnswer:B. 5\n"
)
Row = dict[str, Any]


def write_checkout(
    root: Path,
    models: Sequence[str],
    sizes: Mapping[str, int] = FULL,
    seed: int = 0,
    languages: Sequence[str] = LANGUAGES,
) -> Path:
    """A checkout with questions and every model's replies; returns its folder."""
    for name, count in sizes.items():
        chance = random.Random(f"{seed} {name}")
        gold = [chance.randrange(CHOICES[name]) for _ in range(count)]
        for language, folder in zip(LANGUAGES, FOLDERS[name], strict=True):
            if language not in languages:
                continue
            place = root / name / folder
            place.mkdir(parents=True)
            questions = [_question(name, language, i, g) for i, g in enumerate(gold)]
            write_rows(place / _question_file(name, language), questions)
            prompts = [_prompt(name, language, i) for i in range(count)]
            for model in models:
                write_rows(place / file_name(model), _replies(name, model, language, gold, prompts, seed))
    return root


def file_name(model: str) -> str:
    """The release's name for a model's file of replies."""
    return "chatgpt_res.jsonl" if model == "chatgpt" else f"{model}_res_bf16_add_simple_example.jsonl"


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def item_id(name: str, i: int) -> str | int:
    return f"{i:016x}" if name == "x_csqa" else 501 + i if name == "x_copa" else i


def _texts(name: str, language: str, i: int) -> list[str]:
    return [f"{language} {name} choice {i}-{c}" for c in range(CHOICES[name])]


def _question_file(name: str, language: str) -> str:
    if name == "x_csqa":
        return "validation.jsonl"
    return "test.jsonl" if name == "x_copa" else f"{language}_{name[2:]}_data_generate.jsonl"


def _question(name: str, language: str, i: int, gold: int) -> Row:
    texts = _texts(name, language, i)
    if name == "x_csqa":
        choices = {"label": list("ABCDE"), "text": texts}
        stem = f"{language} question {i} about everyday things, long enough to look like one?"
        return {"id": item_id(name, i), "question": {"stem": stem, "choices": choices}, "answerKey": "ABCDE"[gold]}
    if name == "x_copa":
        asks = ("cause", "effect")[i % 2]
        row = {"premise": f"{language} premise {i}.", "choice1": texts[0], "choice2": texts[1], "question": asks}
        return {**row, "label": gold, "id": item_id(name, i), "changed": False}
    person = i // 2 if name == "x_name" else i
    asked = ("born", "dead")[i % 2] if name == "x_name" else "placed"
    question = f"Year or region in which {language}person{person} was {asked}?"
    return {"id": i, "questions": question, "answers": texts, "label": gold,
            "original_lang": LANGUAGES[i % 10], "sent_lang": language}  # fmt: skip


def _prompt(name: str, language: str, i: int) -> str:
    question = _question(name, language, i, 0)
    asked = question.get("questions") or question.get("premise") or question["question"]["stem"]
    if name == "x_copa":
        asked = f"{asked}\nQuestion: {'What was the cause of this?' if i % 2 == 0 else 'What happened as a result?'}"
    shown = "\n".join(f"{letter}. {text}" for letter, text in zip("ABCDE", _texts(name, language, i), strict=False))
    return f"{_SHOT}Question:{asked}\n{shown}\nAnswer:"


def _replies(name: str, model: str, language: str, gold: Sequence[int], prompts: Sequence[str], seed: int) -> list[Row]:
    """Replies right more often in English than elsewhere, in the shapes that models write."""
    chance = random.Random(f"{seed} {name} {model} {language}")
    skill = 0.35 + 0.5 * random.Random(model).random() * (1.0 if language == "en" else 0.6)
    k = CHOICES[name]
    rows = []
    for i, (right, prompt) in enumerate(zip(gold, prompts, strict=True)):
        chosen = right if chance.random() < skill else chance.randrange(k)
        letter = "ABCDE"[chosen]
        text = chance.choice((f"{letter}.", f"{letter}. {_texts(name, language, i)[chosen]}", letter, f"{letter}</s>"))
        rows.append({"id": i, "input": prompt, "res": text, "label": "ABCDE"[right], "uuid": item_id(name, i)})
    return rows
