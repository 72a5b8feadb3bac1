"""Options about the server, the local model and the money: the same words wherever a model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from clika_providers.cluster.settings import ClusterOptions

SERVER, LOCAL, CLUSTER, MONEY = "Server", "Local model", "Cluster", "Money"

BaseUrls = Annotated[
    list[str] | None,
    typer.Option(
        "--base-url",
        help="Address of an OpenAI-compatible server; repeat it for several that serve the same model.",
        rich_help_panel=SERVER,
    ),
]
BaseUrl = Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server.", rich_help_panel=SERVER)]
KeyCommand = Annotated[str | None, typer.Option(help="Command that prints the API key.", rich_help_panel=SERVER)]
Concurrency = Annotated[
    int | None, typer.Option(min=1, help="Requests in flight at most, per model and address.", rich_help_panel=SERVER)
]
Rpm = Annotated[float | None, typer.Option(help="Requests a minute at most.", rich_help_panel=SERVER)]
Tpm = Annotated[float | None, typer.Option(help="Tokens a minute at most.", rich_help_panel=SERVER)]
Timeout = Annotated[float, typer.Option(help="Seconds one call may take.", rich_help_panel=SERVER)]
MaxRetries = Annotated[int, typer.Option(min=0, help="Retries of one request.", rich_help_panel=SERVER)]
Patience = Annotated[
    float | None,
    typer.Option(help="Seconds without any success before a failing server is given up.", rich_help_panel=SERVER),
]
InsecureHttp = Annotated[
    bool,
    typer.Option(
        "--insecure-http", help="Let the API key go over plain http to another machine.", rich_help_panel=SERVER
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads for local models.", rich_help_panel=LOCAL)]
Lora = Annotated[Path | None, typer.Option(help="LoRA adapter (GGUF) for local models.", rich_help_panel=LOCAL)]
ModelsDir = Annotated[Path | None, typer.Option(help="Folder to look for GGUF files in.", rich_help_panel=LOCAL)]
Ray = Annotated[
    str | None,
    typer.Option(
        help="Ask through this Ray cluster: HOST:PORT of its head, auto, or local (see docs/scale.md).",
        rich_help_panel=CLUSTER,
    ),
]
RayActors = Annotated[
    int | None,
    typer.Option(
        min=1, help="Actors per model [default: one per GPU share, else per machine].", rich_help_panel=CLUSTER
    ),
]
RayGpus = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        help="GPUs per actor of a GGUF model [default: 1 where there are any, else 0].",
        rich_help_panel=CLUSTER,
    ),
]
MaxCost = Annotated[
    float | None, typer.Option(help="Stop before spending more than this many US dollars.", rich_help_panel=MONEY)
]
Prices = Annotated[
    Path | None, typer.Option(help="Your own price table (see docs/providers.md).", rich_help_panel=MONEY)
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Only say what would be asked and what it costs.", rich_help_panel=MONEY),
]


def addresses(urls: Sequence[str] | None) -> dict[str, Any]:
    """Addresses as fields of ProviderOptions: the first names the row, the others share its work."""
    each = tuple(dict.fromkeys(urls or ()))
    return {"base_url": each[0] if each else None, "more_urls": each[1:]}


def cluster_options(address: str | None, actors: int | None, gpus: float | None) -> ClusterOptions | None:
    """The cluster that was named; raises UserError for options of one without it."""
    from clika_client.common.errors import UserError
    from clika_providers.cluster.settings import ClusterOptions

    if address is None:
        if actors is not None or gpus is not None:
            raise UserError("--ray-actors and --ray-gpus need --ray ADDRESS")
        return None
    return ClusterOptions(address, actors, gpus)


def check_above_zero(**values: float | None) -> None:
    """Raise UserError for a limit that lets nothing through; the names are those of the options."""
    from clika_client.common.errors import UserError

    for name, value in values.items():
        if value is not None and not value > 0:
            raise UserError(f"--{name.replace('_', '-')} must be above 0, got {value:g}")
