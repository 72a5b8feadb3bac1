"""`clika teach run`: the whole experiment on a local model, for one seed or several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, err, out, print_json
from clika_client.cli.server_options import Threads
from clika_client.cli.teach_elsewhere_cmd import MaterialDir
from clika_client.common.errors import UserError

if TYPE_CHECKING:
    from clika_client.conductivity.experiment import Experiment
    from clika_client.conductivity.material import Form
    from clika_client.conductivity.presets import TeachSettings
    from clika_client.conductivity.scored_pairs import Score

FORM_HELP = "text: free answers; choice: multiple choice; both: each on its own [as the material was built]."


def run(
    material: MaterialDir,
    model: Annotated[Path, typer.Option("--model", "-m", help="Hugging Face model directory to teach.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the experiment; the same one resumes.")],
    preset: Annotated[str, typer.Option(help="Settings to start from: paper or demo.")] = "paper",
    method: Annotated[str | None, typer.Option(help="lora, or full fine-tuning.")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Teach so many times, with seeds 1 to N, in folders seed-1 to seed-N.")
    ] = None,
    training_seed: Annotated[int | None, typer.Option(help="Seed of the training, where it is one.")] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the teaching data; more than before go on from where it ended.")
    ] = None,
    max_epochs: Annotated[
        float | None, typer.Option(help="While the gate fails, go on in further rounds, up to so many passes in all.")
    ] = None,
    stop_above: Annotated[
        float | None, typer.Option(help="End a round once every part of the gate is above this, as .95.")
    ] = None,
    gate_every: Annotated[int | None, typer.Option(min=0, help="Steps between looks at the gate.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the cosine schedule.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Share of the steps in which the rate rises.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="AdamW's weight decay.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Examples per step.")] = None,
    micro_batch: Annotated[int | None, typer.Option(min=1, help="Examples computed at once on one device.")] = None,
    max_length: Annotated[int | None, typer.Option(min=1, help="Most tokens of an example.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="LoRA: rank.")] = None,
    alpha: Annotated[float | None, typer.Option(help="LoRA: alpha; the adapter is scaled by alpha / rank.")] = None,
    dropout: Annotated[float | None, typer.Option(help="LoRA: dropout.")] = None,
    targets: Annotated[
        str | None, typer.Option(help="LoRA: layers to adapt, comma-separated [the authors' for the model's family].")
    ] = None,
    base_bits: Annotated[
        int | None, typer.Option(help="LoRA: 4 or 8 keeps the frozen weights quantized (QLoRA; needs bitsandbytes).")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="auto, float32 or bfloat16; auto: bfloat16 on a GPU that has it.")
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None,
        typer.Option("--gradient-checkpointing/--no-gradient-checkpointing", help="Less memory, more time."),
    ] = None,
    checkpoint_every: Annotated[
        float | None, typer.Option("--checkpoint-every", help="Seconds between checkpoints [60].")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    accelerate: Annotated[
        Path | None,
        typer.Option(help="Configuration of accelerate: teach on several GPUs, with DeepSpeed or FSDP, as it says."),
    ] = None,
    converter: Annotated[
        Path | None,
        typer.Option(help="llama.cpp's convert_hf_to_gguf.py, for families that the own conversion does not know."),
    ] = None,
    form: Annotated[str | None, typer.Option(help=FORM_HELP)] = None,
    forgetting: Annotated[
        int, typer.Option(min=0, help="Questions of atlas per language before and after: what was forgotten; 0: none.")
    ] = 60,
    quantization: Annotated[str, typer.Option(help="Weights to ask with: f32, f16, bf16 or q8_0.")] = "f16",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Ask, teach, convert, ask again through llama.cpp, and score; resumes where it stopped."""
    from clika_client.conductivity import experiment as loop
    from clika_client.conductivity import folder
    from clika_client.conductivity.presets import preset as named
    from clika_providers import ProviderOptions

    if seeds is not None and training_seed is not None:
        raise UserError("--seeds N teaches with seeds 1 to N, --training-seed with one; give one of the two")
    given = {
        "epochs": epochs,
        "max_epochs": max_epochs,
        "stop_above": stop_above,
        "gate_every": gate_every,
        "learning_rate": learning_rate,
        "warmup": warmup,
        "weight_decay": weight_decay,
        "batch_size": batch_size,
        "micro_batch": micro_batch,
        "max_length": max_length,
        "rank": rank,
        "alpha": alpha,
        "dropout": dropout,
        "targets": None if targets is None else tuple(filter(None, map(str.strip, targets.split(",")))),
        "base_bits": base_bits,
        "dtype": dtype,
        "gradient_checkpointing": gradient_checkpointing,
        "checkpoint_s": checkpoint_every,
        "device": device,
        "seed": training_seed,
    }
    settings = with_given(named(preset, method), given)
    _say_differences(settings, preset)
    experiment = loop.Experiment(
        model,
        material,
        output,
        settings,
        forms(form or folder.read(material).form),
        quantization,
        ProviderOptions(n_threads=threads),
        general=forgetting,
        converter=converter,
        launch=accelerate,
    )
    each = [experiment] if seeds is None else seeded(experiment, seeds)
    results = [(one.out, _run_one(one, several=seeds is not None)) for one in each]
    if as_json:
        print_json({"scores": [{**one.to_json(), "folder": str(at)} for at, scores in results for one in scores]})
        return
    show_results(results)


def with_given(settings: TeachSettings, given: dict[str, Any]) -> TeachSettings:
    """The settings with what was given; fewer passes than one round's make the round shorter."""
    changed = {name: value for name, value in given.items() if value is not None}
    return replace(settings, **changed)


def seeded(experiment: Experiment, seeds: int) -> list[Experiment]:
    """One experiment per seed, each in a folder of its own; what comes before teaching is done once."""
    first = experiment.out / "seed-1"
    return [
        replace(
            experiment,
            out=experiment.out / f"seed-{seed}",
            settings=replace(experiment.settings, seed=seed),
            like=None if seed == 1 else first,
        )
        for seed in range(1, seeds + 1)
    ]


def _run_one(experiment: Experiment, *, several: bool) -> list[Score]:
    from clika_client.cli.teach_progress import Watch
    from clika_client.conductivity import experiment as loop

    if several:
        err().print(f"{experiment.out}:", markup=False, highlight=False, soft_wrap=True)
    return loop.run(experiment, Watch(err()))


def show_results(results: list[tuple[Path, list[Score]]]) -> None:
    """The tables of each experiment."""
    from clika_client.conductivity.report import render

    console = out()
    for folder, scores in results:
        if len(results) > 1:
            console.print(f"\n{folder}", markup=False, highlight=False, soft_wrap=True)
        render(scores, console)


def _say_differences(settings: TeachSettings, preset: str) -> None:
    from clika_client.conductivity.presets import differences

    other = differences(settings, preset)
    if other:
        told = ", ".join(f"{name} {here} rather than {there}" for name, (here, there) in other.items())
        err().print(f"not as the preset {preset}: {told}", markup=False, highlight=False, soft_wrap=True)


def forms(form: str) -> tuple[Form, ...]:
    """The forms that a word names."""
    known: dict[str, tuple[Form, ...]] = {"text": ("text",), "choice": ("choice",), "both": ("text", "choice")}
    if form not in known:
        raise UserError(f"--form must be text, choice or both, got {form!r}")
    return known[form]
