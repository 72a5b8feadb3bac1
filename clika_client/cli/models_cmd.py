"""`clika models`: which models there are, here and at a provider, and whether one works."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, out, print_json
from clika_client.cli.server_options import BaseUrl, InsecureHttp, KeyCommand, ModelsDir
from clika_client.common.errors import IncompleteRun
from clika_client.common.safe_text import shown

if TYPE_CHECKING:
    from rich.table import Table

    from clika_providers import ProviderOptions
    from clika_providers.gguf.discover import LocalModel

app = typer.Typer(help="Find models and try them.", no_args_is_help=True)


@app.command("list")
def list_(
    provider: Annotated[str | None, typer.Argument(help="Ask this provider which models it offers.")] = None,
    local: Annotated[bool, typer.Option("--local", help="GGUF files on this machine.")] = False,
    base_url: BaseUrl = None,
    key_command: KeyCommand = None,
    insecure_http: InsecureHttp = False,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """List providers, one provider's models, or the GGUF files on this machine."""
    if provider is not None:
        _offered(provider, _reaching(base_url, key_command, insecure_http), as_json)
    elif local or models_dir is not None:
        _local(models_dir, as_json)
    else:
        _providers(as_json)


@app.command("check")
def check(
    model: Annotated[str, typer.Argument(help="provider/model")],
    base_url: BaseUrl = None,
    key_command: KeyCommand = None,
    insecure_http: InsecureHttp = False,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Send one probe and say what a run with this model would meet; costs a few tokens."""
    from clika_providers.model_check import check as check_model
    from clika_providers.registry import may_run_here

    options = dataclasses.replace(_reaching(base_url, key_command, insecure_http), models_dir=models_dir)
    report = asyncio.run(check_model(model, options))
    local = _local_facts(model, options) if report.ok and may_run_here(model) else {}
    if as_json:
        print_json({**dataclasses.asdict(report), "ok": report.ok, "local": local or None})
    else:
        for name, value in dataclasses.asdict(report).items():
            if name not in ("notes", "error"):
                out().print(f"{name.replace('_', ' ')}: {_word(value)}", markup=False, soft_wrap=True)
        for line in _in_words(local) if local else ():
            out().print(line, markup=False, soft_wrap=True)
        for note in report.notes:
            out().print(f"note: {shown(note)}", markup=False, soft_wrap=True)
    if not report.ok:
        raise IncompleteRun(f"{model} cannot be used now: {report.error}")


@app.command("prices")
def prices(
    table: Annotated[
        str | None,
        typer.Argument(
            help="litellm's model_prices_and_context_window.json to compare with: a file, or an address to fetch."
        ),
    ] = None,
    own: Annotated[Path | None, typer.Option("--prices", help="Your own price table, as for `clika run`.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is charged for which model, as of when; with a table, where litellm's published prices differ."""
    from clika_providers import price_check
    from clika_providers.prices import known_prices

    if table is None:
        _show_prices([dataclasses.asdict(price) for price in known_prices(own)], as_json)
        return
    found = price_check.compare(price_check.read_published(price_check.fetch(table), table), own)
    if not as_json:
        counts = Counter(row.verdict for row in found)
        found = [row for row in found if row.verdict == "differs"]
    _show_prices([dataclasses.asdict(row) for row in found], as_json)
    if not as_json:
        said = ", ".join(f"{counts[name]} {name}" for name in ("same", "differs", "not listed"))
        out().print(f"{said}. --prices FILE overrides what is wrong here.", markup=False)


def _show_prices(rows: list[dict[str, Any]], as_json: bool) -> None:
    rows = [{**row, "as_of": row["as_of"] and row["as_of"].isoformat()} for row in rows]
    if as_json:
        print_json({"prices": rows})
        return
    table = _table("model", "US$ per million in", "out", "as of", "theirs in", "out", "priced as")
    for row in rows:
        names = ("model", "input", "output", "as_of", "their_input", "their_output", "priced_as")
        table.add_row(*("" if row.get(n) is None else shown(_plain(row[n])) for n in names))
    out().print(table)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _reaching(base_url: str | None, key_command: str | None, insecure_http: bool) -> ProviderOptions:
    from clika_providers import ProviderOptions

    return ProviderOptions(base_url=base_url, key_command=key_command, insecure_http=insecure_http)


def _local_facts(model: str, options: ProviderOptions) -> dict[str, Any]:
    """What the file is, and how it is best asked, by a short probe of its letters; empty for a model at a server."""
    from clika_client.asking.ask_mode import probe_letters
    from clika_client.scoring.model_facts import facts_of
    from clika_providers.registry import connect

    provider = connect(model, options)

    async def probe() -> dict[str, Any]:
        try:
            if not provider.runs_here:
                return {}
            found = await probe_letters(provider)
            letters = {**found.record(), "sentence": found.sentence()}
            return {**facts_of(json.dumps(dict(provider.identity))), "letters": letters}
        finally:
            await provider.aclose()

    return asyncio.run(probe())


def _in_words(facts: Mapping[str, Any]) -> list[str]:
    kinds = {"chat": "chat (a template in the file)", "base": "base (no chat template: plain text)"}
    told = [f"kind: {kinds[kind]}"] if (kind := facts.get("kind")) else []
    if "weights" in facts:
        told.append(f"weights: {shown(facts['weights'])}, sha256 {shown(str(facts['weights_sha256'])[:16])}")
        built = ", ".join(str(facts[part]) for part in ("library", "build") if facts[part])
        told.append(f"build: {shown(built)}")
    return [*told, f"letters: {facts['letters']['sentence']}"]


def _word(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) else shown(str(value))


def _providers(as_json: bool) -> None:
    from clika_providers.registry import provider_table

    rows = [dataclasses.asdict(row) for row in provider_table()]
    if as_json:
        print_json({"providers": rows})
        return
    table = _table("provider", "address", "key in", "logprobs")
    for row in rows:
        table.add_row(row["name"], row["base_url"] or "–", row["key_env"] or "–", row["logprobs"] or "–")
    out().print(table)
    out().print("Models of one: clika models list PROVIDER. On this machine: clika models list --local.", markup=False)


def _offered(provider: str, options: ProviderOptions, as_json: bool) -> None:
    from clika_providers.model_check import list_models

    found = asyncio.run(list_models(provider, options))
    if as_json:
        print_json({"models": [dataclasses.asdict(model) for model in found]})
        return
    for model in found:
        ending = f"  (shut down on {model.shutdown_date})" if model.shutdown_date else ""
        out().print(shown(f"{provider}/{model.id}{ending}"), markup=False, soft_wrap=True)


def _local(models_dir: Path | None, as_json: bool) -> None:
    from clika_providers.gguf import list_local

    found = list_local(models_dir)
    if as_json:
        print_json({"models": [{**dataclasses.asdict(m), "path": str(m.path)} for m in found]})
        return
    if not found:
        out().print(
            "No GGUF file was found in the usual places (LM Studio, Ollama, Hugging Face and llama.cpp caches). "
            "Name a folder with --models-dir, or download one: clika run SET -m gguf/hf:OWNER/REPO:FILE",
            markup=False,
            soft_wrap=True,
        )
        return
    table = _table("write as", "size", "quantization", "context", "architecture", "found in")
    for model in found:
        _add_local(table, model)
    out().print(table)


def _add_local(table: Table, model: LocalModel) -> None:
    from rich.markup import escape

    kind = model.problem or model.architecture
    size = f"{model.size / 1e9:.2f} GB"
    cells = (f"gguf/{model.name}", size, model.quantization, str(model.context_length), kind, model.source)
    table.add_row(*(escape(shown(cell)) for cell in cells))


def _table(*names: str) -> Table:
    from rich.table import Table

    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    return table
