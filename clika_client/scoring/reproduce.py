"""The published figures again, from the published responses: RA and en-CO of every model, set and language, and
the paper's questions answered from them with intervals. Everything here is computed by this tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from clika_client.answers.cells import CellAnswers, read_texts, spread
from clika_client.common.errors import UserError
from clika_client.importers.common import ImportReport, Progress
from clika_client.importers.release import LETTERS, SOURCE, read_responses
from clika_client.scoring.answer_grid import AnswerGrid, RowKey
from clika_client.scoring.answers_to_paper import Finding, answers
from clika_client.scoring.compare_groups import group_changes
from clika_client.scoring.records import Scores
from clika_client.scoring.score import score
from clika_client.scoring.score_sets import Options
from clika_client.sets.probes import ProbeSet
from clika_client.sets.release import read_release
from clika_client.sets.release_layout import response_files

READING = "first-letter"
"""The paper's own."""


@dataclass(frozen=True, slots=True)
class Step:
    """One training step whose effect the paper asks about; names are patterns of published models."""

    question: str
    base: str
    tuned: tuple[str, ...]
    target: str | None = None
    """Language the step was aimed at."""
    continued: bool = True
    """The second model was trained on from the first one's weights; else they only stand for two ways to train."""


_CONTINUED = "Does continued pretraining help its target language, and at whose cost?"
_MIXED = "Does pretraining on a mixture of languages affect the others less?"
_TUNED = "Does instruction tuning help alignment?"
_FURTHER = "What does further tuning in one language do?"
# Which model was made from which is documented by their makers; the release itself does not say.
STEPS: tuple[Step, ...] = (
    Step(_CONTINUED, "llama_13b", ("chinese_llama_13b",), "zh"),
    Step(_CONTINUED, "llama_13b", ("chinese_llama_plus_13b",), "zh"),
    Step(_CONTINUED, "llama2_13b", ("chinese_llama2_13b",), "zh"),
    Step(_CONTINUED, "llama2_13b", ("LeoLM_leo_hessianai_13b",), "de"),
    Step(_MIXED, "llama2_13b", ("baichuan2_13b_base",), "zh", continued=False),
    Step(_MIXED, "llama_13b", ("bloom_7b1",), continued=False),
    Step(_TUNED, "llama_13b", ("Stanford_Alpaca",)),
    Step(_TUNED, "llama_13b", ("vicuna_13b", "vicuna_13b_v1.[0-4]", "vicuna_13b_delta*")),
    Step(_TUNED, "llama_13b", ("bayling_13b*",)),
    Step(_TUNED, "chinese_llama_13b", ("chinese_alpaca_13b",), "zh"),
    Step(_TUNED, "chinese_llama_13b", ("chinese_alpaca_pro_13b",), "zh"),
    Step(_TUNED, "llama2_13b", ("llama2_13b_chat",)),
    Step(_TUNED, "llama2_13b", ("vicuna_13b_v1.5",)),
    Step(_TUNED, "chinese_llama2_13b", ("chinese_alpaca2_13b",), "zh"),
    Step(_TUNED, "LeoLM_leo_hessianai_13b", ("LeoLM_leo_hessianai_13b_chat",), "de"),
    Step(_TUNED, "bloom_7b1", ("bloomz_7b1",)),
    Step(_TUNED, "bloom_7b1", ("bloomz_7b1_mt",)),
    Step(_TUNED, "baichuan2_13b_base", ("baichuan2_13b_chat",)),
    Step(_FURTHER, "baichuan2_13b_chat", ("Baichuan2-13B-ChatZH*",), "zh"),
)


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Scores of the release, and the paper's questions."""

    scores: Scores
    findings: tuple[Finding, ...]
    report: ImportReport
    absent: tuple[str, ...] = field(default=())
    """Steps that cannot be judged because a model is not in this checkout."""

    def to_json(self) -> dict[str, Any]:
        """The document `clika reproduce --json` prints."""
        return {
            "computed_by": "clika-client, from the responses published by the authors of CLiKA",
            **self.scores.to_json(),
            "findings": [
                {
                    "question": f.question,
                    "base": f.base,
                    "tuned": f.tuned,
                    "target": f.target,
                    "continued": f.continued,
                    "summary": f.sentences(),
                    "changes": [change.to_dict() for change in f.changes],
                }
                for f in self.findings
            ],
            "answers": [{"question": a.question, "answer": a.text} for a in answers(self.findings)],
            "absent": list(self.absent),
            "not_answerable": [CONDUCTIVITY],
            "taken": self.report.to_json(),
        }


