"""`clika run`: ask models the questions of probe sets and report."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clika_client.cli.common import AsJson, Db, InsecureHttp, database_path
from clika_client.cli.job import Job
from clika_client.cli.scoring_options import Drop, Only, words
from clika_client.common.errors import UserError

if TYPE_CHECKING:
    from clika_client.sets.probes import ProbeSet
    from clika_providers import Json

ASKS = ("auto", "text", "logprobs", "likelihood", "open")


def run(
    sets: Annotated[list[str], typer.Argument(help="Probe sets: names (see `clika sets list`) or files.")],
    model: Annotated[
        list[str],
        typer.Option("--model", "-m", help="provider/model: gguf/FILE.gguf, openai/NAME, …; repeatable."),
    ],
    columns: Annotated[
        list[str] | None, typer.Option("--map", help="Column mapping for files, such as question=q,gold=answer.")
    ] = None,
    languages: Annotated[
        str | None, typer.Option("--languages", "-l", help="Language tags, comma-separated [default: all of the set].")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Ask this many items, the same in every language.")] = None,
    limit_by: Annotated[
        str | None, typer.Option("--limit-by", help="Tag whose values each have their share of --limit.")
    ] = None,
    limit_seed: Annotated[int, typer.Option(help="Seed of --limit's choice of items.")] = 0,
    only: Only = None,
    drop: Drop = None,
    tier: Annotated[
        str | None, typer.Option(help="Only items this hard: easy, medium, hard (atlas), as --only tier=…")
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", help="Choices per question; the built-in sets offer up to 10.")
    ] = None,
    prompt: Annotated[
        str, typer.Option("--prompt", help="Prompt style, or the path of your own template (see docs/prompts.md).")
    ] = "plain",
    shots: Annotated[
        int, typer.Option(help="Worked examples before each question, from the set's reserved questions.")
    ] = 0,
    ask: Annotated[
        str,
        typer.Option(
            help="text; logprobs: probabilities of the option labels; likelihood: of the options themselves; "
            "open: text without showing options; "
            "auto: text from hosted models, what a short probe advises from local ones."
        ),
    ] = "auto",
    grammar: Annotated[bool, typer.Option("--grammar", help="Constrain generated text to one label.")] = False,
    permute: Annotated[str, typer.Option(help="none, or cyclic: ask every cyclic order of the options.")] = "none",
    repeats: Annotated[int, typer.Option(min=1, help="Ask each question this many times.")] = 1,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens a reply may have.")] = 32,
    temperature: Annotated[float, typer.Option(min=0.0, help="Sampling temperature.")] = 0.0,
    sampling_seed: Annotated[int | None, typer.Option(help="Sampling seed sent to the model.")] = None,
    thinking: Annotated[bool, typer.Option("--thinking", help="Let reasoning models think.")] = False,
    anchor: Annotated[str, typer.Option(help="Anchor language of en-CO.")] = "en",
    reference: Annotated[
        float | None, typer.Option(help="Accuracy that counts as RA = 1 for sets without a published one.")
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Bootstrap draws for intervals; 0 for none.")] = 10_000,
    base_url: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server.")] = None,
    key_command: Annotated[str | None, typer.Option(help="Command that prints the API key.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Requests in flight at most, per model.")] = None,
    rpm: Annotated[float | None, typer.Option(help="Requests a minute at most.")] = None,
    tpm: Annotated[float | None, typer.Option(help="Tokens a minute at most.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds one call may take.")] = 60.0,
    max_retries: Annotated[int, typer.Option(min=0, help="Retries of one request.")] = 6,
    patience: Annotated[
        float | None, typer.Option(help="Seconds without any success before a failing server is given up.")
    ] = None,
    insecure_http: InsecureHttp = False,
    extra: Annotated[
        list[str] | None, typer.Option("--extra", help="Further body field NAME=JSON; repeatable.")
    ] = None,
    max_cost: Annotated[float | None, typer.Option(help="Stop before spending more than this many US dollars.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Your own price table (see docs/providers.md).")] = None,
    capabilities: Annotated[
        Path | None, typer.Option(help="Your own table of what models accept (see docs/providers.md).")
    ] = None,
    fallback: Annotated[
        str | None, typer.Option(help="Local model to ask everything, as its own row, when a hosted one gives up.")
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Submit as a half-price batch; see `clika batch`.")] = False,
    gpu_layers: Annotated[int | None, typer.Option(help="Layers on the GPU (-1: all).")] = None,
    n_ctx: Annotated[int | None, typer.Option("--n-ctx", help="Context length in tokens.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads for local models.")] = None,
    sequences: Annotated[int | None, typer.Option("--n-sequences", min=1, help="Local sequences per batch.")] = None,
    lora: Annotated[Path | None, typer.Option(help="LoRA adapter (GGUF) for local models.")] = None,
    models_dir: Annotated[Path | None, typer.Option(help="Folder to look for GGUF files in.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep stored replies.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask again and replace stored replies.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be asked and what it costs.")] = False,
    db: Db = None,
    as_json: AsJson = False,
    csv: Annotated[Path | None, typer.Option(help="Also write the scores as CSV to this file.")] = None,
) -> None:
    """Ask models the questions of probe sets, keep every reply, and report."""
    from clika_client.asking.plan import Asking, Items
    from clika_client.asking.run import RunConfig
    from clika_client.prompts.catalogue import get_style
    from clika_client.store.store import Store
    from clika_providers import ProviderOptions

    _check_word("--ask", ask, ASKS)
    _check_word("--permute", permute, ("none", "cyclic"))
    above_zero = {"rpm": rpm, "tpm": tpm, "timeout": timeout, "max-cost": max_cost, "patience": patience}
    for name, value in above_zero.items():
        if value is not None and not value > 0:
            raise UserError(f"--{name} must be above 0, got {value:g}")
    options = ProviderOptions(
        base_url=base_url,
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
    config = RunConfig(
        sets=_sets(sets, columns or [], reference, k),
        models=tuple(dict.fromkeys(model)),
        style=get_style(prompt, shots),
        asking=asking,
        languages=None if languages is None else _languages(languages),
        items=Items((*words(only), *_tiers(tier)), words(drop), limit, limit_by, limit_seed),
        options=replace(options, need_key=not dry_run),
        refresh=refresh,
        max_cost=max_cost,
        fallback=fallback,
        prices=prices,
    )
    with _database(db, no_cache) as path, Store(path) as store:
        job = Job(store, config, dry_run=dry_run, as_json=as_json, csv=csv, anchor=anchor, bootstrap=bootstrap)
        job.submit_batches() if batch else job.ask()


def _sets(names: Sequence[str], mapping: Sequence[str], reference: float | None, k: int | None) -> tuple[ProbeSet, ...]:
    from clika_client.sets.catalogue import resolve

    return tuple(resolve(name, mapping=mapping, reference=reference, k=k) for name in dict.fromkeys(names))


def _tiers(text: str | None) -> list[str]:
    return [f"tier={tier.strip()}" for tier in (text or "").split(",") if tier.strip()]


def _languages(text: str) -> tuple[str, ...]:
    from clika_client.common.languages import canonical

    tags = tuple(dict.fromkeys(canonical(tag) for tag in text.split(",") if tag.strip()))
    if not tags:
        raise UserError(f"--languages {text!r} names no language; write tags such as en,de, or leave it out for all")
    return tags


def _extra(pairs: Sequence[str]) -> tuple[tuple[str, Json], ...]:
    fields: dict[str, Json] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            fields[name] = json.loads(value)
        except ValueError:
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
