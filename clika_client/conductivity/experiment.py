"""The whole experiment on a local model: ask before, teach, convert, ask after, score; each step once.

Every step leaves a file in the experiment's folder, whole or not at all; a step whose file is there is not
done again, so the same call after a crash goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from clika_client.common.errors import UserError
from clika_client.conductivity import asking, folder
from clika_client.conductivity.build import ask_as_choice
from clika_client.conductivity.formats import write_json, write_jsonl
from clika_client.conductivity.material import GATES, Form, Material, Question
from clika_client.conductivity.presets import TeachSettings
from clika_client.conductivity.question_sets import sets_of_parts
from clika_client.conductivity.score import Score, score
from clika_client.sets.fictional.language import read
from clika_providers import ProviderOptions

if TYPE_CHECKING:
    from clika_client.conductivity.train import TeachProgress

STATE, BASE, TAUGHT, SCORE = "experiment.json", "base.gguf", "taught.gguf", "score.json"
WATCHED = 50
"""Questions per gate that are asked while teaching; the gate itself is scored from all of them afterwards."""


class Watcher(Protocol):
    """Who is told how the experiment is going."""

    def step(self, name: str, *, done: bool) -> None:
        """A step begins, or `done`: its result is there already."""
        ...

    def asked(self, done: int, total: int) -> None:
        """Questions answered so far in this step."""
        ...

    def taught(self, progress: TeachProgress) -> None:
        """One step of training."""
        ...


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


class Silent:
    """Watches without a word."""

    def step(self, name: str, *, done: bool) -> None:
        """Say nothing."""

    def asked(self, done: int, total: int) -> None:
        """Say nothing."""

    def taught(self, progress: TeachProgress) -> None:
        """Say nothing."""


def run(experiment: Experiment, watcher: Watcher | None = None) -> list[Score]:
    """Do what is not done yet and score, one Score per form.

    Raises UserError for bad input or a folder that holds another experiment, IncompleteRun for questions
    without an answer, StoppedRun on Ctrl-C; the same call then goes on.
    """
    return _Loop(experiment, watcher or Silent()).run()


class _Loop:
    """One call of `run`."""

    def __init__(self, experiment: Experiment, watcher: Watcher) -> None:
        self.do, self.watcher = experiment, watcher
        self.material = folder.read(experiment.material)
        self.digest = folder.material_digest(experiment.material)

    def run(self) -> list[Score]:
        self.claim()
        do = self.do
        self.convert(do.model_dir, BASE, None)
        self.ask("before", BASE, self.material.baseline)
        self.teach()
        self.ask("after", TAUGHT, self.material.questions)
        scores = score_folder(do.material, do.out)
        write_json(do.out / SCORE, {"scores": [one.to_json() for one in scores]})
        return scores

    def claim(self) -> None:
        """Note what this folder is for; raises UserError when it is for something else."""
        do = self.do
        if not (do.model_dir / "config.json").is_file():
            raise UserError(f"{do.model_dir} is no Hugging Face model directory: it holds no config.json")
        now = {
            "format": 1,
            "material": self.digest,
            "model": _weights_digest(do.model_dir),
            "settings": json.loads(json.dumps(asdict(do.settings))),
            "quantization": do.quantization,
        }
        path = do.out / STATE
        if path.exists():
            before = json.loads(path.read_text("utf-8"))
            other = [key for key, value in now.items() if before.get(key) != value]
            if other:
                raise UserError(
                    f"{do.out} holds an experiment with other {' and '.join(other)}; name another folder with -o, or "
                    "delete this one to start over"
                )
        do.out.mkdir(parents=True, exist_ok=True)
        write_json(path, {**now, "material_path": str(do.material.resolve())})

    def convert(self, model_dir: Path, name: str, adapter: Path | None) -> None:
        """A GGUF file for llama.cpp."""
        from clika_client.conductivity.convert import to_gguf

        path = self.do.out / name
        self.watcher.step(f"convert to {name}", done=path.exists())
        if not path.exists():
            part = path.with_suffix(".part.gguf")
            to_gguf(model_dir, part, self.do.quantization, adapter)
            part.replace(path)

    def ask(self, when: str, model: str, questions: Sequence[Question]) -> None:
        """Ask everything in each form."""
        from clika_providers.registry import connect

        do = self.do
        for form in do.forms:
            path = do.out / reply_file(when, form)
            there = asking.load(path, self.digest) is not None
            self.watcher.step(f"ask {when} teaching ({form})", done=there)
            if not there:
                provider = connect(f"gguf/{do.out / model}", do.options)
                database = do.database or do.out / "replies.db"
                replies = asking.ask(
                    provider,
                    sets_of_parts(questions, form),
                    form,
                    database=database,
                    material=self.digest,
                    progress=self.watcher.asked,
                )
                asking.save(replies, path)

    def teach(self) -> None:
        """Train, and make the tuned model a GGUF file."""
        done = (self.do.out / TAUGHT).exists()
        self.watcher.step("teach", done=done)
        if done:
            return
        from clika_client.conductivity import train

        do = self.do
        gates = write_gates(self.material, do.out / "gates")
        teaching = do.material / folder.TEACHING
        result = train.run(do.model_dir, teaching, do.out / "teaching", do.settings, self.watcher.taught, gates)
        if do.settings.method == "lora":
            self.convert(do.model_dir, TAUGHT, result.path)
        else:
            self.convert(result.path, TAUGHT, None)


def steps(out: Path) -> list[tuple[str, bool]]:
    """What an experiment's folder is to hold in the end, and whether it does; raises UserError for another folder."""
    if not (out / STATE).is_file():
        raise UserError(f"{out} holds no experiment; `clika teach run` begins one")
    asked = sorted(path.name for path in out.glob("before.*.json"))
    names = [BASE, *(asked or ["before.text.json"]), TAUGHT, *(n.replace("before", "after") for n in asked), SCORE]
    return [(name, (out / name).exists()) for name in names]


