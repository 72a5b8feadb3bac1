"""The whole experiment on a local model: ask before, teach, convert, ask after, score; each step once.

Every step leaves a file in the experiment's folder, whole or not at all; a step whose file is there is not
done again, so the same call after a crash goes on where it stopped. While the gate fails, teaching goes on in
further rounds, each from the end of the one before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clika_client.common.errors import UserError
from clika_client.common.files import replacing
from clika_client.common.holding import held
from clika_client.conductivity import asking, folder, forgetting
from clika_client.conductivity.about import STATE
from clika_client.conductivity.build import ANCHOR
from clika_client.conductivity.experiment_folder import (
    BASE,
    ROUNDS,
    SCORE,
    TAUGHT,
    reply_file,
    score_folder,
    state_of,
)
from clika_client.conductivity.formats import write_json
from clika_client.conductivity.material import ExperimentQuestion, Form
from clika_client.conductivity.presets import TeachSettings
from clika_client.conductivity.question_sets import sets_of_parts
from clika_client.conductivity.replies import load_replies, save_replies
from clika_client.conductivity.scored_pairs import Score
from clika_client.conductivity.watched import write_gates
from clika_client.conductivity.watcher import SilentWatcher, Watcher
from clika_providers import ProviderOptions

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Experiment:
    """What to do and where; `out` is the experiment's folder."""

    model_dir: Path
    """Hugging Face model directory."""
    material: Path
    """Folder that `clika teach build` wrote."""
    out: Path
    settings: TeachSettings = field(default_factory=TeachSettings)
    forms: tuple[Form, ...] = ("text", "choice")
    quantization: str = "f16"
    options: ProviderOptions = field(default_factory=ProviderOptions)
    database: Path | None = None
    """Where replies are cached; by default in the experiment's folder."""
    general: int = forgetting.QUESTIONS
    """Questions of atlas per language asked before and after, to see what was forgotten; 0: none."""
    like: Path | None = None
    """A finished or begun experiment on the same model: what is the same before teaching is taken from there."""
    converter: Path | None = None
    """llama.cpp's `convert_hf_to_gguf.py`, in the place of our own conversion."""
    launch: Path | None = None
    """A configuration file of accelerate: teaching runs as it says, on several GPUs, with DeepSpeed or FSDP."""


def run(experiment: Experiment, watcher: Watcher | None = None) -> list[Score]:
    """Do what is not done yet and score, one Score per form.

    Raises UserError for bad input or a folder that holds another experiment, IncompleteRun for questions
    without an answer, StoppedRun on Ctrl-C; the same call then goes on.
    """
    return _Loop(experiment, watcher or SilentWatcher()).run()


