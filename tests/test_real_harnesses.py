"""Logs written now by the real lm-evaluation-harness and inspect_ai agree with their own figures to the digit.

Both are large, so they live in environments of their own: `make harnesses` makes them; without them these tests skip.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from clika_client.common.languages import canonical, known
from clika_client.common.task_names import split_task
from clika_client.importers.detect import import_path
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.score import score_store
from clika_client.store.store import Store

HOUSE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "clika-client" / "harnesses"
TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
fewshot_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}\\nA. {{{{choices[0]}}}}\\nB. {{{{choices[1]}}}}\\nC. {{{{choices[2]}}}}\\nAnswer:"
doc_to_choice: ["A", "B", "C"]
doc_to_target: answer
metric_list: [{{metric: acc}}]
"""
SCRIPT = """
import json, random, sys
import tiktoken
# Its token counter downloads a vocabulary; how many tokens a mock spends is no matter here.
tiktoken.get_encoding = lambda name: type("Letters", (), {"encode": staticmethod(lambda text, **more: list(text))})
from inspect_ai import Task, eval, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, get_model
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

rows, logs, shots, kind = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
chance = random.Random(shots)

@task
def caps(language: str, fewshot: int) -> Task:
    shown = "Example. " * fewshot
    samples = [
        Sample(id=r["ind"], input=shown + r["question"], choices=r["choices"], target="ABC"[r["answer"]])
        for r in rows[language]
    ]
    return Task(dataset=MemoryDataset(samples), solver=multiple_choice(), scorer=choice(), name="caps")

found = {}
for language in rows:
    said = [ModelOutput.from_content("mockllm/model", f"ANSWER: {chance.choice('ABC')}") for _ in rows[language]]
    model = get_model("mockllm/model", custom_outputs=said)
    log = eval(caps(language, shots), model=model, log_dir=logs, log_format=kind, display="none", max_samples=1)[0]
    found[language] = log.results.scores[0].metrics["accuracy"].value
print("FOUND " + json.dumps(found))
"""


def python_of(name: str) -> str:
    """The interpreter of an environment that has a harness."""
    found = Path(os.environ.get(f"CLIKA_{name.upper()}_PYTHON", HOUSE / name / "bin" / "python"))
    if not found.exists():
        pytest.skip(f"no {name} in {found.parent.parent}: make harnesses")
    return str(found)


def documents() -> dict[str, list[dict[str, Any]]]:
    """24 questions whose options are digits, in two languages that lost different ones and stand in another order."""
    chance = random.Random(7)
    rows: dict[str, list[dict[str, Any]]] = {"en": [], "de": []}
    for i in range(24):
        choices, answer = chance.sample(["0", "1", "2"], 3), chance.randrange(3)
        for language in rows:
            question = f"{language}: question number {i}?"
            rows[language].append({"ind": f"q{i}", "question": question, "choices": choices, "answer": answer})
    del rows["de"][5], rows["en"][9]
    rows["de"].reverse()
    return rows


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def accuracies(db: Path, prompt: str) -> dict[str, tuple[int, float]]:
    with Store(db) as store:
        found = score_store(store, wanted=Wanted(prompts=(prompt,)), bootstrap=0).records
        return {record.language: (record.n, record.accuracy) for record in found}


