"""`clika teach upload`, `services` and `in-context`: conductivity of models that run elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clika_client.cli.common import AsJson, Db, database_path, err, language_tags, out, print_json
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
from clika_client.common.errors import UserError
from clika_client.common.safe_text import shown

if TYPE_CHECKING:
    from clika_client.conductivity.material import Form

SEED = 20240404
Taught = Annotated[
    list[str], typer.Option("--languages", "-l", help="Languages beside English, comma-separated; repeatable.")
]
MaterialDir = Annotated[Path, typer.Argument(help="Folder that `clika teach build` wrote.")]


def in_context(
    model: Annotated[str, typer.Option("--model", "-m", help="provider/model to ask.")],
    languages: Taught,
    facts: Annotated[int, typer.Option(min=2, help="Facts in each prompt: the one asked for and distractors.")] = 8,
    limit: Annotated[int, typer.Option(min=1, help="Questions per language.")] = 100,
    form: Annotated[str, typer.Option(help="text or choice.")] = "text",
    k: Annotated[int, typer.Option("--k", help="Choices, for --form choice.")] = 4,
    facts_seed: Annotated[int, typer.Option(help="Seed of facts and orders.")] = SEED,
    names: Annotated[str, typer.Option(help="coined, told in the prompt; or transliterated, which can be copied.")] = (
        "coined"
    ),
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
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """For models that cannot be taught: facts in English in the prompt, the question in the language.

    This is not XRR: nothing was learned. It has a table of its own.
    """
    from clika_client.cli.teach_asking import ask_questions
    from clika_client.conductivity.asking import FORMS
    from clika_client.conductivity.in_context import NAME, score
    from clika_client.conductivity.report_in_context import render
    from clika_client.conductivity.told_in_prompt import Setting, as_set, build
    from clika_providers import ProviderOptions

    if form not in FORMS:
        raise UserError(f"--form must be text or choice, got {form!r}")
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
    asked: Form = "choice" if form == "choice" else "text"
    setting = Setting(language_tags(*languages), facts, limit, asked, k, facts_seed, names)  # type: ignore[arg-type]
    questions = build(setting)
    replies = ask_questions(
        model, [as_set(setting, questions)], setting.form, options, database_path(db), NAME,
        max_cost=max_cost, prices=prices, dry_run=dry_run, as_json=as_json,
    )  # fmt: skip
    if replies is None:
        return
    result = score(setting, questions, replies)
    if as_json:
        print_json(result.to_json())
    else:
        render(result, out())


def upload(
    material: MaterialDir,
    model: Annotated[str, typer.Option("--model", "-m", help="The service's name of the model to tune.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the experiment; remembers the job.")],
    base_url: Annotated[str, typer.Option(help="Address of the fine-tuning service.")] = "https://api.openai.com/v1",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the teaching data.")] = 3,
    price: Annotated[float | None, typer.Option(help="US dollars per million trained tokens.")] = None,
    suffix: Annotated[str, typer.Option(help="Part of the tuned model's name.")] = "clika",
    key_command: Annotated[str | None, typer.Option(help="Command that prints the API key.")] = None,
    insecure_http: InsecureHttp = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job to its end.")] = True,
) -> None:
    """Teach a hosted model: shows the price, uploads, starts the job, tells its events and the new model's id."""
    from datetime import date

    from clika_client.conductivity import fine_tuning, folder, hosted
    from clika_client.conductivity.experiment_folder import note_material
    from clika_providers.keys import find_key

    folder.read(material)
    teaching = material / folder.TEACHING
    warning = fine_tuning.check_open(base_url, date.today())
    console = err()
    if warning:
        console.print(shown(warning), markup=False, soft_wrap=True)
    console.print(str(fine_tuning.estimate(teaching, model, epochs, base_url, price)), markup=False, soft_wrap=True)
    service = fine_tuning.service_at(base_url)
    names = [service.key_env] if service else ["OPENAI_API_KEY"]
    key = find_key(names, key_command)
    if key is None:
        raise UserError(f"no API key: set {names[0]}, or give --key-command")
    if not yes and not typer.confirm("Upload and start this job?", err=True):
        raise typer.Abort
    teaching_job = hosted.HostedTeaching(base_url, key, output / hosted.STATE, insecure_http=insecure_http)
    note_material(output, material)
    job = teaching_job.start(teaching, model, epochs, suffix=suffix)
    if wait:
        job = teaching_job.follow(lambda line: console.print(shown(line), markup=False, soft_wrap=True))
    if job.failed:
        why = f": {shown(job.error)}" if job.error else ", the service does not say why"
        raise UserError(
            f"job {job.job_id} ended as {job.status}{why}; nothing more comes of it. To start another one, delete "
            f"{output / hosted.STATE}"
        )
    if job.model:
        out().print(shown(job.model), markup=False)
        there = "" if base_url == fine_tuning.services()["openai"].base_url else f" --base-url {base_url}"
        console.print(
            f"next: clika teach ask {material} -m openai/{shown(job.model)} --when after -o {output}{there}",
            markup=False,
            soft_wrap=True,
        )
    else:
        console.print(
            f"job {job.job_id}: {shown(job.status)}; the same command looks again", markup=False, soft_wrap=True
        )


def services() -> None:
    """Say which hosted services still accept fine-tuning jobs."""
    from clika_client.conductivity import fine_tuning

    for service in fine_tuning.services().values():
        out().print(f"{shown(service.title)}: {shown(service.status)}", markup=False, soft_wrap=True)
