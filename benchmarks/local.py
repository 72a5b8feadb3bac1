"""Local models: the plain `create_chat_completion` loop beside `clika`'s way, in one run on one thread.

Three ways over the same prompts: the loop item by item in every language, as parallel sets are written; the
same loop after sorting, so that neighbours share their prefix and the library's own reuse helps; and ours,
through the provider. Figures are prompts per CPU second, which other programs on the machine disturb least.
The first prompt of a language is evaluated whole by the last two and counted in neither.

Models: a demo model if there is one, and a random-weight model of about 100 million parameters made here and
kept in the cache folder, as Q8_0 and Q4_K_M. Prompts: synthetic ones that share 60 % and 84 % of their tokens,
and those of a real set with one example and plain (the authors' release where CLIKA_OFFICIAL_DATA names it,
the built-in atlas otherwise). Prints a table, and last one JSON line.

With `--gpu-layers all` it measures a GPU instead (see parts/gpu.py): `benchmarks/local.py --gpu-layers all`.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import platformdirs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import gguf_factory as factory  # noqa: E402
from parts import gpu  # noqa: E402
from parts.local_figures import Row, show, summary  # noqa: E402
from parts.local_prompts import Prompts, letter_request, real, synthetic  # noqa: E402

from clika_providers import ProviderOptions, Request  # noqa: E402
from clika_providers.gguf import connect  # noqa: E402
from clika_providers.gguf import llama_cpp as native  # noqa: E402

CACHE = Path(platformdirs.user_cache_dir("clika-client")) / "benchmark"
MODEL = factory.Recipe(
    name="random", n_embd=768, n_layer=10, n_head=12, n_ff=2048, merges=4, n_vocab=20000, half=True, n_ctx=2048
)
DEMO = ROOT / "clika_client" / "data" / "demo"
TOKENS_OF_ANSWER = 16
CONTEXT = 1024


# --- models -------------------------------------------------------------------------------


def random_model(kind: str) -> Path:
    """The random model in one quantization, made once."""
    llama_cpp = native.library()  # quiet
    CACHE.mkdir(parents=True, exist_ok=True)
    plain, made = CACHE / "random-100m-F16.gguf", CACHE / f"random-100m-{kind}.gguf"
    if made.exists():
        return made
    if not plain.exists():
        os.replace(factory.make(CACHE / f"new-{os.getpid()}.gguf", MODEL), plain)
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}"), os.cpu_count() or 1
    fresh = CACHE / f"new-{os.getpid()}-{kind}.gguf"
    if llama_cpp.llama_model_quantize(str(plain).encode(), str(fresh).encode(), ctypes.byref(params)):
        raise RuntimeError(f"llama.cpp cannot quantize to {kind}")
    os.replace(fresh, made)
    return made


def demo_model(path: Path | None) -> Path | None:
    if path is not None:
        return path
    found = sorted(DEMO.glob("*.gguf")) if DEMO.is_dir() else []
    return found[0] if found else None


# --- the three ways -----------------------------------------------------------------------------------


class Stopwatch:
    """CPU seconds of this process over the parts that count."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.count = 0

    def run(self, counted: int, work: Callable[[], Any]) -> Any:
        """Do some work that answers `counted` prompts; with 0 it is a warm-up, and not timed."""
        began = time.process_time()
        result = work()
        if counted:
            self.seconds += time.process_time() - began
            self.count += counted
        return result

    @property
    def rate(self) -> float:
        """Prompts per CPU second."""
        return self.count / self.seconds


def loop(llm: Any, request: Request) -> str:
    messages = [{"role": m.role, "content": m.content} for m in request.messages]
    reply = llm.create_chat_completion(messages, max_tokens=TOKENS_OF_ANSWER, temperature=0.0)
    return str(reply["choices"][0]["message"]["content"])


def compare(name: str, llm: Any, provider: Any, prompts: Prompts) -> Row:
    """All three ways over one set of prompts."""
    plain, in_order, ours = Stopwatch(), Stopwatch(), Stopwatch()
    said, told = {}, {}
    for request in prompts.by_item():
        said[request] = plain.run(1, lambda request=request: loop(llm, request))
    for language in prompts.by_language:
        for at, request in enumerate(language):
            in_order.run(int(at > 0), lambda request=request: loop(llm, request))

    async def ask(requests: Sequence[Request]) -> None:
        for request, completion in zip(
            requests, await asyncio.gather(*(provider.complete(request) for request in requests)), strict=True
        ):
            told[request] = completion

    runner = provider.runner
    for first, *others in prompts.by_language:
        runner.run(ask([first]))
        ours.run(len(others), lambda others=others: runner.run(ask(others)))
    tokens = sum(one.usage.input_tokens for one in told.values()) / len(told)
    same = sum(said[request].strip()[:1] == told[request].text[:1] for request in said)
    shared = sum(_shared(llm, language) for language in prompts.by_language) / len(prompts.by_language)
    return Row(name, prompts.name, tokens, shared / tokens, plain.rate, in_order.rate, ours.rate, same / len(said))