class _Loop:
    """One call of `run`."""

    def __init__(self, experiment: Experiment, watcher: Watcher) -> None:
        self.material = folder.read(experiment.material)
        self.digest = folder.material_digest(experiment.material)
        self.do, self.watcher = replace(experiment, settings=continued(experiment)), watcher

    def run(self) -> list[Score]:
        self.check()
        with held(self.do.out):
            self.claim()
            self.borrow()
            self.convert(self.do.model_dir, BASE, None)
            self.ask("before", BASE, self.material.baseline)
            while True:
                scores = self.round()
                if self.passed(scores) or self.passes >= self.most:
                    break
                self.set_aside()
            if self.passed(scores):
                self.forget_checkpoints()
        return scores

    def round(self) -> list[Score]:
        """Teach up to the end of the round and see what came of it."""
        do = self.do
        self.teach()
        self.ask("after", TAUGHT, self.material.questions)
        scores = score_folder(do.material, do.out)
        write_json(do.out / SCORE, {"scores": [one.to_json() for one in scores]})
        return scores

    @property
    def most(self) -> float:
        """Passes over the teaching data after which there are no more."""
        return self.do.settings.max_epochs or self.do.settings.epochs

    @property
    def passes(self) -> float:
        """Passes that are made when this round is over."""
        failed = len(list((self.do.out / ROUNDS).glob(f"*/{SCORE}")))
        return min(self.do.settings.epochs * (failed + 1), self.most)

    def passed(self, scores: Sequence[Score]) -> bool:
        """Whether the gate is passed in the form that was taught (in all, where that one was not asked)."""
        form = self.material.form
        pairs = [pair for one in scores for pair in one.pairs]
        return not any(pair.failed for pair in [p for p in pairs if p.form == form] or pairs)

    def set_aside(self) -> None:
        """Make room for the next round; the score goes last, for it is what counts as the round."""
        out = self.do.out
        keep = out / ROUNDS / str(1 + len(list((out / ROUNDS).glob(f"*/{SCORE}"))))
        keep.mkdir(parents=True, exist_ok=True)
        for path in sorted(out.glob("after.*.json")):
            path.replace(keep / path.name)
        (out / TAUGHT).unlink(missing_ok=True)
        (out / SCORE).replace(keep / SCORE)

    def forget_checkpoints(self) -> None:
        """Nothing will be taught any more."""
        shutil.rmtree(self.do.out / "teaching" / "checkpoints", ignore_errors=True)

    def check(self) -> None:
        """Raise UserError for what would fail later, before anything is asked or written."""
        do = self.do
        if not (do.model_dir / "config.json").is_file():
            raise UserError(f"{do.model_dir} is no Hugging Face model directory: it holds no config.json")
        if do.launch is not None and not do.launch.is_file():
            raise UserError(f"{do.launch} does not exist; `accelerate config --config_file {do.launch}` writes one")
        if do.converter is not None and not do.converter.is_file():
            raise UserError(f"{do.converter} does not exist; it is convert_hf_to_gguf.py of a checkout of llama.cpp")
        if not (do.out / TAUGHT).exists():
            from clika_client.conductivity.learner import resolved

            resolved(do.settings, do.model_dir)

    def claim(self) -> None:
        """Note what this folder is for; raises UserError when it is for something else."""
        do = self.do
        now = {
            "format": 2,
            "material": self.digest,
            "model": _weights_digest(do.model_dir),
            "settings": json.loads(json.dumps(do.settings.lasting)),
            "quantization": do.quantization,
        }
        before = state_of(do.out)
        if before:
            other = [key for key, value in now.items() if before.get(key) != value]
            if other:
                raise UserError(
                    f"{do.out} holds an experiment with other {' and '.join(other)}; name another folder with -o, or "
                    "delete this one to start over"
                )
        told = {"material_path": str(do.material.resolve()), "model_path": str(do.model_dir.absolute())}
        write_json(do.out / STATE, {**now, **told})

    def borrow(self) -> None:
        """Take what is the same before teaching from the other experiment, where it is done there."""
        do = self.do
        there = state_of(do.like) if do.like else {}
        if do.like is None or there.get("model") != _weights_digest(do.model_dir):
            return
        names = [BASE] if there.get("quantization") == do.quantization else []
        if names and there.get("material") == self.digest:
            names += sorted(path.name for path in do.like.glob("before.*.json"))
        for name in names:
            if (do.like / name).exists() and not (do.out / name).exists():
                _link(do.like / name, do.out / name)

    def convert(self, model_dir: Path, name: str, adapter: Path | None) -> None:
        """A GGUF file for llama.cpp."""
        from clika_client.conductivity.convert import to_gguf
        from clika_client.conductivity.convert_elsewhere import convert_with
        from clika_client.conductivity.examples import PLAIN_TEMPLATE

        path = self.do.out / name
        self.watcher.step(f"convert to {name}", done=path.exists())
        if not path.exists():
            with replacing(path) as part:
                if self.do.converter is None:
                    to_gguf(model_dir, part, self.do.quantization, adapter, template=PLAIN_TEMPLATE)
                else:
                    convert_with(self.do.converter, model_dir, part, self.do.quantization, adapter, PLAIN_TEMPLATE)

    def ask(self, when: str, model: str, questions: Sequence[ExperimentQuestion]) -> None:
        """Ask everything in each form, and the questions that tell what was forgotten."""
        from clika_providers.registry import connect

        do = self.do
        database = do.database or do.out / "replies.db"
        for form in do.forms:
            path = do.out / reply_file(when, form)
            there = load_replies(path, self.digest) is not None
            self.watcher.step(f"ask {when} teaching ({form})", done=there)
            if not there:
                replies = asking.ask(
                    connect(f"gguf/{do.out / model}", do.options),
                    sets_of_parts(questions, form),
                    form,
                    database=database,
                    material=self.digest,
                    progress=self.watcher.asked,
                )
                save_replies(replies, path)
        if do.general:
            path = do.out / forgetting.reply_file(when)
            self.watcher.step(f"ask {when} teaching (atlas)", done=path.exists())
            if not path.exists():
                languages = (ANCHOR, *(pair.language for pair in self.material.pairs))
                provider = connect(f"gguf/{do.out / model}", do.options)
                forgetting.ask(provider, languages, do.general, database, path)

    def teach(self) -> None:
        """Train to the end of this round, and make the tuned model a GGUF file."""
        do = self.do
        done = (do.out / TAUGHT).exists()
        self.watcher.step("teach" if self.passes <= do.settings.epochs else "teach on", done=done)
        if done:
            return
        from clika_client.conductivity import train
        from clika_client.conductivity.launch import launched

        gates = write_gates(self.material, do.out / "gates")
        job = (do.model_dir, do.material / folder.TEACHING, do.out / "teaching", do.settings)
        if do.launch is None:
            result = train.run(*job, self.watcher.taught, gates, self.passes)
        else:
            result = launched(do.launch, *job, self.watcher.taught, gates, self.passes)
        if do.settings.method == "lora":
            self.convert(do.model_dir, TAUGHT, result.path)
        else:
            self.convert(result.path, TAUGHT, None)


def continued(experiment: Experiment) -> TeachSettings:
    """The settings, for a folder that exists: more `epochs` than it was begun with are further rounds of those."""
    settings = experiment.settings
    begun = state_of(experiment.out).get("settings", {}).get("epochs", settings.epochs)
    if settings.epochs <= begun:
        return settings
    return replace(settings, epochs=begun, max_epochs=max(settings.epochs, settings.max_epochs or 0))


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _weights_digest(model_dir: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted((model_dir / "config.json", *model_dir.glob("*.safetensors"))):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()