def test_lm_evaluation_harness_with_digits_other_ids_and_examples(tmp_path: Path) -> None:
    interpreter = python_of("lm_eval")
    rows, tasks = documents(), tmp_path / "tasks"
    tasks.mkdir()
    for language, found in rows.items():
        file = tmp_path / f"{language}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in found), "utf-8")
        (tasks / f"{language}.yaml").write_text(TASK.format(name=f"caps_{language}", file=file), "utf-8")
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    db = tmp_path / "c.db"
    for shots in (0, 2):
        out = tmp_path / f"out{shots}"
        run(
            *(interpreter, "-m", "lm_eval", "--model", "dummy", "--tasks", "caps_en,caps_de"),
            *("--include_path", str(tasks), "--num_fewshot", str(shots), "--log_samples", "--output_path", str(out)),
            **offline,
        )
        with Store(db) as store:
            report = import_path(store, out)
        assert report.joined == {"caps": "ind"}
        assert report.skipped_rows == {"item is not in every language of the set": 2}
        results = json.loads(next(out.rglob("results_*.json")).read_text("utf-8"))["results"]
        mine = accuracies(db, f"lm-eval {shots}-shot")
        for language, other in (("en", "de"), ("de", "en")):
            # The harness counts all documents of a language; those that both have are counted from its own log.
            log = next(out.rglob(f"samples_caps_{language}_*.jsonl")).read_text("utf-8").splitlines()
            samples = [json.loads(line) for line in log]
            whole = sum(sample["acc"] for sample in samples) / len(samples)
            assert whole == pytest.approx(results[f"caps_{language}"]["acc,none"], abs=1e-12)
            shared = {row["ind"] for row in rows[other]}
            kept = [sample["acc"] for sample in samples if sample["doc"]["ind"] in shared]
            assert mine[language] == (22, sum(kept) / 22)
        with Store(db) as store:
            assert all(len(row or ()) == 3 for cell in store.cells() for row in store.replies(cell).logprobs)


@pytest.mark.parametrize("kind", ["json", "eval"])
def test_inspect_ai_with_digits_other_ids_and_examples(tmp_path: Path, kind: str) -> None:
    interpreter = python_of("inspect_ai")
    rows = documents()
    both = {row["ind"] for row in rows["en"]} & {row["ind"] for row in rows["de"]}
    rows = {language: [row for row in found if row["ind"] in both] for language, found in rows.items()}
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")
    db = tmp_path / "c.db"
    for shots in (0, 2):
        logs = tmp_path / f"logs{shots}"
        said = run(interpreter, str(script), json.dumps(rows), str(logs), str(shots), kind)
        expected = json.loads(said.rpartition("FOUND ")[2])
        if kind == "eval":  # read here without the package: converted by its own command first
            run(
                interpreter, "-m", "inspect_ai", "log", "convert", str(logs), "--to", "json", "--output-dir", f"{logs}j"
            )
            logs = Path(f"{logs}j")
        with Store(db) as store:
            report = import_path(store, logs)
        assert (report.skipped_rows, report.sets) == ({}, {"caps"})
        mine = accuracies(db, f"inspect fewshot={shots}")
        assert {language: n for language, (n, _) in mine.items()} == {"en": 22, "de": 22}
        assert {language: accuracy for language, (_, accuracy) in mine.items()} == pytest.approx(expected, abs=1e-12)


_FIELD = re.compile(r"^(task|dataset_name): *['\"]?([\w.-]+)['\"]? *$", re.MULTILINE)
_CODE = re.compile(r"[a-z]{2,3}(_[A-Za-z]{4}(_[a-z]{4})?)?|[A-Z]{2}_[A-Z]{2}")


def test_every_task_of_the_harness_tells_the_language_that_its_data_set_s_configuration_names() -> None:
    lib = Path(python_of("lm_eval")).parent.parent / "lib"
    checked, wrong = 0, []
    for file in next(lib.glob("python*/site-packages/lm_eval/tasks")).rglob("*.yaml"):
        found = dict(_FIELD.findall(file.read_text("utf-8", errors="replace")))
        code = found.get("dataset_name", "").removeprefix("xquad.")
        if found.get("task", "ntrex").startswith("ntrex"):  # translation, of two languages
            continue
        if not _CODE.fullmatch(code) or not known(code.split("_")[0].lower()):
            continue
        checked += 1
        told = split_task(found["task"])[1]
        # Afrobench leaves out a script and a region that its data sets' names have.
        if told is None or told.split("-")[0] != canonical(code).split("-")[0]:
            wrong.append((found["task"], code, told))
    assert checked > 1000
    assert [task for task, *_ in wrong] == ["c4"], "its name tells none"
