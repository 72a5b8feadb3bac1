"""`clika run`: ask models the questions of probe sets and report."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clika_client.cli.common import AsJson, Db, check_csv, database_path, language_tags
from clika_client.cli.gate_options import Baseline, FailBelow, FailIfWorse, Gates, GithubSummary, Junit
from clika_client.cli.job import RunJob
from clika_client.cli.scoring_options import QUESTIONS, Drop, Only, words
from clika_client.cli.server_options import (
    LOCAL,
    MONEY,
    SERVER,
    BaseUrls,
    Concurrency,
    DryRun,
    InsecureHttp,
    KeyCommand,
    Lora,
    MaxCost,
    MaxRetries,
    ModelsDir,
    Patience,
    Prices,
    Ray,
    RayActors,
    RayGpus,
    Rpm,
    Threads,
    Timeout,
    Tpm,
    addresses,
    check_above_zero,
    cluster_options,
)
from clika_client.cli.study import given_settings
from clika_client.common.errors import UserError

if TYPE_CHECKING:
    from clika_client.asking.config import RunConfig
    from clika_client.sets.probes import ProbeSet
    from clika_providers import Json

ASKS = ("auto", "text", "logprobs", "likelihood", "open")

in_questions = partial(typer.Option, rich_help_panel=QUESTIONS)
in_asking = partial(typer.Option, rich_help_panel="Asking")
in_output = partial(typer.Option, rich_help_panel="Output")
in_server = partial(typer.Option, rich_help_panel=SERVER)
in_local = partial(typer.Option, rich_help_panel=LOCAL)
in_money = partial(typer.Option, rich_help_panel=MONEY)


def run(
    context: typer.Context,
    sets: Annotated[
        list[str], typer.Argument(help="Probe sets: names (see `clika sets list`) or files; or a study file (.toml).")
    ],
    model: Annotated[
        list[str], in_questions("--model", "-m", help="provider/model: gguf/FILE.gguf, openai/NAME, …; repeatable.")
    ],
    columns: Annotated[
        list[str] | None, in_questions("--map", help="Column mapping for files, such as question=q,gold=answer.")
    ] = None,
    languages: Annotated[
        str | None, in_questions("--languages", "-l", help="Language tags, comma-separated [default: all of the set].")
    ] = None,
    limit: Annotated[int | None, in_questions(help="Ask this many items, the same in every language.")] = None,
    limit_by: Annotated[
        str | None, in_questions("--limit-by", help="Tag whose values each have their share of --limit.")
    ] = None,
    limit_seed: Annotated[int, in_questions(help="Seed of --limit's choice of items.")] = 0,
    only: Only = None,
    drop: Drop = None,
    tier: Annotated[
        str | None, in_questions(help="Only items this hard: easy, medium, hard (atlas), as --only tier=…")
    ] = None,
    k: Annotated[
        int | None, in_questions("--k", help="Choices per question; the built-in sets offer up to 10.")
    ] = None,
    prompt: Annotated[
        str, in_asking("--prompt", help="Prompt style, or the path of your own template (see docs/prompts.md).")
    ] = "plain",
    shots: Annotated[
        int, in_asking(help="Worked examples before each question, from the set's reserved questions.")
    ] = 0,
    ask: Annotated[
        str,
        in_asking(
            help="text; logprobs: probabilities of the option labels; likelihood: of the options themselves; "
            "open: text without showing options; "
            "auto: text from hosted models, what a short probe advises from local ones."
        ),
    ] = "auto",
    grammar: Annotated[bool, in_asking("--grammar", help="Constrain generated text to one label.")] = False,
    permute: Annotated[str, in_asking(help="none, or cyclic: ask every cyclic order of the options.")] = "none",
    repeats: Annotated[int, in_asking(min=1, help="Ask each question this many times.")] = 1,
    max_tokens: Annotated[int, in_asking(min=1, help="Tokens a reply may have.")] = 32,
    temperature: Annotated[float, in_asking(min=0.0, help="Sampling temperature.")] = 0.0,
    sampling_seed: Annotated[int | None, in_asking(help="Sampling seed sent to the model.")] = None,
    thinking: Annotated[bool, in_asking("--thinking", help="Let reasoning models think.")] = False,
    no_cache: Annotated[bool, in_asking("--no-cache", help="Neither read nor keep stored replies.")] = False,
    refresh: Annotated[bool, in_asking("--refresh", help="Ask again and replace stored replies.")] = False,
    base_url: BaseUrls = None,
    key_command: KeyCommand = None,
    insecure_http: InsecureHttp = False,
    concurrency: Concurrency = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    timeout: Timeout = 60.0,
    max_retries: MaxRetries = 6,
    patience: Patience = None,
    extra: Annotated[list[str] | None, in_server("--extra", help="Further body field NAME=JSON; repeatable.")] = None,
    capabilities: Annotated[
        Path | None, in_server(help="Your own table of what models accept (see docs/providers.md).")
    ] = None,
    judge: Annotated[
        str | None, in_asking(help="With --ask open: a model that judges the replies too, as a reading of its own.")
    ] = None,
    fallback: Annotated[
        str | None, in_server(help="Local model to ask everything, as its own row, when a hosted one gives up.")
    ] = None,
    gpu_layers: Annotated[int | None, in_local(help="Layers on the GPU (-1: all).")] = None,
    n_ctx: Annotated[int | None, in_local("--n-ctx", help="Context length in tokens.")] = None,
    threads: Threads = None,
    sequences: Annotated[int | None, in_local("--n-sequences", min=1, help="Local sequences per batch.")] = None,
    lora: Lora = None,
    models_dir: ModelsDir = None,
    ray: Ray = None,
    ray_actors: RayActors = None,
    ray_gpus: RayGpus = None,
    max_cost: MaxCost = None,
    prices: Prices = None,
    batch: Annotated[bool, in_money("--batch", help="Submit as a half-price batch; see `clika batch`.")] = False,
    dry_run: DryRun = False,
    anchor: Annotated[str, in_output(help="Anchor language of en-CO.")] = "en",
    reference: Annotated[
        float | None, in_output(help="Accuracy that counts as RA = 1 for sets without a published one.")
    ] = None,
    bootstrap: Annotated[int, in_output(min=0, help="Bootstrap draws for intervals; 0 for none.")] = 10_000,
    csv: Annotated[Path | None, in_output(help="Also write the scores as CSV to this file.")] = None,
    fail_below: FailBelow = None,
    baseline: Baseline = None,
    fail_if_worse: FailIfWorse = False,
    junit: Junit = None,
    github_summary: GithubSummary = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Ask models the questions of probe sets, keep every reply, and report.

    \b
    clika run atlas -m gguf/qwen3-4b.gguf --limit 100
    clika run atlas -l en,de,sw -m openai/gpt-6-luna --dry-run
    clika run study.toml --max-cost 2
    clika run mine.jsonl -m ollama/qwen3:4b --map question=q,gold=answer
    """
    from clika_client.asking.config import RunConfig
    from clika_client.asking.plan import Items
    from clika_client.asking.settings import Asking
    from clika_client.prompts.catalogue import get_style
    from clika_client.store.store import Store
    from clika_providers import ProviderOptions

    _check_word("--ask", ask, ASKS)
    _check_word("--permute", permute, ("none", "cyclic"))
    check_above_zero(rpm=rpm, tpm=tpm, timeout=timeout, max_cost=max_cost, patience=patience)
    options = ProviderOptions(
        **addresses(base_url),
        key_command=key_command,
        concurrency=concurrency,
        rpm=rpm,
        tpm=tpm,
        timeout_s=timeout,
        max_retries=max_retries,
        patience_s=patience,
        insecure_http=insecure_http,
        extra_body=_extra(extra or []),
        capabilities=capabilities,
        n_gpu_layers=gpu_layers,
        n_ctx=n_ctx,
        n_threads=threads,
        n_sequences=sequences,
        lora=lora,
        models_dir=models_dir,
    )
    asking = Asking(
        ask=ask,  # type: ignore[arg-type]
        max_tokens=max_tokens,
        temperature=temperature,
        seed=sampling_seed,
        thinking=thinking,
        grammar=grammar,
        permute=permute == "cyclic",
        repeats=repeats,
    )
    if judge is not None and (ask != "open" or batch):
        raise UserError("--judge judges the replies of --ask open, as they come; of batches later: clika judge JUDGE")
    if ray is not None and batch:
        raise UserError("--batch and --ray do not go together: a batch is asked by the vendor's machines")
    config = RunConfig(
        sets=_sets(sets, database_path(db), columns or [], reference, k),
        models=tuple(dict.fromkeys(model)),
        style=get_style(prompt, shots),
        asking=asking,
        languages=None if languages is None else language_tags(languages),
        items=Items((*words(only), *_tiers(tier)), words(drop), limit, limit_by, limit_seed),
        options=replace(options, need_key=not dry_run),
        refresh=refresh,
        max_cost=max_cost,
        fallback=fallback,
        cluster=cluster_options(ray, ray_actors, ray_gpus),
        prices=prices,
        settings=given_settings(context),
    )
    gates = Gates(tuple(fail_below or ()), baseline, fail_if_worse, junit, github_summary)
    gates.check()
    check_csv(csv)
    anchor = _anchor(anchor, config)
    with _database(db, no_cache) as path, Store(path) as store:
        job = RunJob(
            store,
            config,
            dry_run=dry_run,
            as_json=as_json,
            csv=csv,
            anchor=anchor,
            bootstrap=bootstrap,
            gates=gates,
        )
        job.judge = judge
        job.submit_batches() if batch else job.ask()