CONDUCTIVITY = (
    "Whether conductivity (XRR) is satisfactory cannot be computed from this release: it holds no responses of "
    "models that were taught the fictional facts. `clika teach` measures it."
)


def reproduce(path: Path, options: Options | None = None, progress: Progress | None = None) -> Reproduction:
    """Score every published response under a checkout with the paper's reading; needs no database.

    Raises UserError when `path` is no checkout of the release or holds no responses.
    """
    options = options or Options()
    blocks, sets, report = release_blocks(path, progress)
    if not blocks:
        raise UserError(f"{path}: this checkout holds no published responses; get the whole release again")
    scores = score(blocks, sets, options)
    findings, absent = _findings(blocks, sets, options)
    return Reproduction(scores, tuple(findings), report, tuple(absent))


def release_blocks(
    path: Path, progress: Progress | None = None
) -> tuple[list[AnswerGrid], dict[int, ProbeSet], ImportReport]:
    """Rows of the release, read straight from its files by the paper's reading."""
    found = response_files(path)
    report = ImportReport(SOURCE)
    report.skipped_files.update(found.skipped)
    numbers = {name: i for i, name in enumerate(dict.fromkeys(file.set for file in found.files))}
    sets = {i: read_release(path, name) for name, i in numbers.items()}
    rows: dict[RowKey, dict[str, CellAnswers]] = {}
    for number, file in enumerate(found.files):
        if progress is not None:
            progress(number, len(found.files), f"{file.set} {file.language} {file.model}")
        probe_set = sets[numbers[file.set]]
        replies = read_responses(file, probe_set, report)
        if not replies:
            continue
        probes = probe_set.probes[file.language]
        asked = [probes[reply.position] for reply in replies]
        codes, reasons = read_texts([r.text or "" for r in replies], tuple(LETTERS[: probe_set.k]), asked, READING)
        positions = np.array([reply.position for reply in replies], np.int64)
        key = RowKey(file.model, numbers[file.set], file.style, "text", READING, SOURCE)
        rows.setdefault(key, {})[file.language] = spread(probe_set.n, positions, codes, reasons)
        report.files += 1
        report.replies += len(replies)
        report.cells += 1
        report.models.add(file.model)
        report.sets.add(file.set)
        report.languages.add(file.language)
    blocks = [_block(key, cells) for key, cells in rows.items()]
    return blocks, sets, report


def _block(key: RowKey, cells: Mapping[str, CellAnswers]) -> AnswerGrid:
    answers = np.stack([cell.choices for cell in cells.values()])
    reasons = np.stack([cell.reasons for cell in cells.values()])
    return AnswerGrid(key, tuple(cells), answers, np.ones(answers.shape, np.bool_), reasons)


def _findings(
    blocks: Sequence[AnswerGrid], sets: Mapping[int, ProbeSet], options: Options
) -> tuple[list[Finding], list[str]]:
    models = list(dict.fromkeys(block.key.model for block in blocks))
    findings: list[Finding] = []
    absent: list[str] = []
    for step in STEPS:
        tuned = [m for m in models if any(fnmatchcase(m, pattern) for pattern in step.tuned)]
        if step.base not in models or not tuned:
            absent.append(f"{step.base} to {' or '.join(step.tuned)}")
        for model in tuned if step.base in models else []:
            wanted = [block for block in blocks if block.key.model in (step.base, model)]
            changes = group_changes(
                wanted, sets, {step.base: (step.base,), model: (model,)}, options, pool=step.target or ""
            )
            findings.append(Finding(step.question, step.base, model, step.target, tuple(changes), step.continued))
    return findings, absent
