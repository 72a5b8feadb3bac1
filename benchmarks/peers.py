"""The same probes through clika, inspect_ai and lm-evaluation-harness, cold and from their caches, in one run.

The peers live in an environment of their own (docs/benchmarks.md says how to make it), named by --peer-python; one that
is not installed there is left out and said to be. All ask the same questions of the same loopback server, as many at
once, and write their usual logs; nothing is asked of any hub.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from http_run import BARE, Cost, measure, server, write_set

INSPECT = """
import json, os
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

@task
def bench():
    with open(os.environ["BENCH_SET"], encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    samples = [Sample(input=r["question"], choices=r["choices"], target="ABCDE"[r["gold"]]) for r in rows]
    config = GenerateConfig(max_tokens=32, temperature=0)
    return Task(dataset=samples, solver=multiple_choice(cache=True), scorer=choice(), config=config)
"""

LM_EVAL = """
task: bench
dataset_path: json
dataset_kwargs:
  data_files:
    test: {questions}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}\\nA. {{{{choices[0]}}}}\\nB. {{{{choices[1]}}}}\\nC. {{{{choices[2]}}}}\\n\
D. {{{{choices[3]}}}}\\nE. {{{{choices[4]}}}}\\nAnswer with one letter."
doc_to_target: "{{{{['A', 'B', 'C', 'D', 'E'][gold]}}}}"
generation_kwargs:
  until: []
  max_gen_toks: 32
  temperature: 0
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""


def version(python: Path, module: str) -> str | None:
    """The version of a package in another environment, None when it is not there."""
    code = f"import importlib.metadata as m; print(m.version({module!r}))"
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def ours(folder: Path, questions: Path, port: int, width: int) -> tuple[list[str], dict[str, str]]:
    """`clika run` with its report, intervals left out as the peers have none of ours."""
    command = [
        str(Path(sys.executable).with_name("clika")), "run", str(questions), "-m", "openai/bench",
        "--base-url", f"http://127.0.0.1:{port}/v1", "--concurrency", str(width), "--db", str(folder / "bench.db"),
        "--bootstrap", "0",
    ]  # fmt: skip
    return command, {"OPENAI_API_KEY": "none", "CLIKA_HOME": str(folder)}


def inspect_ai(python: Path, folder: Path, questions: Path, port: int, width: int) -> tuple[list[str], dict[str, str]]:
    """`inspect eval` with its own cache."""
    # Named relative to the folder it runs in: an absolute path is not taken.
    (folder / "inspect_task.py").write_text(INSPECT, encoding="utf-8")
    command = [
        str(python.with_name("inspect")), "eval", "inspect_task.py", "--model", "openai-api/bench/bench",
        "--max-connections", str(width), "--display", "plain", "--log-dir", str(folder / "inspect-logs"),
    ]  # fmt: skip
    return command, {
        "BENCH_SET": str(questions),
        "BENCH_API_KEY": "none",
        "BENCH_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "INSPECT_CACHE_DIR": str(folder / "inspect-cache"),
    }


def lm_eval(python: Path, folder: Path, questions: Path, port: int, width: int) -> tuple[list[str], dict[str, str]]:
    """`lm_eval run` with its own cache."""
    (folder / "bench.yaml").write_text(LM_EVAL.format(questions=questions), encoding="utf-8")
    model = f"model=bench,base_url=http://127.0.0.1:{port}/v1/chat/completions,num_concurrent={width}"
    command = [
        str(python.with_name("lm_eval")), "run", "--model", "local-chat-completions", "--model_args", model,
        "--tasks", "bench", "--include_path", str(folder), "--apply_chat_template",
        "--use_cache", str(folder / "lm-eval-cache" / "c"), "--output_path", str(folder / "lm-eval-out"),
    ]  # fmt: skip
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    return command, {"OPENAI_API_KEY": "none", **offline}


PEERS = {"inspect_ai": ("inspect-ai", inspect_ai), "lm_eval": ("lm-eval", lm_eval)}


def main() -> None:
    """Measure, print a table and, last, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, default=None, help="python of the environment with the peers")
    parser.add_argument("--probes", type=int, default=2000)
    parser.add_argument("--width", type=int, default=64, help="requests in flight")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds the server takes")
    parser.add_argument("--quick", action="store_true", help="200 probes")
    options = parser.parse_args()
    probes = 200 if options.quick else options.probes
    costs: dict[str, Cost] = {}
    result: dict[str, object] = {"probes": probes}
    with tempfile.TemporaryDirectory() as name, server(options.delay) as port:
        folder = Path(name)
        questions = folder / "bench.jsonl"
        write_set(questions, probes)
        loop = [str(port), str(probes), str(options.width)]
        costs["bare loop (floor)"] = measure([sys.executable, "-c", BARE, *loop])
        jobs = {"clika": ours(folder, questions, port, options.width)}
        for label, (package, make) in PEERS.items():
            # Not resolved: the link in a virtual environment is what tells it from the system's python.
            python = options.peer_python.absolute() if options.peer_python else None
            found = version(python, package) if python else None
            if python is None or found is None:
                print(f"{label} is not installed in the environment of --peer-python; left out")
                continue
            jobs[f"{label} {found}"] = make(python, folder, questions, port, options.width)
        for label, (command, environment) in jobs.items():
            for kind in ("cold", "all cached"):
                costs[f"{label}, {kind}"] = measure(command, environment, folder)
    floor, own = costs["bare loop (floor)"], {kind: costs[f"clika, {kind}"] for kind in ("cold", "all cached")}
    print(f"{probes} probes, {options.width} in flight, server answers in {options.delay * 1000:.0f} ms")
    print(f"{'client':<32}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'CPU to floor':>14}{'CPU to clika':>14}")
    for label, cost in costs.items():
        beside = own["all cached" if label.endswith("all cached") else "cold"]
        ratio = cost.cpu_s / beside.cpu_s
        print(
            f"{label:<32}{cost.wall_s:>8.2f}{cost.cpu_s:>8.2f}{cost.peak_mb:>9.0f}"
            f"{cost.cpu_s / floor.cpu_s:>14.1f}{ratio:>14.2f}"
        )
        result[label] = {
            "wall_s": round(cost.wall_s, 2), "cpu_s": round(cost.cpu_s, 2), "peak_mb": round(cost.peak_mb),
            "cpu_to_clika": round(ratio, 2),
        }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
