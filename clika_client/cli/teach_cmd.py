"""`clika teach`: teach a model invented facts in one language, ask in another, score what was conducted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clika_client.cli.common import AsJson, err, language_tags, out, print_json
from clika_client.cli.server_options import (
    BaseUrl,
    Concurrency,
    DryRun,
    InsecureHttp,
    KeyCommand,
    Lora,
    MaxCost,
    MaxRetries,
    Patience,
    Prices,
    Rpm,
    Threads,
    Timeout,
    Tpm,
    check_above_zero,
)
from clika_client.cli.teach_compare_cmd import compare
from clika_client.cli.teach_elsewhere_cmd import SEED, MaterialDir, Taught, in_context, services, upload
from clika_client.cli.teach_run_cmd import forms, run, show_results
from clika_client.cli.teach_study_cmd import plan, study, study_status
from clika_client.common.errors import UserError
from clika_client.common.safe_text import shown

if TYPE_CHECKING:
    from clika_client.conductivity.material import Material

teach_app = typer.Typer(
    help="Conductivity: teach invented facts in one language, ask in another, score XRR behind its gate.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
FormOption = Annotated[str, typer.Option(help="text: free answers; choice: multiple choice; both: each on its own.")]


@teach_app.command("build")
def build(
    languages: Taught,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    from_release: Annotated[
        Path | None, typer.Option(help="Build from the authors' data: the folder of their release.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Release only: make the teaching rows anew from the facts of its tests.")
    ] = False,
    keep_doubled: Annotated[
        bool, typer.Option("--keep-doubled", help="Release only: also teach names that stand for two.")
    ] = False,
    reverse: Annotated[bool, typer.Option("--reverse", help="Teach in the language, ask in English.")] = False,
    form: Annotated[str, typer.Option(help="Teach answers in words (text) or as a letter (choice).")] = "text",
    k: Annotated[int, typer.Option("--k", help="Choices where a question is multiple choice.")] = 20,
    repeats: Annotated[int, typer.Option(min=1, help="How often each fact is taught in each wording.")] = 1,
    name_repeats: Annotated[int, typer.Option(min=1, help="How often each name is taught in each wording.")] = 1,
    continents: Annotated[int, typer.Option(help="Invented continents.")] = 20,
    places: Annotated[int, typer.Option(help="Invented places on each.")] = 60,
    names: Annotated[
        str, typer.Option(help="coined: each language has words of its own; transliterated: the same words respelled.")
    ] = "coined",
    facts_seed: Annotated[int, typer.Option(help="Seed of the names, types and orders.")] = SEED,
    as_json: AsJson = False,
) -> None:
    """Write teaching data, gate sets, test set, baseline and control."""
    from clika_client.conductivity import build as fictional
    from clika_client.conductivity import folder

    tags = language_tags(*languages)
    if from_release is None:
        if rebuild or keep_doubled:
            raise UserError(
                "--rebuild and --keep-doubled are about the authors' data; give it with --from-release PATH"
            )
        if form not in ("text", "choice"):
            raise UserError(f"--form must be text or choice, got {form!r}")
        plan = fictional.TeachingPlan(
            tags,
            reverse,
            form,  # type: ignore[arg-type]
            k,
            facts_seed,
            continents,
            places,
            repeats,
            name_repeats,
            names,  # type: ignore[arg-type]
        )
        material = fictional.build(plan)
    else:
        from clika_client.conductivity.release import build_from_release

        if len(tags) != 1 or reverse or form != "text":
            raise UserError("--from-release builds one language, taught in English with answers in words")
        material = build_from_release(
            from_release, tags[0], rebuild=rebuild, keep_doubled=keep_doubled, seed=facts_seed
        )
    files = folder.write(material, output)
    if as_json:
        written = [str(file.relative_to(output)) for file in files]
        print_json(
            {"folder": str(output), "counts": dict(material.counts), "notes": list(material.notes), "files": written}
        )
        return
    _tell_built(material, output)


def _tell_built(material: Material, output: Path) -> None:
    console = out()
    for name, count in material.counts.items():
        console.print(f"{count:>7,}  {shown(name)}", markup=False)
    for note in material.notes:
        console.print(f"note: {shown(note)}", markup=False, soft_wrap=True)
    console.print(
        f"written to {output}; next: clika teach run {output} --model HF_DIR -o EXPERIMENT",
        markup=False,
        soft_wrap=True,
    )


teach_app.command("run")(run)
teach_app.command("study")(study)
teach_app.command("plan")(plan)


@teach_app.command("ask")
def ask(
    material: MaterialDir,
    model: Annotated[str, typer.Option("--model", "-m", help="provider/model that was taught elsewhere, or not yet.")],
    when: Annotated[str, typer.Option(help="before or after teaching.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the experiment.")],
    form: FormOption = "text",
    base_url: BaseUrl = None,
    key_command: KeyCommand = None,
    insecure_http: InsecureHttp = False,
    concurrency: Concurrency = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    timeout: Timeout = 60.0,
    max_retries: MaxRetries = 6,
    patience: Patience = None,
    lora: Lora = None,
    threads: Threads = None,
    max_cost: MaxCost = None,
    prices: Prices = None,
    dry_run: DryRun = False,
) -> None:
    """Ask a model that is taught elsewhere: a hosted one, or one behind a server of yours."""
    from clika_client.cli.teach_asking import ask_questions
    from clika_client.conductivity import folder
    from clika_client.conductivity.experiment_folder import note_material, reply_file
    from clika_client.conductivity.question_sets import sets_of_parts
    from clika_client.conductivity.replies import save_replies
    from clika_providers import ProviderOptions

    if when not in ("before", "after"):
        raise UserError(f"--when must be before or after, got {when!r}")
    asked_in = forms(form)
    found = folder.read(material)
    digest = folder.material_digest(material)
    check_above_zero(rpm=rpm, tpm=tpm, timeout=timeout, patience=patience, max_cost=max_cost)
    options = ProviderOptions(
        base_url=base_url,
        key_command=key_command,
        insecure_http=insecure_http,
        concurrency=concurrency,
        rpm=rpm,
        tpm=tpm,
        timeout_s=timeout,
        max_retries=max_retries,
        patience_s=patience,
        lora=lora,
        n_threads=threads,
    )
    questions = found.baseline if when == "before" else found.questions
    for one_form in asked_in:
        sets = sets_of_parts(questions, one_form)
        replies = ask_questions(
            model, sets, one_form, options, output / "replies.db", digest,
            max_cost=max_cost, prices=prices, dry_run=dry_run,
        )  # fmt: skip
        if replies is not None:
            save_replies(replies, output / reply_file(when, one_form))
    if dry_run:
        return
    note_material(output, material)
    err().print(f"kept in {output}; score with: clika teach score {output}", markup=False, soft_wrap=True)


@teach_app.command("score")
def score(
    experiment: Annotated[Path, typer.Argument(help="Folder of the experiment.")],
    material: Annotated[
        Path | None, typer.Option(help="Folder that `clika teach build` wrote [default: the experiment's].")
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=100, help="Bootstrap draws for intervals.")] = 10_000,
    as_json: AsJson = False,
) -> None:
    """Score what was asked: the gate, XRR with intervals, baseline, control and splits."""
    from clika_client.conductivity.experiment_folder import material_of, score_folder

    scores = score_folder(material or material_of(experiment), experiment, draws=bootstrap)
    if as_json:
        print_json({"scores": [one.to_json() for one in scores]})
        return
    show_results([(experiment, scores)])


@teach_app.command("status")
def status(
    experiment: Annotated[Path, typer.Argument(help="Folder of an experiment, or the file of a study.")],
    as_json: AsJson = False,
) -> None:
    """Say which steps of an experiment are done, or how far all experiments of a study are."""
    from clika_client.conductivity.experiment_folder import steps

    if experiment.suffix == ".toml":
        study_status(experiment, as_json)
        return
    done = steps(experiment)
    if as_json:
        print_json({"folder": str(experiment), "steps": [{"file": name, "done": there} for name, there in done]})
        return
    for name, there in done:
        out().print(f"{'done' if there else 'to do':6} {name}", markup=False)


teach_app.command("compare")(compare)
teach_app.command("in-context")(in_context)
teach_app.command("upload")(upload)
teach_app.command("services")(services)
