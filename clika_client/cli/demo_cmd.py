"""`clika demo`: the whole tool at work, offline, on a tiny model and questions of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clika_client.cli.common import AsJson, Db, err
from clika_client.cli.job import RunJob
from clika_client.common.paths import home
from clika_client.common.wording import counted

_NEXT = """\
Next, on models that matter:
  clika run atlas -m gguf/YOUR-MODEL.gguf --languages en,de,ru,sw    your own GGUF (see `clika models list --local`)
  clika run atlas -m openai/MODEL --limit 50 --dry-run                a hosted model: what would it cost?
  clika score --db {db} --split relation                              score what is stored again, for nothing"""


def demo(
    teach: Annotated[
        bool,
        typer.Option("--teach", help="Also teach the model invented facts and score XRR (minutes; needs [teach])."),
    ] = False,
    real: Annotated[
        bool,
        typer.Option(
            "--real", help="On a real small multilingual model, fetched from the hub; size and licence are shown first."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --real: do not ask before fetching.")] = False,
    openly: Annotated[
        bool, typer.Option("--open", help="The open form: the same facts without options, told by a scripted model.")
    ] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Show the whole tool at work, offline: a tiny model, built-in questions, the real pipeline."""
    from clika_client.asking.config import RunConfig
    from clika_client.asking.settings import Asking
    from clika_client.prompts.catalogue import get_style
    from clika_client.sets.demo import DATA, GGUF, demo_set
    from clika_client.store.store import Store
    from clika_providers import ProviderOptions

    path = db if db is not None else home() / "demo.db"
    if openly:
        _open(path, as_json)
        return
    if real:
        from clika_client.cli.demo_real import demo_real

        if demo_real(path, yes=yes, as_json=as_json):
            err().print(_NEXT.format(db=path), markup=False, soft_wrap=True)
            return
    questions = demo_set()
    console = err()
    size = GGUF.stat().st_size / 1e6
    console.print(
        f"A demonstration, offline: {counted(questions.n, 'question')} of the built-in set atlas in "
        f"{counted(len(questions.languages), 'language')} ({', '.join(questions.languages)}), put to a "
        f"{size:.1f} MB model that comes with clika and was trained on little else. Its "
        "figures mean nothing beyond showing the tool: it was taught English best, other "
        f"languages less, the last ones hardly.\nReplies are kept in {path}; asking again sends nothing.\n",
        markup=False,
        soft_wrap=True,
    )
    config = RunConfig(
        sets=(questions,),
        models=(f"gguf/{GGUF.name}",),
        style=get_style("plain"),
        asking=Asking("logprobs"),
        options=ProviderOptions(models_dir=DATA),
    )
    with Store(path) as store:
        RunJob(store, config, as_json=as_json).ask()
    if teach:
        folder = home() / "demo-teach"
        _teach(folder, as_json)
        console.print(f"The experiment is kept in {folder}; score it again: clika teach score {folder}", markup=False)
    console.print(_NEXT.format(db=path), markup=False, soft_wrap=True)


def _open(path: Path, as_json: bool) -> None:
    """Ask the facts without options, and say whose words these are."""
    from clika_client.asking.config import RunConfig
    from clika_client.asking.settings import Asking
    from clika_client.cli.demo_open import open_demo
    from clika_client.prompts.catalogue import get_style
    from clika_client.store.store import Store

    questions, speaker = open_demo()
    err().print(
        f"The open form, offline: {counted(questions.n, 'question')} without options in "
        f"{counted(len(questions.languages), 'language')}. A script answers, for the little model was "
        "taught letters alone: the figures show the report, and nothing "
        f"else.\nWhat was written and how it was read: clika answers --db {path}\n",
        markup=False,
        soft_wrap=True,
    )
    config = RunConfig(sets=(questions,), models=(speaker,), style=get_style("plain"), asking=Asking("open"))
    with Store(path) as store:
        RunJob(store, config, as_json=as_json).ask()


def _teach(folder: Path, as_json: bool) -> None:
    from clika_client.cli.teach_demo import teach_demo

    teach_demo(folder, as_json=as_json)
