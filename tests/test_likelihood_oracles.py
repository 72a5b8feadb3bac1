"""Likelihoods against what others compute: lm-evaluation-harness on the same file, RankC by its authors' definition.

The harness lives in an environment of its own (`make harnesses`); without it its test skips. Figures of real models are
compared where their files are named: CLIKA_GEMMA=…/gemma-3-270m-q4_k_m.gguf, CLIKA_SMOLLM2=…/SmolLM2-135M.gguf.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import gguf_factory
import pytest
from clika import clika, records
from heavy import later
from servers.llama import llama_server, missing
from test_real_harnesses import python_of, run

from clika_client.answers.cells import choice_scores
from clika_client.prompts.catalogue import get_style
from clika_client.prompts.likelihood import render_options
from clika_client.sets.catalogue import resolve
from clika_client.store.store import Store

later("llama_cpp", "local")

TASK = """
task: capitals
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{text}}}}"
doc_to_choice: choices
doc_to_target: answer
metric_list: [{{metric: acc}}, {{metric: acc_bytes}}]
"""
CAPITALS = {
    "France": "Paris",
    "Austria": "Vienna",
    "Peru": "Lima",
    "Kenya": "Nairobi",
    "Japan": "Tokyo",
    "Iraq": "Baghdad",
}


def write_capitals(path: Path) -> Path:
    """Six questions of four options; some options begin alike, none is of one length."""
    cities = list(CAPITALS.values())
    rows = [
        {
            "item_id": f"c{i}",
            "language": "en",
            "question": f"What is the capital of {country}?",
            "choices": [capital, cities[(i + 1) % 6], f"{cities[(i + 2) % 6]} in the north", f"{capital} in the north"],
            "gold": 0,
        }
        for i, (country, capital) in enumerate(CAPITALS.items())
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_the_harness_on_the_same_file_gives_each_option_the_same_score(tmp_path: Path) -> None:
    interpreter = python_of("lm_eval")
    base = gguf_factory.make(tmp_path / "base.gguf", gguf_factory.Recipe(template=None, seed=5))
    probes = write_capitals(tmp_path / "capitals.jsonl")
    capitals = resolve(str(probes))
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    file = tmp_path / "docs.jsonl"
    with file.open("w", encoding="utf-8") as documents:
        for probe in capitals.probes["en"]:
            text = render_options(probe, get_style("plain"), capitals).messages[0].content
            # The harness puts its own space before an option.
            documents.write(json.dumps({"text": text, "choices": list(probe.choices), "answer": probe.gold}) + "\n")
    (tasks / "capitals.yaml").write_text(TASK.format(file=file), "utf-8")
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    out = tmp_path / "out"
    with llama_server(base) as url:
        run(
            *(interpreter, "-m", "lm_eval", "--model", "gguf", "--model_args", f"base_url={url.removesuffix('/v1')}"),
            *(
                "--tasks",
                "capitals",
                "--include_path",
                str(tasks),
                "--log_samples",
                "--output_path",
                str(tmp_path / "out"),
            ),
            **offline,
        )
    log = next(out.rglob("samples_capitals_*.jsonl")).read_text("utf-8").splitlines()
    samples = sorted(map(json.loads, log), key=lambda sample: int(sample["doc_id"]))
    theirs = [[float(answer[0]) for answer in sample["filtered_resps"]] for sample in samples]

    db = tmp_path / "c.db"
    clika("run", probes, "-m", f"gguf/{base}", "--ask", "likelihood", "--db", db, "--bootstrap", 0)
    with Store(db) as store:
        (cell,) = store.cells()
        mine = choice_scores(store, cell, capitals, "sum")
    assert mine.shape == (6, 4)
    for row, theirs_of_it in zip(mine, theirs, strict=True):
        assert row.tolist() == pytest.approx(theirs_of_it, abs=1e-3)
    results = json.loads(next(out.rglob("results_*.json")).read_text("utf-8"))["results"]["capitals"]
    for reading, metric in (("sum", "acc,none"), ("per-byte", "acc_bytes,none")):
        (found,) = records(clika("score", "--db", db, "--reading", reading, "--bootstrap", 0, "--json"))
        assert found["accuracy"] == pytest.approx(results[metric])


# --- RankC on rows of BMLAMA, from the rows alone ---------------------------------------------------


def sentences(file: Path) -> list[tuple[str, list[str], str]]:
    """Per row of BMLAMA with two candidates or more: the text before the mask, the candidates, the text after."""
    import csv

    rows = list(csv.reader(file.read_text("utf-8").splitlines(), delimiter="\t"))[1:]
    found = []
    for prompt, answer, candidates, subject in rows:
        before, _, after = prompt.partition("<mask>")
        listed = [one for one in dict.fromkeys([*candidates.split(", "), answer]) if one != subject]
        if len(listed) > 1:
            found.append((before, listed, after))
    return found


def rank_consistency(one: list[float], other: list[float]) -> float:
    """Qi et al. 2023, equation 1 and 2, with sets: how alike two languages rank the candidates of one fact."""
    n = len(one)
    first = sorted(range(n), key=lambda j: -one[j])
    second = sorted(range(n), key=lambda j: -other[j])
    norm = sum(math.exp(n - j + 1) for j in range(1, n + 1))
    return sum(math.exp(n - j + 1) / norm * len(set(first[:j]) & set(second[:j])) / j for j in range(1, n + 1))


def test_rankc_on_rows_of_bmlama_is_that_of_a_script_that_reads_the_rows_alone(tmp_path: Path) -> None:
    import llama_cpp
    from benchmark_factory import bmlama17

    base = gguf_factory.make(tmp_path / "base.gguf", gguf_factory.Recipe(template=None, seed=5))
    bmlama17(tmp_path / "bmlama")
    clika("sets", "add", "bmlama17", tmp_path / "bmlama")
    db = tmp_path / "c.db"
    common = ("run", "bmlama17", "-m", f"gguf/{base}", "-l", "en,tr", "--ask", "likelihood")
    rows = records(clika(*common, "--db", db, "--bootstrap", 0, "--json"))
    (found,) = [row for row in rows if row["language"] == "tr"]

    llm = llama_cpp.Llama(str(base), n_ctx=512, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)

    def likelihood(before: str, rest: str) -> float:
        start = before.rstrip()
        tokens = llm.tokenize((before + rest).encode(), add_bos=True, special=False)
        alone = llm.tokenize(start.encode(), add_bos=True, special=False)
        assert tokens[: len(alone)] == alone
        llm.reset()
        llm.eval(tokens)
        total = 0.0
        for at in range(len(alone), len(tokens)):
            row = [float(value) for value in llm.scores[at - 1]]
            top = max(row)
            total += row[tokens[at]] - top - math.log(math.fsum(math.exp(value - top) for value in row))
        return total

    try:
        scores = [
            [
                [likelihood(before, candidate + after) for candidate in candidates]
                for before, candidates, after in sentences(tmp_path / f"bmlama/1_easyrun/BMLAMA17/{language}.tsv")
            ]
            for language in ("en", "tr")
        ]
    finally:
        llm.close()
    pairs = [rank_consistency(one, other) for one, other in zip(*scores, strict=True)]
    assert found["n"] == len(pairs) == 7
    assert found["rankc"] == pytest.approx(sum(pairs) / len(pairs), abs=1e-9)


# --- a real model -----------------------------------------------------------------------------------


def real(name: str) -> Path:
    found = os.environ.get(name, "")
    if not Path(found).is_file():
        pytest.skip(f"{name} names no GGUF file: tests on real models are asked for by naming one")
    return Path(found)


@pytest.mark.parametrize("variable", ["CLIKA_GEMMA", "CLIKA_SMOLLM2"])
def test_a_real_model_scores_options_as_raw_llama_cpp_does(tmp_path: Path, variable: str) -> None:
    """The whole text evaluated at once by the library itself, one option after the other, in two languages.

    Kernels round by how many tokens they take at once: up to .6 in the sum of an option was measured on these files.
    """
    import llama_cpp
    import numpy as np

    gguf, n = real(variable), 5
    atlas, db = resolve("atlas"), tmp_path / "c.db"
    asked = ("run", "atlas", "-m", f"gguf/{gguf}", "-l", "en,de", "--limit", n, "--ask", "likelihood")
    found = {r["language"]: r["accuracy"] for r in records(clika(*asked, "--db", db, "--bootstrap", 0, "--json"))}
    llm = llama_cpp.Llama(str(gguf), n_ctx=128, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)
    same = total = 0
    right = dict.fromkeys(found, 0)
    with Store(db) as store:
        for cell in store.cells():
            mine = choice_scores(store, cell, store.probe_set(cell.key.set_id), "sum")
            for position in cell.asked():
                probe = atlas.probes[cell.key.language][int(position)]
                bare = render_options(probe, get_style("plain"), atlas)
                text, theirs = bare.messages[0].content, []
                for option in bare.options:
                    alone, tokens = llm.tokenize(text.encode()), llm.tokenize((text + option).encode())
                    if llm.token_bos() != tokens[0]:
                        alone, tokens = (llm.tokenize(t.encode(), add_bos=False) for t in (text, text + option))
                    llm.reset()
                    llm.eval(tokens)
                    rows = np.asarray(llm.scores[len(alone) - 1 : len(tokens) - 1], np.float64)
                    rows -= np.logaddexp.reduce(rows, axis=-1, keepdims=True)
                    theirs.append(float(sum(row[token] for row, token in zip(rows, tokens[len(alone) :], strict=True))))
                row = mine[int(position)][: len(theirs)]
                assert row.tolist() == pytest.approx(theirs, abs=1.0)
                same += int(np.argmax(row)) == int(np.argmax(theirs))
                right[cell.key.language] += int(np.argmax(theirs)) == probe.gold
                total += 1
    llm.close()
    assert total == 2 * n
    assert same >= total - 1
    for language, accuracy in found.items():
        assert abs(accuracy * n - right[language]) <= 2
