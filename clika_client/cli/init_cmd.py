"""`clika init`: write a study file by asking a few questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from clika_client.cli.common import err, write_text
from clika_client.common.errors import UserError

_STUDY = """# A study: what `clika run {name}` asks. Options on the command line override these lines;
# every option of `clika run --help` can stand here, with _ or - in its name.

# Probe sets: names (see `clika sets list`) or files.
sets = {sets}

# provider/model; see `clika models list` and docs/providers.md.
models = {models}

# Language tags; leave the line out for all languages of each set. The anchor is what the others are held against.
languages = {languages}
anchor = "en"

# The same so many items in every language; leave the line out for all.
limit = {limit}

# Prompt style (see docs/prompts.md) and how models are asked: auto, text, logprobs, likelihood or open.
prompt = "plain"
ask = "auto"

# Stop before spending more than this many US dollars; needs a known price.
# max_cost = 2.0

# Your own OpenAI-compatible server; a key comes from the environment, never from this file.
# base_url = "http://127.0.0.1:8000/v1"

# For continuous integration: end with exit code 4 below these.
# fail_below = ["other_ra=.4"]
"""


def init(
    file: Annotated[Path, typer.Argument(help="The study file to write.")] = Path("study.toml"),
    sets: Annotated[str, typer.Option(prompt="Probe sets, comma-separated", help="Probe sets.")] = "atlas",
    models: Annotated[str, typer.Option(prompt="Models, comma-separated", help="Models.")] = "mock/random",
    languages: Annotated[
        str,
        typer.Option("--languages", "-l", prompt="Languages, comma-separated", help="Language tags, comma-separated."),
    ] = "en,de,sw",
    limit: Annotated[int, typer.Option(prompt="Items in each language", min=1, help="Items.")] = 50,
) -> None:
    """Write a study file for `clika run`, asking what is not given as an option."""
    if file.exists():
        raise UserError(f"{file} is there already; name another file, or remove it first")
    parts = {"sets": sets, "models": models, "languages": languages}
    lists = {
        name: json.dumps([p.strip() for p in text.split(",") if p.strip()], ensure_ascii=False)
        for name, text in parts.items()
    }
    write_text(file, _STUDY.format(name=file, limit=limit, **lists))
    err().print(f"{file} is written; `clika run {file} --dry-run` says what it would ask", markup=False, soft_wrap=True)
