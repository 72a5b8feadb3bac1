"""Studies: models x directions x languages x seeds from one file, each an experiment in a folder of its own."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.holding import Busy
from clika_client.conductivity import about, experiment_folder, folder, forgetting
from clika_client.conductivity import experiment as loop
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.conductivity.formats import write_json
from clika_client.conductivity.material import Form
from clika_client.conductivity.presets import TeachSettings, preset
from clika_client.conductivity.watcher import Watcher
from clika_providers import ProviderOptions

DIRECTIONS = ("from-en", "to-en")
"""Taught in English and asked in the language, or the other way round."""
NOTE = "study.json"
"""In the study's folder: what must stay as it was while experiments are there."""


@dataclass(frozen=True, slots=True)
class Study:
    """What a study file says. Models, languages, directions and seeds may be added later; the rest may not change."""

    out: Path
    models: Mapping[str, Path]
    """Name → Hugging Face model directory."""
    languages: tuple[str, ...]
    directions: tuple[str, ...] = ("from-en",)
    seeds: int = 1
    together: bool = False
    """Teach all languages of the direction from English to one model; the other direction has each its own anyhow,
    for facts that are taught in two languages are no test of either."""
    forms: tuple[Form, ...] = ()
    """Empty: as the material is taught."""
    quantization: str = "f16"
    threads: int | None = None
    general: int = forgetting.QUESTIONS
    material: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `build.TeachingPlan` besides languages and direction."""
    settings: TeachSettings = field(default_factory=TeachSettings)

    def cells(self) -> Iterator[StudyExperiment]:
        """Every experiment: all of the first seed before the second, so that a broken-off study is a smaller one."""
        for seed in range(1, self.seeds + 1):
            for name, model in self.models.items():
                for direction in self.directions:
                    for languages in self._groups(direction):
                        yield StudyExperiment(self, name, model, direction, languages, seed)

    def _groups(self, direction: str) -> list[tuple[str, ...]]:
        if self.together and direction == "from-en":
            return [self.languages]
        return [(language,) for language in self.languages]


@dataclass(frozen=True, slots=True)
class StudyExperiment:
    """One experiment of a study."""

    study: Study
    name: str
    model: Path
    direction: str
    languages: tuple[str, ...]
    seed: int

    @property
    def condition(self) -> str:
        """What all seeds of it share, besides the model."""
        return f"{'+'.join(self.languages)}.{self.direction}"

    @property
    def material(self) -> Path:
        """Folder of what is taught and asked."""
        return self.study.out / "material" / self.condition

    @property
    def out(self) -> Path:
        """Folder of the experiment."""
        return self.study.out / self.name / self.condition / f"seed-{self.seed}"

    @property
    def plan(self) -> TeachingPlan:
        """What its material is built from; raises UserError for what cannot be built."""
        return TeachingPlan(self.languages, reverse=self.direction == "to-en", **self.study.material)

    def experiment(self) -> loop.Experiment:
        """What `experiment.run` does for it."""
        study = self.study
        other = next(cell for cell in study.cells() if cell.name == self.name)
        same = replace(self, seed=1).out
        return loop.Experiment(
            self.model,
            self.material,
            self.out,
            replace(study.settings, seed=self.seed),
            study.forms or (folder.read(self.material).form,),
            study.quantization,
            ProviderOptions(n_threads=study.threads),
            general=study.general,
            like=(same if self.seed > 1 else other.out) if other != self else None,
        )

    def steps(self) -> list[tuple[str, bool]]:
        """What its folder is to hold, and whether it does; empty where it was not begun."""
        return experiment_folder.steps(self.out) if (self.out / about.STATE).is_file() else []

    @property
    def done(self) -> bool:
        """Whether nothing is left to do in it."""
        steps = self.steps()
        return bool(steps) and all(there for _, there in steps)


def read_study(path: Path, out: Path | None = None) -> Study:
    """The study in a TOML file; its paths are taken from where the file is. Raises UserError with what is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; docs/conductivity.md shows a study file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a study file: {error}") from error
    try:
        return _study(document, path, out)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except TypeError as error:
        raise UserError(f"{path}: a value is of another kind than it should be: {error}") from None


