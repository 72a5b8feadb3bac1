"""transformers' Trainer as teaching needs it: loss on answers, rounds of the schedule, gates, timed checkpoints."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

from clika_client.common.errors import UserError
from clika_client.common.running import on_interrupt
from clika_client.conductivity.examples import Tokens, collate
from clika_client.conductivity.learner import keeps_some_logits
from clika_client.conductivity.presets import TeachSettings

COMPLETE = "complete"
"""Marks a checkpoint that was written to its end; the Trainer writes it file by file."""
SAVING_SHARE = 0.1
"""Most of the time that may go into writing checkpoints."""


@dataclass(frozen=True, slots=True)
class TeachProgress:
    """Where a run stands after one step."""

    step: int
    steps: int
    epoch: float
    loss: float
    """Mean cross-entropy per answer token of this step's batch, in nats."""
    gates: Mapping[str, float] | None = None
    """Gate → share of answers reproduced exactly; None on steps where no gate was measured."""


Progress = Callable[[TeachProgress], None]


class Teacher(transformers.Trainer):  # type: ignore[misc]
    """A Trainer whose learning rate is a function of the step alone, so that further rounds can follow."""

    def __init__(self, model: Any, data: Sequence[Tokens], settings: TeachSettings, folder: Path, steps: int) -> None:
        self.settings, self.whole_logits = settings, not keeps_some_logits(model)
        self.per_epoch = math.ceil(len(data) / settings.batch_size)
        self.losses = 0.0
        super().__init__(
            model=model,
            args=_arguments(settings, folder, steps),
            train_dataset=data,
            data_collator=self.collated,
            compute_loss_func=self.loss_of,
        )
        self.remove_callback(transformers.PrinterCallback)

    def collated(self, batch: Sequence[Tokens]) -> dict[str, Any]:
        """A batch as the model's arguments."""
        return collate(batch, whole=self.whole_logits)

    def loss_of(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        """Mean loss per answer token of the whole step, this part's share of it."""
        total = (labels != -100).sum() if num_items_in_batch is None else num_items_in_batch
        loss = answer_loss(outputs.logits, labels[:, 1:]) / total
        self.losses += float(loss.detach())
        return loss

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The rate of every step, by `rate_at`."""
        if self.lr_scheduler is None:  # type: ignore[has-type]
            of_round = round_steps(self.settings, self.per_epoch)
            peak = self.settings.learning_rate
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                optimizer or self.optimizer, lambda step: rate_at(self.settings, step, of_round) / peak
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def accuracy(self, examples: Sequence[Tokens], batch_size: int = 64) -> float:
        """Share of the examples whose greedy answer is the expected one, token for token, end included."""
        self.model.eval()
        right = 0
        for start in range(0, len(examples), batch_size):
            inputs = self._prepare_inputs(self.collated(examples[start : start + batch_size]))
            labels = inputs.pop("labels")[:, 1:]
            with torch.no_grad(), self.compute_loss_context_manager():
                chosen = self.model_wrapped(**inputs).logits.argmax(-1)
            right += int(((chosen == labels) | (labels == -100)).all(-1).sum())
        return right / len(examples)


def answer_loss(logits: Any, labels: Any) -> Any:
    """Summed cross-entropy of the answer tokens; `logits` (batch, n, vocabulary) predict `labels` (batch, n)."""
    flat = logits.float().flatten(0, 1)
    return torch.nn.functional.cross_entropy(flat, labels.flatten(), ignore_index=-100, reduction="sum")


def round_steps(settings: TeachSettings, per_epoch: int) -> int:
    """Steps of one round of the schedule."""
    return max(1, round(per_epoch * settings.epochs))


def rate_at(settings: TeachSettings, step: int, of_round: int) -> float:
    """Learning rate of a step: in each round a linear warm-up, then a cosine down to zero.

    Rounds after the first are warm restarts (Loshchilov & Hutter, ICLR 2017).
    """
    place = step % of_round
    warm = math.ceil(settings.warmup * of_round)
    if place < warm:
        return settings.learning_rate * (place + 1) / warm
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (place - warm) / max(1, of_round - warm)))


@dataclass
class Watching(transformers.TrainerCallback):  # type: ignore[misc]
    """Follows each step: tells of it, measures gates, keeps checkpoints, and ends where it is told to."""

    teacher: Teacher
    gates: Mapping[str, Sequence[Tokens]]
    progress: Progress
    interrupted: bool = False
    """Set by Ctrl-C: the step under way is finished and kept, so that no half of one is."""
    last_gates: Mapping[str, float] = field(default_factory=dict)
    loss: float = math.nan
    _saved: float = field(default_factory=time.monotonic)
    _saving_began: float = 0.0
    _cost: float = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One optimizer step is done."""
        settings, teacher = self.teacher.settings, self.teacher
        world = teacher.accelerator.num_processes
        self.loss, teacher.losses = teacher.losses * world, 0.0
        last = state.global_step >= state.max_steps
        measured = None
        if self.gates and (last or (settings.gate_every and state.global_step % settings.gate_every == 0)):
            measured = {name: teacher.accuracy(rows) for name, rows in self.gates.items()}
            self.last_gates = measured
        enough = bool(measured) and settings.stop_above is not None and min(measured.values()) > settings.stop_above  # type: ignore[union-attr]
        if teacher.is_world_process_zero():
            epoch = state.global_step / teacher.per_epoch
            try:
                self.progress(TeachProgress(state.global_step, state.max_steps, epoch, self.loss, measured))
            except KeyboardInterrupt:
                self.interrupted = True
        due = time.monotonic() - self._saved > max(settings.checkpoint_s, self._cost / SAVING_SHARE)
        stop, due = self._agreed(self.interrupted, due)
        if stop or enough or last:
            control.should_training_stop = True
        if stop or enough or last or due:
            control.should_save = True
            self._saving_began = time.monotonic()

    def _agreed(self, *flags: bool) -> list[bool]:
        """What any of the processes says: one that stops alone would leave the others waiting for it."""
        accelerator = self.teacher.accelerator
        if accelerator.num_processes == 1:
            return list(flags)
        told = accelerator.reduce(torch.tensor(flags, dtype=torch.float32, device=accelerator.device), "sum")
        return [bool(flag) for flag in told.tolist()]

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint is written: mark it, and drop the one before."""
        self._saved = time.monotonic()
        self._cost = self._saved - self._saving_began
        if not self.teacher.is_world_process_zero():
            return
        written = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (written / COMPLETE).touch()
        for other in Path(args.output_dir).glob("checkpoint-*"):
            if other != written:
                shutil.rmtree(other)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def finishing_steps(watching: Watching) -> AbstractContextManager[None]:
    """Ctrl-C ends teaching after the step under way; a second one at once."""

    def stop(number: int, frame: Any) -> None:
        if watching.interrupted:
            raise KeyboardInterrupt
        watching.interrupted = True

    return on_interrupt(stop)


def _arguments(settings: TeachSettings, folder: Path, steps: int) -> Any:
    """The Trainer's arguments; everything not named is its default."""
    known = set(transformers.TrainingArguments.__dataclass_fields__)
    recompute = "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    options: dict[str, Any] = {recompute: settings.gradient_checkpointing}
    if settings.gradient_checkpointing:
        options[f"{recompute}_kwargs"] = {"use_reentrant": False}
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=settings.learning_rate,
        adam_beta2=settings.beta2,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        per_device_train_batch_size=1,
        seed=settings.seed,
        bf16=settings.dtype == "bfloat16",
        use_cpu=settings.device == "cpu",
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to="none",
        logging_strategy="no",
        save_strategy="no",
        **options,
    )
    each = settings.batch_size // arguments.world_size
    if each * arguments.world_size != settings.batch_size:
        raise UserError(f"batch_size {settings.batch_size} cannot be shared by {arguments.world_size} processes")
    micro = max(n for n in range(1, min(each, settings.micro_batch) + 1) if each % n == 0)
    arguments.per_device_train_batch_size = micro
    arguments.gradient_accumulation_steps = each // micro
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several GPUs are accelerate's business, one process each; not torch's DataParallel
    return arguments
