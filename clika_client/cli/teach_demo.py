"""`clika teach demo`: the whole of conductivity on the model that comes along, in minutes."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

from clika_client.cli.common import err, out, print_json
from clika_client.cli.teach_progress import Watch
from clika_client.common.errors import UserError
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.conductivity.experiment import Experiment, run
from clika_client.conductivity.folder import MANIFEST, write
from clika_client.conductivity.presets import TeachSettings, preset
from clika_client.conductivity.report import render
from clika_client.conductivity.scored_pairs import Score
from clika_client.sets.demo import HUGGING_FACE
from clika_providers import ProviderOptions
from clika_providers.install import install_hint

DEMO = TeachingPlan(
    ("de", "fr", "ru"), form="choice", k=4, continents=4, places=6, repeats=36, name_repeats=10, names="transliterated"
)
"""Few facts, each seen often and with other choices every time: what a million parameters learn in minutes.

Names are transliterated, because a toy does not learn two unlike names for each of two dozen places as well; what it
conducts, it may have copied, and its table says how much copying alone would."""
DEMO_SETTINGS = replace(preset("demo"), max_epochs=5.1)


def teach_demo(
    folder: Path, plan: TeachingPlan = DEMO, settings: TeachSettings = DEMO_SETTINGS, *, as_json: bool = False
) -> list[Score]:
    """Teach the demo model invented facts and print what came of it; in `folder`, where the same call resumes.

    Raises UserError when a package is missing.
    """
    for package in ("torch", "transformers", "gguf", "llama_cpp"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"teaching needs {package}: {install_hint('teach,local')}")
    import torch

    # Two threads are slower than one on matrices this small, several times so on a busy machine.
    torch.set_num_threads(1)
    material = folder / "material"
    if not (material / MANIFEST).exists():
        write(build(plan), material)
    experiment = Experiment(HUGGING_FACE, material, folder, settings, ("choice",), "f32", ProviderOptions(n_threads=1))
    scores = run(experiment, Watch(err()))
    if as_json:
        print_json({"scores": [score.to_json() for score in scores]})
    else:
        render(scores, out())
    return scores