def _study(document: dict[str, Any], path: Path, out: Path | None) -> Study:
    known = {"models", "languages", "directions", "seeds", "together", "forms", "quantization", "threads"}
    _check_keys(document, known | {"forgetting", "material", "teach"}, "study")
    models = _words(document, "models")
    languages = _words(document, "languages")
    directions = _words(document, "directions", ("from-en",))
    if wrong := [each for each in directions if each not in DIRECTIONS]:
        raise UserError(f"no direction {wrong[0]!r}; there are {', '.join(DIRECTIONS)}")
    material = {key.replace("-", "_"): value for key, value in dict(document.get("material", {})).items()}
    _check_keys(material, {f.name for f in fields(TeachingPlan)} - {"languages", "reverse"}, "[material]")
    study = Study(
        out or path.with_suffix(""),
        _named([Path(os.path.abspath(path.parent / Path(model).expanduser())) for model in models]),
        tuple(languages),
        tuple(directions),
        _number(document, "seeds", 1, 1),
        bool(document.get("together", False)),
        tuple(_words(document, "forms", ())),  # type: ignore[arg-type]
        str(document.get("quantization", "f16")),
        document.get("threads"),
        _number(document, "forgetting", forgetting.QUESTIONS, 0),
        material,
        _settings(dict(document.get("teach", {}))),
    )
    for cell in study.cells():
        cell.plan.pairs()
    return study


def _settings(given: dict[str, Any]) -> TeachSettings:
    found = preset(given.pop("preset", "paper"), given.pop("method", None))
    given = {key.replace("-", "_"): value for key, value in given.items()}
    given = {{"checkpoint_every": "checkpoint_s"}.get(key, key): value for key, value in given.items()}
    _check_keys(given, {f.name for f in fields(TeachSettings)} - {"seed", "method"}, "[teach]")
    if "targets" in given:
        given["targets"] = tuple(given["targets"])
    return replace(found, **given)


def _check_keys(given: Mapping[str, Any], known: set[str], where: str) -> None:
    if wrong := sorted(given.keys() - known):
        raise UserError(f"{wrong[0]!r} is no setting of {where}; there are {', '.join(sorted(known))}")


def _number(document: Mapping[str, Any], key: str, default: int, least: int) -> int:
    found = document.get(key, default)
    if not isinstance(found, int) or isinstance(found, bool) or found < least:
        raise UserError(f"{key} must be a whole number of at least {least}, got {found!r}")
    return found


def _words(document: Mapping[str, Any], key: str, default: Sequence[str] | None = None) -> list[str]:
    found = document.get(key, default)
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list | tuple) or not all(isinstance(each, str) for each in found):
        raise UserError(f"{key} must be a list of texts, got {found!r}")
    if default is None and not found:
        raise UserError(f"{key} names nothing")
    return list(dict.fromkeys(found))


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Folder names of the models; those that two share have the one above before them."""
    named: dict[str, Path] = {}
    for path in paths:
        alone = sum(other.name == path.name for other in paths) == 1
        named[path.name if alone else f"{path.parent.name}-{path.name}"] = path
    if len(named) < len(paths):
        raise UserError("two models have the same names; rename the folder of one")
    return named


def run(study: Study, watcher: Watcher | None = None, told: Any = lambda cell: None) -> list[StudyExperiment]:
    """Do what is not done yet; the cells that another process is at work in are left to it, and returned.

    `told` hears of each cell before it begins. Raises what `experiment.run` raises; the same call then goes on.
    """
    prepare(study)
    left = []
    for cell in study.cells():
        told(cell)
        try:
            loop.run(cell.experiment(), watcher)
        except Busy:
            left.append(cell)
    return left


def prepare(study: Study) -> None:
    """Build the material; raises UserError where the folder holds another study."""
    study.out.mkdir(parents=True, exist_ok=True)
    note = study.out / NOTE
    now = json.loads(
        json.dumps(
            {"material": dict(study.material), "teach": study.settings.lasting, "quantization": study.quantization}
        )
    )
    if note.exists():
        before = json.loads(note.read_text("utf-8"))
        if other := [key for key in now if before.get(key) != now[key]]:
            raise UserError(f"{study.out} holds a study with other {' and '.join(other)}; name another folder with -o")
    write_json(note, now)
    for cell in study.cells():
        if not (cell.material / folder.MANIFEST).exists():
            folder.write(build(cell.plan), cell.material)
