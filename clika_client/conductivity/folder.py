"""The folder that holds what is taught and asked: written whole, its manifest last, and read back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.conductivity import formats
from clika_client.conductivity.material import PARTS, TEACHING, TEST, ExperimentQuestion, Material, Pair

MANIFEST = "build.json"
PUBLISHED = "published.jsonl"

__all__ = ["MANIFEST", "PUBLISHED", "TEACHING", "material_digest", "question_file", "read", "write"]


def write(material: Material, directory: Path) -> list[Path]:
    """Write the folder, the manifest last: a folder without one is not finished. Returns the files written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / MANIFEST).unlink(missing_ok=True)
        files = formats.write_all(material.rows, directory)
        if material.published:
            files.append(formats.write_jsonl(directory / PUBLISHED, map(formats.published, material.published)))
        for pair in material.pairs:
            (directory / pair.language).mkdir(exist_ok=True)
            files += _write_questions(material, pair, directory / pair.language)
        digests = {str(f.relative_to(directory)): _digest(f) for f in files}
        manifest = {
            "format": 1,
            "source": material.source,
            "form": material.form,
            "seed": material.seed,
            "pairs": [asdict(pair) for pair in material.pairs],
            "counts": dict(material.counts),
            "notes": list(material.notes),
            "files": digests,
        }
        files.append(
            formats.write_text(directory / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")
        )
    except OSError as error:
        raise UserError(f"cannot write {directory}: {error.strerror}; choose another folder with -o") from error
    return files


def question_file(pair: Pair, part: str) -> str:
    """Name of the file that holds one part of the questions."""
    names = {
        "translation": "gate.translation.jsonl",
        "taught_type0": f"gate.{pair.taught}-type0.jsonl",
        "taught_type1": f"gate.{pair.taught}-type1.jsonl",
        "asked_type0": f"gate.{pair.asked}-type0.jsonl",
        TEST: f"test.{pair.asked}-type1.jsonl",
    }
    return names[part]


def _write_questions(material: Material, pair: Pair, directory: Path) -> list[Path]:
    files = [
        formats.write_jsonl(directory / question_file(pair, part), map(_row, material.asked(pair.language, part)))
        for part in PARTS
    ]
    baseline = [q for q in material.baseline if q.pair == pair.language]
    files.append(formats.write_jsonl(directory / "baseline.jsonl", map(_row, baseline)))
    control = [_shuffled_row(q, material.shuffled[q.question_id]) for q in material.asked(pair.language, TEST)]
    files.append(formats.write_jsonl(directory / "control.shuffled.jsonl", control))
    return files


def _row(question: ExperimentQuestion) -> dict[str, Any]:
    """A question as chat JSONL that other programs can ask too; our own fields follow."""
    row = asdict(question)
    turns = [{"role": "user", "content": row.pop("text")}, {"role": "assistant", "content": question.answer}]
    return {"messages": turns, **row}


def _shuffled_row(question: ExperimentQuestion, dealt: int) -> dict[str, Any]:
    row = _row(question)
    row |= {"answer": question.choices[dealt], "gold": dealt}
    row["messages"][1]["content"] = question.choices[dealt]
    return row


def read(directory: Path) -> Material:
    """The questions of the folder that `write` made; the rows stay in their file.

    Raises UserError for a folder that is missing, unfinished or changed.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
        for name, digest in manifest["files"].items():
            if _digest(directory / name) != digest:
                raise UserError(f"{directory / name} was changed after it was built; build the folder again")
        pairs = tuple(Pair(**pair) for pair in manifest["pairs"])
        questions: list[ExperimentQuestion] = []
        shuffled: dict[str, int] = {}
        for pair in pairs:
            folder = directory / pair.language
            for part in PARTS:
                questions += [_question(row) for row in _jsonl(folder / question_file(pair, part))]
            shuffled |= {row["question_id"]: row["gold"] for row in _jsonl(folder / "control.shuffled.jsonl")}
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename} does not exist; `clika teach build --languages LANG -o {directory}` writes the folder"
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{directory} is not a folder that `clika teach build` wrote: {error}") from None
    return Material(
        manifest["source"],
        manifest["form"],
        manifest["seed"],
        pairs,
        (),
        tuple(questions),
        shuffled,
        manifest["counts"],
        tuple(manifest["notes"]),
    )


def _question(row: dict[str, Any]) -> ExperimentQuestion:
    text = row.pop("messages")[0]["content"]
    row["choices"] = tuple(row["choices"])
    return ExperimentQuestion(text=text, **row)


def _jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def material_digest(directory: Path) -> str:
    """32 hex digits over a built folder: two with one digest teach and ask the same."""
    return _digest(directory / MANIFEST)