def _shared(llm: Any, requests: Sequence[Request]) -> float:
    """Mean number of leading tokens that neighbours have in common."""
    token_lists = [llm.tokenize(r.messages[-1].content.encode(), add_bos=True) for r in requests]
    lengths = []
    for one, other in pairwise(token_lists):
        lengths.append(next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one)))
    return sum(lengths) / len(lengths)


class Ours:
    """The provider, with an event loop that outlives one call."""

    def __init__(self, path: Path, threads: int) -> None:
        self._provider = connect(str(path), ProviderOptions(n_threads=threads))
        self.complete = self._provider.complete
        self.runner = asyncio.Runner()

    def close(self) -> None:
        """Release the model."""
        self.runner.run(self._provider.aclose())
        self.runner.close()


def measure(path: Path, sets: Sequence[Callable[[Callable[[str], int]], Prompts]], threads: int) -> list[Row]:
    """One model on all prompt sets, both ways loaded side by side and warmed up."""
    import llama_cpp

    llm = llama_cpp.Llama(str(path), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False)
    ours = Ours(path, threads)
    loop(llm, letter_request("warm"))
    ours.runner.run(ours.complete(letter_request("warm")))
    rows = [
        compare(path.stem, llm, ours, make(lambda text: len(llm.tokenize(text.encode(), add_bos=False))))
        for make in sets
    ]
    ours.close()
    llm.close()
    return rows


# --- memory, each in a process of its own -------------------------------------------------------------


def peak(way: str, path: Path) -> float:
    """Peak resident megabytes of a process that loads a model one way."""
    command = [sys.executable, __file__, "--child", way, str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def child(way: str, path: Path) -> None:
    if way == "load":
        import llama_cpp

        kept = llama_cpp.Llama(str(path), n_ctx=CONTEXT, n_threads=1, verbose=False)
        assert kept.n_ctx() == CONTEXT
    else:
        ours = Ours(path, 1)
        for request in synthetic(0.6, 3, lambda text: len(text) // 3).by_item():
            ours.runner.run(ours.complete(request))
    print(_peak_of_this_process())


def _peak_of_this_process() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would count the parent, from which this process was forked
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


# --- report -------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few prompts: under a minute")
    parser.add_argument("--demo", type=Path, help="the demo model's GGUF file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--gpu-layers",
        metavar="N|all",
        help="layers on the GPU: measures that device, and its answers beside the CPU's",
    )
    parser.add_argument(
        "--n-sequences", default="1,8,32", help="with --gpu-layers: sequences per batch, such as 1,8,32"
    )
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="with --gpu-layers: GGUF files to ask")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return
    if options.gpu_layers is not None:
        layers = -1 if options.gpu_layers == "all" else int(options.gpu_layers)
        found = options.models or [random_model("Q4_K_M"), *filter(None, [demo_model(options.demo)])]
        items = 20 if options.quick else 200
        asked = [request for language in real("plain", items).by_language for request in language]
        rows = gpu.measure(found, asked, layers, [int(n) for n in options.n_sequences.split(",")])
        gpu.show(rows)
        print(json.dumps({"gpu": [asdict(row) for row in rows]}))
        return
    models = [random_model(kind) for kind in ("Q8_0", "Q4_K_M")]
    demo = demo_model(options.demo)
    if demo is None:
        print("no demo model here: only the random ones are measured (--demo FILE)", file=sys.stderr)
    else:
        models.insert(0, demo)
    rows, memory = [], {}
    for model in models:
        # A prompt takes the demo model milliseconds, so that it needs many for a figure.
        items = 24 if model == demo else 3 if options.quick else 16
        sets = [lambda count, share=share, n=items: synthetic(share, n, count) for share in (0.60, 0.84)]
        second = options.quick and model.stem.endswith("Q8_0")
        if not second:
            sets += [lambda _, style=style, n=items: real(style, n) for style in ("paper-one-shot", "plain")]
        rows += measure(model, sets, options.threads)
        if not second:
            memory[model.stem] = (peak("load", model), peak("ours", model))
    show(rows, memory)
    print(json.dumps(summary(rows, memory, options.quick, options.threads)))


if __name__ == "__main__":
    main()