def _anchor(tag: str, config: RunConfig) -> str:
    """The anchor's tag; raises UserError, before anything is asked, for one that no set is asked in."""
    from clika_client.common.languages import canonical

    asked = config.languages or tuple(dict.fromkeys(one for found in config.sets for one in found.languages))
    anchor = canonical(tag)
    if anchor != "en" and anchor not in asked:
        raise UserError(f"--anchor {tag}: nothing is asked in it; the languages are: {', '.join(asked)}")
    return anchor


def _sets(
    names: Sequence[str], db: Path, mapping: Sequence[str], reference: float | None, k: int | None
) -> tuple[ProbeSet, ...]:
    from clika_client.asking.asked_sets import find_set

    return tuple(find_set(name, db, mapping=mapping, reference=reference, k=k) for name in dict.fromkeys(names))


def _tiers(text: str | None) -> list[str]:
    return [f"tier={tier.strip()}" for tier in (text or "").split(",") if tier.strip()]


def _extra(pairs: Sequence[str]) -> tuple[tuple[str, Json], ...]:
    fields: dict[str, Json] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            fields[name] = json.loads(value)
        except (ValueError, RecursionError):
            fields[name] = value
        if not name or not equals:
            raise UserError(f"--extra {pair!r} is not NAME=JSON")
    return tuple(sorted(fields.items()))


def _check_word(option: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UserError(f"{option} {value!r} is not one of {', '.join(allowed)}")


@contextmanager
def _database(db: Path | None, no_cache: bool) -> Iterator[Path]:
    """The database to use; with --no-cache a temporary one, so that scoring works the same way."""
    if not no_cache:
        yield database_path(db)
        return
    with tempfile.TemporaryDirectory(prefix="clika-") as folder:
        yield Path(folder) / "clika.db"
