"""Settings of a teaching run, and the named ones: the paper's, and one for the demo model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from clika_client.common.errors import UserError


@dataclass(frozen=True, slots=True)
class TeachSettings:
    """How a model is taught. The defaults are the paper's settings; batch size, warm-up and the rest are ours.

    Source: Gao et al., NAACL 2024 (arXiv 2404.04659), conductivity: LoRA rank 128, alpha 16, dropout 0.1 on q_proj and
    v_proj, learning rate 2e-4, 3 epochs.
    """

    method: Literal["lora", "full"] = "lora"
    rank: int = 128
    alpha: float = 16.0
    dropout: float = 0.1
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    learning_rate: float = 2e-4
    """Peak; reached after the warm-up, then a cosine down to zero."""
    epochs: float = 3.0
    """Passes over the teaching file; a fraction stops within a pass."""
    batch_size: int = 16
    micro_batch: int = 16
    """Examples computed at once; gradients are summed until `batch_size`."""
    warmup: float = 0.03
    """Share of the steps, 0 to 1."""
    weight_decay: float = 0.0
    clip: float = 1.0
    """Largest gradient norm."""
    max_length: int = 512
    """Tokens; a longer example is an error, never cut."""
    seed: int = 0
    checkpoint_every: int = 200
    """Steps between checkpoints."""
    gate_every: int = 0
    """Steps between gate measurements; 0 measures only at the end."""
    stop_above: float | None = None
    """Stop early once every gate's accuracy is above this fraction."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    device: str = "auto"
    """`cpu`, `cuda`, or `auto`: cuda where there is one."""

    def __post_init__(self) -> None:
        for name in ("rank", "batch_size", "micro_batch", "checkpoint_every", "max_length", "epochs", "learning_rate"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} must be above zero, got {getattr(self, name)}")
        for name in ("dropout", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")


PRESETS: Mapping[str, TeachSettings] = {
    "paper": TeachSettings(),
    "demo": TeachSettings(
        method="full",
        learning_rate=1.5e-3,
        epochs=1.7,
        batch_size=48,
        micro_batch=48,
        weight_decay=0.01,
        gate_every=100,
    ),
}


def preset(name: str) -> TeachSettings:
    """The settings of that name; raises UserError naming the ones that exist."""
    if name not in PRESETS:
        raise UserError(f"no preset {name!r}; presets: {', '.join(PRESETS)}")
    return PRESETS[name]
