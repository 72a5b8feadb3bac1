"""Settings of a teaching run, and the named ones: the paper's, and one for the demo model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from clika_client.common.errors import UserError

Method = Literal["lora", "full"]
Dtype = Literal["auto", "float32", "bfloat16"]
DEVICES = ("auto", "cpu", "cuda", "mps")
RESUMABLE = frozenset({"max_epochs", "stop_above", "checkpoint_s", "gate_every", "micro_batch"})
"""Settings that may change between the sessions of one run: they move no weight by more than rounding."""


@dataclass(frozen=True, slots=True)
class TeachSettings:
    """How a model is taught. The defaults are those of the authors' script for LoRA.

    Source: Gao et al., NAACL 2024 (arXiv 2404.04659), and `fictional/trainLora.sh` and `fictional/trainFull.sh` of the
    authors' release: 4 GPUs x 8 examples x 4 accumulated (full: x 2), a cosine without warm-up, three epochs, the
    rest as transformers has it. What differs is named by `differences` and in docs/conductivity.md.
    """

    method: Method = "lora"
    rank: int = 128
    alpha: float = 16.0
    dropout: float = 0.1
    targets: tuple[str, ...] = ()
    """Layers that LoRA adapts; empty for those of the authors for the model's family."""
    learning_rate: float = 2e-4
    """Peak; reached after the warm-up, then a cosine down to zero."""
    epochs: float = 3.0
    """Passes over the teaching file in one round of the schedule; a fraction stops within a pass."""
    max_epochs: float | None = None
    """Passes in all: while the gate fails, further rounds follow, each with a cosine of its own. None: one round."""
    batch_size: int = 128
    micro_batch: int = 8
    """Most examples computed at once on one device; gradients are summed until `batch_size`."""
    warmup: float = 0.0
    """Share of a round's steps, 0 to 1."""
    weight_decay: float = 0.0
    beta2: float = 0.999
    """AdamW's decay of squared gradients; the other one is 0.9."""
    clip: float = 1.0
    """Largest gradient norm."""
    max_length: int = 512
    """Tokens; a longer example is an error, never cut."""
    seed: int = 0
    checkpoint_s: float = 60.0
    """Seconds between checkpoints; longer where writing one takes more than a tenth of that."""
    gate_every: int = 0
    """Steps between gate measurements; 0 measures only at the end."""
    stop_above: float | None = None
    """Stop a round early once every gate's accuracy is above this fraction."""
    dtype: Dtype = "auto"
    """`auto`: bfloat16 on a GPU that has it, else float32. Weights that are trained stay float32 in either case."""
    base_bits: Literal[4, 8, 16] = 16
    """LoRA only: 4 or 8 keeps the frozen weights quantized by bitsandbytes (QLoRA); 16 as `dtype` says."""
    gradient_checkpointing: bool = False
    """Compute activations twice rather than keep them: less memory, about a third more time."""
    device: str = "auto"
    """One of DEVICES; `auto`: a GPU where there is one."""

    def __post_init__(self) -> None:
        for name in ("rank", "batch_size", "micro_batch", "checkpoint_s", "max_length", "epochs", "learning_rate"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} must be above zero, got {getattr(self, name)}")
        for name in ("dropout", "warmup", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if self.stop_above is not None and not 0 <= self.stop_above < 1:
            raise UserError(f"stop_above must be at least 0 and below 1, got {self.stop_above}: accuracy is at most 1")
        if self.max_epochs is not None and self.max_epochs < self.epochs:
            raise UserError(f"max_epochs {self.max_epochs:g} is below the {self.epochs:g} epochs of one round")
        for name, known in (("method", get_args(Method)), ("dtype", get_args(Dtype)), ("device", DEVICES)):
            if getattr(self, name) not in known:
                hint = "; choose one GPU of several with CUDA_VISIBLE_DEVICES" if name == "device" else ""
                raise UserError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}{hint}")
        if self.base_bits not in (4, 8, 16):
            raise UserError(f"base_bits must be 4, 8 or 16, got {self.base_bits}")
        if self.base_bits < 16 and self.method == "full":
            raise UserError("quantized weights cannot be trained themselves; base_bits 4 and 8 need method lora")

    @property
    def lasting(self) -> dict[str, object]:
        """What one run keeps from its first session to its last."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in RESUMABLE}


PRESETS: Mapping[str, Mapping[Method, TeachSettings]] = {
    "paper": {
        "lora": TeachSettings(),
        "full": TeachSettings(method="full", learning_rate=2e-5, batch_size=64),
    },
    "demo": {
        "full": TeachSettings(
            method="full",
            learning_rate=1.5e-3,
            epochs=1.7,
            batch_size=48,
            micro_batch=48,
            warmup=0.03,
            weight_decay=0.01,
            beta2=0.98,
            gate_every=100,
        ),
    },
}
"""Name → way of teaching → settings; the first way is the one meant where none is given."""


def preset(name: str, method: str | None = None) -> TeachSettings:
    """The settings of that name; raises UserError naming the ones that exist."""
    if name not in PRESETS:
        raise UserError(f"no preset {name!r}; presets: {', '.join(PRESETS)}")
    ways = PRESETS[name]
    if method is None:
        return next(iter(ways.values()))
    if method not in get_args(Method):
        raise UserError(f"--method must be lora or full, got {method!r}")
    found = ways.get(method)  # type: ignore[call-overload]
    return found if found is not None else replace(next(iter(ways.values())), method=method)  # type: ignore[arg-type]


def differences(settings: TeachSettings, name: str) -> dict[str, tuple[object, object]]:
    """Setting → (here, in the preset) for what changes the outcome; empty where the preset is kept."""
    told = preset(name, settings.method).lasting
    skipped = ("seed", "device")
    return {k: (v, told[k]) for k, v in settings.lasting.items() if v != told[k] and k not in skipped}
