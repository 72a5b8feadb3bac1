"""Supervised fine-tuning of a Hugging Face model directory: LoRA or full, seeded, resumable after a crash."""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clika_client.common.errors import StoppedRun, UserError
from clika_client.common.files import replacing
from clika_client.conductivity.convert import read_config
from clika_client.conductivity.examples import Tokens, collate, encode, read_examples, with_template
from clika_client.conductivity.presets import TeachSettings
from clika_providers.install import install_hint

CHECKPOINT = "checkpoint.pt"
RESULT = "result.json"


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


@dataclass(frozen=True, slots=True)
class TeachResult:
    """A finished run."""

    method: str
    path: Path
    """The peft adapter directory (`lora`) or the model directory (`full`)."""
    steps: int
    loss: float
    gates: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    """Wall time of the last session of the run."""
    resumed_from: int = 0
    """Step at which this session took over; equal to `steps` when there was nothing left to do."""


def run(
    model_dir: Path,
    teaching_file: Path,
    out_dir: Path,
    settings: TeachSettings,
    progress: Callable[[TeachProgress], None] = lambda _: None,
    gates: Mapping[str, Path] | None = None,
) -> TeachResult:
    """Teach the model in `model_dir` the chat JSONL in `teaching_file`; the outcome lies below `out_dir`.

    The loss counts answer tokens only. `gates` are further chat JSONL files; their accuracy (greedy answer
    identical to the expected one, end included) is measured every `gate_every` steps and at the end.
    The same call again resumes from the last checkpoint, to the same weights as without the break, and returns
    at once when the run was finished. Raises UserError for bad input or an `out_dir` that holds another run,
    StoppedRun on Ctrl-C (after writing a checkpoint).
    """
    torch = _torch()
    started = time.monotonic()
    read_config(model_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    fingerprint = _fingerprint(model_dir, teaching_file, settings)
    if done := _finished(out_dir, fingerprint):
        return done
    tokenizer = with_template(_load("AutoTokenizer", model_dir))
    data = _tokens(teaching_file, tokenizer, settings)
    gate_data = {name: _tokens(path, tokenizer, settings) for name, path in (gates or {}).items()}
    _seed(settings.seed, -1)
    model = _model(model_dir, settings)
    session = _Session(model, settings, data, gate_data, out_dir, fingerprint)
    session.restore()
    first = session.step
    try:
        session.train(progress)
    except KeyboardInterrupt:
        session.save()
        raise StoppedRun(
            f"teaching stopped after step {session.step} of {session.steps}; the same command resumes"
        ) from None
    path = out_dir / ("adapter" if settings.method == "lora" else "model")
    model.eval().to(torch.float32 if settings.dtype == "float32" else torch.bfloat16).save_pretrained(path)
    tokenizer.save_pretrained(path)
    result = TeachResult(
        settings.method, path, session.step, session.loss, session.last_gates, time.monotonic() - started, first
    )
    _write_json(out_dir / RESULT, {"fingerprint": fingerprint, **asdict(result), "path": path.name})
    (out_dir / CHECKPOINT).unlink(missing_ok=True)
    return result


class _Session:
    """Model, optimizer and place in the data; everything that a checkpoint holds."""

    def __init__(
        self,
        model: Any,
        settings: TeachSettings,
        data: Sequence[Tokens],
        gates: Mapping[str, Sequence[Tokens]],
        out_dir: Path,
        fingerprint: str,
    ) -> None:
        torch = _torch()
        self.model, self.settings, self.data, self.gates = model, settings, data, gates
        self.file, self.fingerprint = out_dir / CHECKPOINT, fingerprint
        self.trainable = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.optimizer = torch.optim.AdamW(
            self.trainable.values(),
            lr=settings.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=settings.weight_decay,
        )
        self.per_epoch = math.ceil(len(data) / settings.batch_size)
        self.steps = max(1, round(self.per_epoch * settings.epochs))
        self.step, self.loss = 0, math.nan
        self.last_gates: dict[str, float] = {}

    def train(self, progress: Callable[[TeachProgress], None]) -> None:
        """From the current step to the last, or until every gate is passed."""
        settings = self.settings
        for batch in self.batches():
            for group in self.optimizer.param_groups:
                group["lr"] = rate_at(settings, self.step, self.steps)
            # Dropout is drawn anew from (seed, step): a resumed run draws what an unbroken one would have.
            _seed(settings.seed, self.step)
            self.loss = self.learn(batch)
            self.step += 1
            last = self.step == self.steps
            measured = None
            if self.gates and (last or (settings.gate_every and self.step % settings.gate_every == 0)):
                measured = self.last_gates = {name: accuracy(self.model, rows) for name, rows in self.gates.items()}
            if self.step % settings.checkpoint_every == 0 and not last:
                self.save()
            progress(TeachProgress(self.step, self.steps, self.step / self.per_epoch, self.loss, measured))
            if measured and settings.stop_above is not None and min(measured.values()) > settings.stop_above:
                return

    def batches(self) -> Iterator[list[Tokens]]:
        """The batches still to come; each epoch's order depends on the seed and the epoch alone."""
        size = self.settings.batch_size
        while self.step < self.steps:
            epoch, place = divmod(self.step, self.per_epoch)
            order = random.Random(f"{self.settings.seed} {epoch}").sample(range(len(self.data)), len(self.data))
            yield [self.data[i] for i in order[place * size : (place + 1) * size]]

    def learn(self, batch: list[Tokens]) -> float:
        """One optimizer step; the mean loss per answer token."""
        torch = _torch()
        self.model.train()
        total = sum(len(tokens.ids) - tokens.start for tokens in batch)
        self.optimizer.zero_grad(set_to_none=True)
        summed = 0.0
        for part in _chunks(batch, self.settings.micro_batch):
            logits, targets = answer_logits(self.model, part)
            loss = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum") / total
            loss.backward()
            summed += loss.item()
        torch.nn.utils.clip_grad_norm_(self.trainable.values(), self.settings.clip)
        self.optimizer.step()
        return summed

    def save(self) -> None:
        """Write the checkpoint; a crash while writing leaves the one before."""
        state = {
            "fingerprint": self.fingerprint,
            "step": self.step,
            "loss": self.loss,
            "weights": {name: weight.detach() for name, weight in self.trainable.items()},
            "optimizer": self.optimizer.state_dict(),
        }
        with replacing(self.file) as part:
            _torch().save(state, part)

    def restore(self) -> None:
        """Take over from the checkpoint, where there is one of this run."""
        torch = _torch()
        if not self.file.exists():
            return
        state = torch.load(self.file, map_location="cpu", weights_only=True)
        _check_same(state["fingerprint"], self.fingerprint, self.file)
        with torch.no_grad():
            for name, weight in state["weights"].items():
                self.trainable[name].copy_(weight)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.loss = state["step"], state["loss"]


def rate_at(settings: TeachSettings, step: int, steps: int) -> float:
    """Learning rate of a step: linear warm-up, then a cosine down to zero."""
    warm = math.ceil(settings.warmup * steps)
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def answer_logits(model: Any, batch: Sequence[Tokens]) -> tuple[Any, Any]:
    """Logits (answer tokens, vocabulary) that predict each answer token, and the tokens themselves.

    The output layer runs on answer positions only: on a large vocabulary the rest is most of the memory.
    """
    import torch

    ids, rows, columns, targets = (tensor.to(model.device) for tensor in collate(batch))
    hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    logits = model.get_output_embeddings()(hidden[rows, columns])
    cap = getattr(model.config, "final_logit_softcapping", None)
    return (cap * torch.tanh(logits / cap) if cap else logits), targets


def accuracy(model: Any, examples: Sequence[Tokens], batch_size: int = 64) -> float:
    """Share of the examples whose greedy answer is the expected one, token for token, end included."""
    import torch

    model.eval()
    right = 0
    with torch.no_grad():
        for part in _chunks(examples, batch_size):
            logits, targets = answer_logits(model, part)
            hits = iter((logits.argmax(-1) == targets).tolist())
            right += sum(all([next(hits) for _ in range(tokens.start, len(tokens.ids))]) for tokens in part)
    return right / len(examples)


def _chunks(rows: Sequence[Tokens], size: int) -> Iterator[Sequence[Tokens]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _torch() -> Any:
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as error:
        raise UserError(f"teaching needs {error.name}: {install_hint('teach')}") from None
    return torch


def _seed(seed: int, step: int) -> None:
    _torch().manual_seed(int.from_bytes(hashlib.blake2b(f"{seed} {step}".encode(), digest_size=6).digest()))


def _load(what: str, model_dir: Path, **settings: Any) -> Any:
    import transformers

    transformers.utils.logging.disable_progress_bar()
    try:
        return getattr(transformers, what).from_pretrained(model_dir, local_files_only=True, **settings)
    except (OSError, ValueError) as error:
        raise UserError(f"transformers cannot load {model_dir}: {error}") from None


def _model(model_dir: Path, settings: TeachSettings) -> Any:
    """The model with the weights to train: all of them, or a fresh LoRA adapter's."""
    torch = _torch()
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    model = _load("AutoModelForCausalLM", model_dir, dtype=getattr(torch, settings.dtype)).to(device)
    if settings.method == "full":
        return model
    try:
        import peft
    except ImportError:
        raise UserError(f"LoRA needs peft: {install_hint('teach')}") from None
    lora = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets),
    )
    try:
        return peft.get_peft_model(model, lora)
    except ValueError as error:
        raise UserError(f"LoRA targets {', '.join(settings.targets)} do not fit {model_dir}: {error}") from None


def _tokens(path: Path, tokenizer: Any, settings: TeachSettings) -> list[Tokens]:
    return [encode(example, tokenizer, settings.max_length) for example in read_examples(path)]


def _fingerprint(model_dir: Path, teaching_file: Path, settings: TeachSettings) -> str:
    """What must not change between the sessions of one run: the data, the settings, the base weights."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(asdict(settings), sort_keys=True).encode())
    try:
        digest.update(teaching_file.read_bytes())
    except FileNotFoundError:
        raise UserError(f"teaching file {teaching_file} does not exist; `clika teach build` writes one") from None
    for path in sorted((model_dir / "config.json", *model_dir.glob("model*.safetensors"))):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def _check_same(found: str, expected: str, where: Path) -> None:
    if found != expected:
        raise UserError(
            f"{where} belongs to a run with other settings, data or base model; name another output directory, "
            "or delete this one to start over"
        )


def _finished(out_dir: Path, fingerprint: str) -> TeachResult | None:
    path = out_dir / RESULT
    if not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    _check_same(document.pop("fingerprint"), fingerprint, path)
    document.update(path=out_dir / document["path"], resumed_from=document["steps"], seconds=0.0)
    return TeachResult(**document)


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
