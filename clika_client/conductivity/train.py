"""Supervised fine-tuning of a Hugging Face model directory: LoRA or full, seeded, resumable after a crash."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clika_client.common.errors import StoppedRun, UserError
from clika_client.common.files import replacing
from clika_client.conductivity.convert import read_config
from clika_client.conductivity.examples import Tokens, encode, read_examples, with_template
from clika_client.conductivity.learner import import_torch, load, load_learner, resolved
from clika_client.conductivity.presets import Method, TeachSettings

if TYPE_CHECKING:
    from clika_client.conductivity.trainer import TeachProgress

CHECKPOINTS = "checkpoints"
RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class TeachResult:
    """A finished run."""

    method: Method
    path: Path
    """The peft adapter directory (`lora`) or the model directory (`full`)."""
    steps: int
    loss: float
    gates: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    """Wall time of the last session of the run."""
    resumed_from: int = 0
    """Step at which this session took over; equal to `steps` when there was nothing left to do."""
    epochs: float = 0.0
    """Passes that were asked for."""


def run(
    model_dir: Path,
    teaching_file: Path,
    out_dir: Path,
    settings: TeachSettings,
    progress: Callable[[TeachProgress], None] = lambda _: None,
    gates: Mapping[str, Path] | None = None,
    epochs: float | None = None,
) -> TeachResult:
    """Teach the model in `model_dir` the chat JSONL in `teaching_file`; the outcome lies below `out_dir`.

    The loss counts answer tokens only. `gates` are further chat JSONL files; their accuracy (greedy answer
    identical to the expected one, end included) is measured every `gate_every` steps and at the end.
    `epochs` passes are made in all (by default one round, `settings.epochs`); more than a finished run has go on from
    its end, in further rounds of the schedule.
    The same call again resumes from the last checkpoint, to the same weights as without the break, and returns
    at once when the run was finished. Raises UserError for bad input or an `out_dir` that holds another run,
    StoppedRun on Ctrl-C (after writing a checkpoint).
    """
    import_torch()
    started = time.monotonic()
    settings = resolved(settings, model_dir)
    passes = settings.epochs if epochs is None else epochs
    out_dir.mkdir(parents=True, exist_ok=True)
    fingerprint = _fingerprint(model_dir, teaching_file, settings)
    if done := _finished(out_dir, fingerprint, passes):
        return done
    from clika_client.conductivity import trainer

    _check_folder(out_dir, fingerprint)
    tokenizer = with_template(load("AutoTokenizer", model_dir))
    data = _tokens(teaching_file, tokenizer, settings)
    gate_data = {name: _tokens(path, tokenizer, settings) for name, path in (gates or {}).items()}
    seed_everything(settings.seed)
    steps = max(1, round(math.ceil(len(data) / settings.batch_size) * passes))
    folder = out_dir / CHECKPOINTS
    teacher = trainer.Teacher(load_learner(model_dir, settings), data, settings, folder, steps)
    watching = trainer.Watching(teacher, gate_data, progress)
    teacher.add_callback(watching)
    checkpoint = trainer.last_checkpoint(folder)
    first = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    with trainer.finishing_steps(watching), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks transformers
        teacher.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    step = teacher.state.global_step
    if watching.interrupted and step < steps:
        raise StoppedRun(f"teaching stopped after step {step} of {steps}; the same command resumes")
    path = out_dir / ("adapter" if settings.method == "lora" else "model")
    _save(teacher, tokenizer, path)
    result = TeachResult(
        settings.method, path, step, watching.loss, watching.last_gates, time.monotonic() - started, first, passes
    )
    if teacher.is_world_process_zero():
        _write_json(out_dir / RESULT, {"fingerprint": fingerprint, **asdict(result), "path": path.name})
    return result


def forget_checkpoints(out_dir: Path) -> None:
    """Drop what only a further round would need: the optimizer's state is twice the size of what was trained."""
    shutil.rmtree(out_dir / CHECKPOINTS, ignore_errors=True)


def seed_everything(seed: int) -> None:
    """Seed what draws a fresh adapter's weights; the Trainer seeds the rest."""
    import transformers

    transformers.set_seed(seed)


def _save(teacher: Any, tokenizer: Any, path: Path) -> None:
    """Write the adapter or the model; all processes take part, where weights are shared among them."""
    part = path.with_name(path.name + ".part")
    teacher.save_model(str(part))
    if not teacher.is_world_process_zero():
        return
    (part / "training_args.bin").unlink(missing_ok=True)  # a pickle; what it holds is in experiment.json
    tokenizer.save_pretrained(part)
    shutil.rmtree(path, ignore_errors=True)
    part.replace(path)


def _tokens(path: Path, tokenizer: Any, settings: TeachSettings) -> list[Tokens]:
    return [encode(example, tokenizer, settings.max_length) for example in read_examples(path)]


def _fingerprint(model_dir: Path, teaching_file: Path, settings: TeachSettings) -> str:
    """What must not change between the sessions of one run: the data, the settings, the base weights."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(settings.lasting, sort_keys=True).encode())
    try:
        digest.update(teaching_file.read_bytes())
    except FileNotFoundError:
        raise UserError(f"teaching file {teaching_file} does not exist; `clika teach build` writes one") from None
    read_config(model_dir)
    for path in sorted((model_dir / "config.json", *model_dir.glob("model*.safetensors"))):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def _check_folder(out_dir: Path, fingerprint: str) -> None:
    """Take the folder for this run; raises UserError where it is another's."""
    path = out_dir / CHECKPOINTS / "run.json"
    if path.exists():
        _check_same(json.loads(path.read_text(encoding="utf-8"))["fingerprint"], fingerprint, path.parent)
        return
    if (out_dir / RESULT).exists():
        raise UserError(
            f"{out_dir} was taught to its end and keeps no checkpoint to go on from; name another folder to teach more"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_json(path, {"fingerprint": fingerprint})


def _check_same(found: str, expected: str, where: Path) -> None:
    if found != expected:
        raise UserError(
            f"{where} belongs to a run with other settings, data or base model; name another output directory, "
            "or delete this one to start over"
        )


def _finished(out_dir: Path, fingerprint: str, passes: float) -> TeachResult | None:
    path = out_dir / RESULT
    if not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    _check_same(document.pop("fingerprint"), fingerprint, path)
    if document["epochs"] < passes:
        return None
    document.update(path=out_dir / document["path"], resumed_from=document["steps"], seconds=0.0)
    return TeachResult(**document)


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
