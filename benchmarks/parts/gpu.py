"""How fast a local model answers with its layers on a GPU, and how far its answers are from those of the CPU.

The first answers are the CPU's, one prompt at a time; then the same prompts with the layers on the GPU at each number
of sequences. A rate is prompts per second of wall time, because the CPU waits for the device. `--gpu-layers 0` tries
everything but the device.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from clika_providers import Completion, ProviderOptions, Request
from clika_providers.gguf import connect
from clika_providers.gguf import llama_cpp as native


@dataclass(frozen=True, slots=True)
class GpuRow:
    """One model at one number of sequences, beside the CPU at one."""

    model: str
    device: str
    n_sequences: int
    prompts: int
    per_second: float
    cpu_per_second: float
    same: float
    """Share of the prompts whose likeliest label is that of the CPU."""
    largest: float
    """The largest difference of a label's probability, 0 to 1."""
    median: float


def measure(models: Sequence[Path], requests: Sequence[Request], layers: int, sequences: Sequence[int]) -> list[GpuRow]:
    """Ask every model on the CPU, then on the device at each number of sequences."""
    device = ", ".join(d.description or d.name for d in native.devices() if d.is_gpu) if layers else "CPU"
    rows = []
    for model in models:
        usual = ProviderOptions(n_gpu_layers=0)
        on_cpu, cpu_rate = answers(model, requests, usual)
        for n in sequences:
            found, rate = answers(model, requests, replace(usual, n_gpu_layers=layers, n_sequences=n))
            far = sorted(max(map(abs, _differences(a, b))) for a, b in zip(on_cpu, found, strict=True))
            same = sum(_likeliest(a) == _likeliest(b) for a, b in zip(on_cpu, found, strict=True))
            rows.append(
                GpuRow(
                    model.stem, device, n, len(requests), rate, cpu_rate, same / len(requests), far[-1],
                    far[len(far) // 2],
                )
            )  # fmt: skip
            print(json.dumps(asdict(rows[-1])), file=sys.stderr, flush=True)
    return rows


def answers(model: Path, requests: Sequence[Request], options: ProviderOptions) -> tuple[list[Completion], float]:
    """The answers in the requests' order, and prompts per second of wall time; loading and the first are not timed."""

    async def all_of_them() -> tuple[list[Completion], float]:
        provider = connect(str(model), options)
        try:
            await provider.complete(requests[0])
            began = time.perf_counter()
            found = await asyncio.gather(*map(provider.complete, requests))
            return list(found), len(requests) / (time.perf_counter() - began)
        finally:
            await provider.aclose()

    return asyncio.run(all_of_them())


def _probabilities(completion: Completion) -> list[float]:
    return [0.0 if value is None else math.exp(value) for value in completion.choice_logprobs or ()]


def _differences(one: Completion, other: Completion) -> list[float]:
    return [a - b for a, b in zip(_probabilities(one), _probabilities(other), strict=True)]


def _likeliest(completion: Completion) -> int:
    found = _probabilities(completion)
    return found.index(max(found))


def show(rows: Sequence[GpuRow]) -> None:
    """A table, as it is put into docs/scale.md."""
    print("| model | device | sequences | prompts a second | × CPU | same answer | largest difference | median |")
    print("|---|---|---|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r.model} | {r.device} | {r.n_sequences} | {r.per_second:.1f} | {r.per_second / r.cpu_per_second:.1f} "
            f"| {r.same:.1%} | {r.largest:.3f} | {r.median:.4f} |"
        )