def material_of(out: Path) -> Path:
    """The material an experiment was begun with; raises UserError for a folder without an experiment."""
    steps(out)
    return Path(json.loads((out / STATE).read_text("utf-8"))["material_path"])


def reply_file(when: str, form: Form) -> str:
    """Name of the file that keeps the replies of one step."""
    return f"{when}.{form}.json"


def score_folder(material_dir: Path, out: Path, **options: Any) -> list[Score]:
    """Score every form that was asked after teaching; raises UserError when there is none."""
    material = folder.read(material_dir)
    digest = folder.material_digest(material_dir)
    scores = []
    for form in asking.FORMS:
        after = asking.load(out / reply_file("after", form), digest)
        if after is not None:
            before = asking.load(out / reply_file("before", form), digest)
            scores.append(score(material, after, before, **options))
    if not scores:
        raise UserError(
            f"{out} holds no replies after teaching yet; `clika teach run` or `clika teach ask` writes them"
        )
    return scores


def write_gates(material: Material, directory: Path) -> Mapping[str, Path] | None:
    """Gate questions in the form the answers are taught in, for watching the training; None where there is no one
    form (the authors' rows answer in ten)."""
    if material.source != "fictional":
        return None
    directory.mkdir(parents=True, exist_ok=True)
    files = {}
    for pair in material.pairs:
        for part in GATES:
            questions = material.asked(pair.language, part)
            some = questions[:: max(1, len(questions) // WATCHED)]
            path = directory / f"{pair.language}.{part}.jsonl"
            files[f"{pair.language} {part}"] = write_jsonl(path, [_as_taught(material, q) for q in some])
    return files


def _as_taught(material: Material, question: Question) -> dict[str, Any]:
    answer = question.answer
    prompt = question.text
    if material.form == "choice":
        prompt, labels = ask_as_choice(question.text, question.language, question.choices)
        answer = labels[question.gold]
    elif question.part != "translation":
        answer = read(question.language).answer.format(continent=answer)
    return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]}


def _weights_digest(model_dir: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted((model_dir / "config.json", *model_dir.glob("*.safetensors"))):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()
