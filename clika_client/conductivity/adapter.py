"""A peft LoRA adapter, read from its files and merged into the weights that it was trained beside."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError


class Lora:
    """A peft LoRA adapter: per adapted weight, the down matrix (rank, in) and the up matrix (out, rank)."""

    def __init__(self, rank: int, scale: float, pairs: dict[str, tuple[Any, Any]], where: Path) -> None:
        self.rank, self.scale, self.pairs, self.where = rank, scale, pairs, where
        self.used: set[str] = set()

    @classmethod
    def read(cls, directory: Path) -> Lora:
        """Read a directory that peft saved; raises UserError for what cannot be merged here."""
        from safetensors import safe_open

        path = directory / "adapter_config.json"
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError, RecursionError) as error:
            raise UserError(f"{directory} is no peft adapter: adapter_config.json: {error}") from None
        for key in ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out"):
            if settings.get(key):
                raise UserError(f"{path}: {key} cannot be converted; merge the adapter with peft first")
        if settings.get("peft_type") != "LORA" or settings.get("bias", "none") != "none":
            raise UserError(f"{path}: only LoRA without biases can be converted; merge the adapter with peft first")
        rank = int(settings["r"])
        scale = settings["lora_alpha"] / (math.sqrt(rank) if settings.get("use_rslora") else rank)
        found: dict[str, dict[str, Any]] = {}
        with safe_open(directory / "adapter_model.safetensors", framework="pt") as archive:
            for key in archive.keys():  # noqa: SIM118  (not a dict)
                base, _, side = key.removeprefix("base_model.model.").rpartition(".lora_")
                if side not in ("A.weight", "B.weight"):
                    raise UserError(f"{directory}: {key!r} is no LoRA matrix; merge the adapter with peft first")
                found.setdefault(base + ".weight", {})[side[0]] = archive.get_tensor(key).float()
        return cls(rank, scale, {name: (two["A"], two["B"]) for name, two in found.items()}, directory)

    def merge(self, name: str, weight: Any) -> Any:
        """W + scale · B A where the adapter touches `name`; W itself elsewhere."""
        if name not in self.pairs:
            return weight
        self.used.add(name)
        down, up = self.pairs[name]
        return weight + self.scale * (up @ down)

    def check_all_used(self) -> None:
        """Raise UserError when the adapter changes weights that the base model does not have."""
        if left := sorted(set(self.pairs) - self.used):
            raise UserError(f"{self.where} adapts {left[0]!r}, which the base model does not have: wrong base model?")
