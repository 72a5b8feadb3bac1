"""Where things lie in a checkout of the CLiKA authors' release: question files and published responses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clika_client.common.errors import UserError

CHATGPT = "chatgpt_res.jsonl"
_OPEN_MODEL = re.compile(r"(?P<model>.+)_res_bf16_add_simple_example\.jsonl")
_PAPER = ("en", "zh", "ja", "de", "fr", "it", "pl", "ru", "ar", "he")
# The release spells languages differently in every set; the order here is the order of the set's languages.
FOLDERS: Mapping[str, Mapping[str, str]] = {
    "x_csqa": {
        "en": "en", "zh": "ZH_trans", "ja": "JA_trans", "de": "DE_trans", "fr": "FR_trans", "it": "IT_trans",
        "pl": "PL_trans", "ru": "RU_trans", "ar": "ar_trans", "he": "he_trans",
    },
    "x_copa": {
        "en": "en", "zh": "zh", "ja": "JA", "de": "DE", "fr": "FR", "it": "it", "pl": "PL", "ru": "RU", "ar": "ar",
        "he": "he",
    },
    "x_geo": {tag: tag for tag in _PAPER},
    "x_name": {tag: tag for tag in _PAPER},
}  # fmt: skip
"""set → language (BCP 47) → folder."""

_SKIPPED = (
    (re.compile(r"generate_input.*"), "rendered prompts without replies"),
    (re.compile(r".*_res_visual\.jsonl"), "charts, not replies"),
    (re.compile(r".*_res.*_without_uuid.*|.*_res.*_fixed_en_prompt.*"), "alternate runs"),
    (re.compile(r"(validation|test|val|train|dev)\b.*\.jsonl|.*_data.*\.jsonl"), "questions"),
    (re.compile(r".*_res.*\.jsonl"), "alternate runs"),
)


@dataclass(frozen=True, slots=True)
class ResponseFile:
    """One file of published responses: one model's replies to one set in one language."""

    set: str
    language: str
    model: str
    style: str
    """Name of the prompt style that the file's `input` fields were rendered with."""
    file: Path


@dataclass(frozen=True, slots=True)
class Responses:
    """What `response_files` found."""

    files: tuple[ResponseFile, ...]
    skipped: Mapping[str, int]
    """Reason → number of files left out."""


def find_root(path: Path, names: tuple[str, ...] = tuple(FOLDERS)) -> Path:
    """The folder that holds the sets' folders: `path`, one up to two levels below, or the one above a set's own.

    Raises UserError, with the cure, where none is.
    """
    path = path.expanduser()
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; give the folder of your checkout of the CLiKA release")
    path = path.resolve()
    above = [path.parent] if path.name in names else []
    for candidate in (*above, path, *sorted(path.glob("*/")), *sorted(path.glob("*/*/"))):
        if any((candidate / name).is_dir() for name in names):
            return candidate
    raise UserError(
        f"{path}: holds none of the folders {', '.join(names)}; give the folder of your checkout of the CLiKA release"
    )


def set_folder(path: Path, name: str) -> Path:
    """The folder of one set; raises UserError where the checkout lacks it."""
    root = find_root(path)
    if not (root / name).is_dir():
        raise UserError(f"{root}: the checkout has no folder {name!r}; get the whole release again")
    return root / name


def question_files(path: Path, name: str) -> dict[str, Path]:
    """language → file with the questions of one set, for the languages that the checkout holds."""
    folder = set_folder(path, name)
    found: dict[str, Path] = {}
    for language, sub in FOLDERS[name].items():
        if not (folder / sub).is_dir():
            continue
        file = _question_file(folder / sub, name, language)
        if file is None:
            raise UserError(f"{folder / sub}: no file of questions in this folder; get the whole release again")
        found[language] = file
    if not found:
        expected = ", ".join(FOLDERS[name].values())
        raise UserError(f"{folder}: none of the folders {expected}; get the whole release again")
    return found


def _question_file(folder: Path, name: str, language: str) -> Path | None:
    if name == "x_csqa":
        patterns = ["validation.jsonl"]
    elif name == "x_copa":
        patterns = ["test.jsonl", f"test.{language}.jsonl"]
    else:
        patterns = [f"{language}_{name[2:]}_data_generate.jsonl", f"{language}_{name[2:]}_data.jsonl", "*_data*.jsonl"]
    for pattern in patterns:
        for file in sorted(folder.glob(pattern)):
            return file
    return None


def response_files(path: Path) -> Responses:
    """Every file of published responses under a checkout, in the order set, language, model.

    Files are told apart by name alone; what is left out is counted by reason. Raises UserError for a folder
    that is no checkout.
    """
    root = find_root(path)
    files: list[ResponseFile] = []
    skipped: Counter[str] = Counter()
    for name, folders in FOLDERS.items():
        languages = {sub: language for language, sub in folders.items()}
        for file in sorted((root / name).rglob("*")):
            if not file.is_file():
                continue
            language = languages.get(file.parent.name) if file.parent.parent == root / name else None
            if language is None:
                skipped["outside the languages' folders"] += 1
            elif file.name == CHATGPT:
                files.append(ResponseFile(name, language, "chatgpt", "paper-zero-shot", file))
            elif match := _OPEN_MODEL.fullmatch(file.name):
                files.append(ResponseFile(name, language, match["model"], "paper-one-shot", file))
            else:
                skipped[_reason(file.name)] += 1
    order = {name: list(folders) for name, folders in FOLDERS.items()}
    files.sort(key=lambda f: (list(FOLDERS).index(f.set), order[f.set].index(f.language), f.model))
    return Responses(tuple(files), dict(sorted(skipped.items())))


def is_open_model(name: str) -> bool:
    """Whether a file of this name holds the replies of one of the open models."""
    return _OPEN_MODEL.fullmatch(name) is not None


def _reason(name: str) -> str:
    for pattern, reason in _SKIPPED:
        if pattern.fullmatch(name):
            return reason
    return "other files"
