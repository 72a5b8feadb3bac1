"""What a study can show and what it takes, before it is begun: power, memory, time."""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from clika_client.common.errors import UserError
from clika_client.conductivity.convert import read_config
from clika_client.conductivity.presets import TeachSettings

POWER, LEVEL = 0.8, 0.05
SEED_SPREAD = 0.1
"""Standard deviation of a pair's XRR between seeds of teaching that is reckoned with where none was measured."""
EFFICIENCY = 0.4
"""Share of a processor's speed in multiplying matrices that training reaches."""


@dataclass(frozen=True, slots=True)
class Detectable:
    """What facts and seeds can show, as fractions of the test's questions."""

    facts: int
    seeds: int
    chance: float
    comparisons: int
    """Pairs that are tested side by side; the level is shared by them (Bonferroni, which Holm is never below)."""
    seed_spread: float = SEED_SPREAD

    @property
    def _z(self) -> float:
        normal = NormalDist()
        return normal.inv_cdf(1 - LEVEL / 2 / self.comparisons) + normal.inv_cdf(POWER)

    def error(self, accuracy: float) -> float:
        """Standard error of the mean over seeds, if all seeds answer the same facts alike: the worst case."""
        return math.sqrt(accuracy * (1 - accuracy) / self.facts + self.seed_spread**2 / self.seeds)

    @property
    def above_chance(self) -> float:
        """Smallest accuracy above chance that is found in `POWER` of studies."""
        low, high = self.chance, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (low, middle) if middle - self.chance > self._z * self.error(middle) else (middle, high)
        return high

    @property
    def between(self) -> float:
        """Smallest difference between two pairs around one half, where errors are largest."""
        return self._z * math.sqrt(2) * self.error(0.5)


def needed_facts(difference: float, seeds: int, comparisons: int, seed_spread: float = SEED_SPREAD) -> int | None:
    """Facts per pair for a difference between two pairs; None where so many seeds cannot show it with any."""
    if not 0 < difference < 1:
        raise UserError(f"--difference is a fraction between 0 and 1, such as 0.2; got {difference}")
    z = Detectable(1, seeds, 0.0, comparisons)._z
    room = (difference / z) ** 2 / 2 - seed_spread**2 / seeds
    return math.ceil(0.25 / room) if room > 0 else None


@dataclass(frozen=True, slots=True)
class Size:
    """A model as its files describe it, without loading it."""

    parameters: int
    layers: int
    hidden: int
    heads: int
    vocabulary: int


def size_of(model_dir: Path) -> Size:
    """Read from config.json and the heads of the weight files; raises UserError where there are none."""
    config = read_config(model_dir)
    files = sorted(model_dir.glob("model*.safetensors"))
    if not files:
        raise UserError(f"{model_dir} has no model*.safetensors")
    count = sum(math.prod(tensor["shape"]) for path in files for tensor in _tensors(path).values())
    names = {
        "layers": ("num_hidden_layers", "n_layer"),
        "hidden": ("hidden_size", "n_embed"),
        "heads": ("num_attention_heads", "n_head"),
        "vocabulary": ("vocab_size",),
    }
    found = {key: next((int(config[n]) for n in some if config.get(n)), 1) for key, some in names.items()}
    return Size(count, **found)


def _tensors(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        head: dict[str, Any] = json.loads(file.read(length))
    return {name: tensor for name, tensor in head.items() if name != "__metadata__"}


def trained_parameters(size: Size, settings: TeachSettings) -> int:
    """All, or those of LoRA's two matrices for each adapted layer, taken as square."""
    if settings.method == "full":
        return size.parameters
    return size.layers * max(1, len(settings.targets)) * 2 * size.hidden * settings.rank


def memory(size: Size, settings: TeachSettings, tokens: int) -> int:
    """Bytes that teaching takes on a device with `tokens` tokens an example: weights, optimizer and activations.

    Activations are those of a layer of a transformer, s b h (34 + 5 a s / h) bytes at two bytes a number, and 2 s b h
    where they are recomputed (Korthikanti et al., 2022, equations 2 and 6). Trained weights take 16 bytes each:
    themselves, their gradient and AdamW's two moments, in float32.
    """
    wide = 4 if settings.method == "full" or settings.dtype == "float32" else settings.base_bits / 8
    trained = trained_parameters(size, settings)
    frozen = 0 if settings.method == "full" else size.parameters * wide
    at_once = settings.micro_batch * tokens
    number = 1 if settings.dtype == "bfloat16" else 2
    layer = at_once * size.hidden * (34 + 5 * size.heads * tokens / size.hidden) * number
    kept = at_once * size.hidden * 2 * number * size.layers + layer
    activations = kept if settings.gradient_checkpointing else layer * size.layers
    logits = at_once * size.vocabulary * 4 * 2
    return round(frozen + 16 * trained + activations + logits)


def operations(size: Size, settings: TeachSettings, tokens: int) -> float:
    """Of teaching `tokens` tokens: 6 per weight and token, 4 where weights get no gradient, 2 more to recompute."""
    return (
        (6 if settings.method == "full" else 4)
        * size.parameters
        * tokens
        * (4 / 3 if settings.gradient_checkpointing else 1)
    )


def speed(device: str) -> float:
    """Operations a second that training is reckoned to reach here, from the fastest of some matrix products."""
    from clika_client.conductivity.learner import import_torch

    torch = import_torch()
    n = 512 if device == "cpu" else 8192
    a = torch.ones((n, n), device=device, dtype=torch.float32 if device == "cpu" else torch.bfloat16)
    took = []
    for _ in range(30):
        began = time.perf_counter()
        (a @ a).sum().item()
        took.append(time.perf_counter() - began)
    return EFFICIENCY * float(2 * n**3) / min(took)
