"""`clika demo --real`: the first report on a real small multilingual model, fetched from the hub."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from clika_client.cli.common import err
from clika_client.cli.job import RunJob

MODEL = "Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q8_0.gguf"
"""Small enough for any laptop, taught over a hundred languages, under a licence that asks for nothing."""
LANGUAGES = ("en", "de", "fr", "ru", "zh", "sw")
ITEMS = 40


def demo_real(path: Path, *, yes: bool = False, as_json: bool = False) -> bool:
    """Show size and licence, fetch the model, and report on it; False, with the reason said, where it cannot be had."""
    from clika_providers import ProviderError
    from clika_providers.gguf.huggingface import offer

    console = err()
    try:
        found = offer(MODEL)
    except ProviderError as error:
        console.print(
            f"No real model: {error}\nThe demonstration stays with the toy that comes with clika.\n",
            markup=False,
            soft_wrap=True,
        )
        return False
    repo, _, file = MODEL.partition(":")
    console.print(
        f"A real model: {file} from {repo}, {found.size / 1e6:,.0f} MB, licence {found.licence}; "
        + ("it is here already" if found.here else "it is fetched once and kept in the hub's own cache")
        + f".\n{ITEMS} questions of atlas in {', '.join(LANGUAGES)}; some minutes. Replies are kept in {path}.",
        markup=False,
        soft_wrap=True,
    )
    if not (yes or found.here) and sys.stdin.isatty() and not typer.confirm("Fetch it?", default=True, err=True):
        return False
    _report(path, as_json)
    return True


def _report(path: Path, as_json: bool) -> None:
    from clika_client.asking.config import RunConfig
    from clika_client.asking.plan import Items
    from clika_client.asking.settings import Asking
    from clika_client.prompts.catalogue import get_style
    from clika_client.sets.catalogue import resolve
    from clika_client.store.store import Store

    config = RunConfig(
        sets=(resolve("atlas"),),
        models=(f"gguf/hf:{MODEL}",),
        style=get_style("plain"),
        asking=Asking("likelihood"),
        languages=LANGUAGES,
        items=Items(limit=ITEMS),
    )
    with Store(path) as store:
        RunJob(store, config, as_json=as_json).ask()
