"""Finds GGUF models where other programs keep them, and turns what a user typed into one file.

Places looked in: `--models-dir`, LM Studio, Ollama (its blobs have no names; the manifests do), the Hugging
Face cache and llama.cpp's own download cache.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from clika_providers.gguf.errors import BadModelFile, NotALanguageModel
from clika_providers.gguf.files import open_model
from clika_providers.gguf.huggingface import download, named_cache

HUB = "hf:"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model file found on this machine; sizes in bytes, context in tokens."""

    name: str
    """What to write after `gguf/`."""
    path: Path
    source: str
    """Whose folder it was found in."""
    size: int = 0
    quantization: str = "?"
    context_length: int = 0
    architecture: str = ""
    parameters: int = 0
    problem: str | None = None
    """Why it cannot run, if it cannot."""


def list_local(models_dir: Path | None = None) -> list[LocalModel]:
    """Every model in the usual places, sorted by name; damaged files are listed with the problem.

    Each file once, but under every name that Ollama has for it: each can be asked for.
    """
    found: dict[tuple[Path, str], LocalModel] = {}
    files: set[Path] = set()
    for name, path, source in candidates(models_dir):
        real = path.resolve()
        if real in files and source != "Ollama":
            continue
        described = _describe(name, path, source)
        if described is not None:
            files.add(real)
            found[real, name] = described
    return sorted(found.values(), key=lambda model: (model.name.casefold(), str(model.path)))


def _describe(name: str, path: Path, source: str) -> LocalModel | None:
    try:
        opened = open_model(path)
    except NotALanguageModel:
        return None
    except BadModelFile as error:
        return LocalModel(name, path, source, size=path.stat().st_size if path.exists() else 0, problem=str(error))
    header = opened.header
    return LocalModel(
        name=name,
        path=path,
        source=source,
        size=opened.size,
        quantization=header.quantization,
        context_length=header.context_length,
        architecture=header.architecture,
        parameters=opened.parameters,
    )


def candidates(models_dir: Path | None = None) -> Iterator[tuple[str, Path, str]]:
    """(name, path, source) of everything that looks like a model, without opening it."""
    if models_dir is not None:
        if not models_dir.is_dir():
            raise BadModelFile(f"no folder {str(models_dir)!r}. Check the path given to --models-dir")
        yield from _in_folder(models_dir, "models-dir")
    for folder in _lm_studio():
        yield from _in_folder(folder, "LM Studio")
    yield from _ollama()
    yield from _in_folder(_hugging_face(), "Hugging Face")
    for folder in _llama_cpp():
        yield from _in_folder(folder, "llama.cpp")


def _in_folder(folder: Path, source: str) -> Iterator[tuple[str, Path, str]]:
    if not folder.is_dir():
        return
    for parent, _, names in os.walk(folder, followlinks=False):
        for name in sorted(names):
            later_part = "-of-" in name and "-00001-of-" not in name
            if name.lower().endswith(".gguf") and not later_part:
                yield name, Path(parent) / name, source


def _home() -> Path:
    return Path.home()


def _lm_studio() -> list[Path]:
    home = _home()
    folders = [home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"]
    try:
        settings = json.loads((home / ".lmstudio" / "settings.json").read_text("utf-8"))
        folders.insert(0, Path(settings["downloadsFolder"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return folders


def _hugging_face() -> Path:
    return Path(named_cache() or _cache_home() / "huggingface" / "hub")


def _llama_cpp() -> list[Path]:
    """Where llama.cpp keeps what it fetched, on Linux, macOS and Windows."""
    if os.environ.get("LLAMA_CACHE"):
        return [Path(os.environ["LLAMA_CACHE"])]
    places = [_cache_home(), _home() / "Library" / "Caches"]
    if os.environ.get("LOCALAPPDATA"):
        places.append(Path(os.environ["LOCALAPPDATA"]))
    return [place / "llama.cpp" for place in places]


def _cache_home() -> Path:
    return Path(os.environ["XDG_CACHE_HOME"]) if os.environ.get("XDG_CACHE_HOME") else _home() / ".cache"


def _ollama() -> Iterator[tuple[str, Path, str]]:
    asked = os.environ.get("OLLAMA_MODELS")
    for root in [Path(asked)] if asked else [_home() / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")]:
        manifests = root / "manifests"
        try:
            files = sorted(path for path in manifests.rglob("*") if path.is_file()) if manifests.is_dir() else []
        except OSError:
            continue
        for manifest in files:
            blob = _ollama_blob(root, manifest)
            if blob is not None:
                yield _ollama_name(manifest.relative_to(manifests)), blob, "Ollama"


def _ollama_blob(root: Path, manifest: Path) -> Path | None:
    try:
        layers = json.loads(manifest.read_text("utf-8"))["layers"]
        digest = next(one["digest"] for one in layers if one["mediaType"] == "application/vnd.ollama.image.model")
        return root / "blobs" / Path(str(digest).replace(":", "-")).name
    except (OSError, ValueError, KeyError, TypeError, StopIteration, RecursionError):
        return None


def _ollama_name(manifest: Path) -> str:
    """`registry.ollama.ai/library/qwen3/4b` is written `qwen3:4b`, as Ollama does."""
    *place, model, tag = manifest.parts
    if place[:1] == ["registry.ollama.ai"]:
        place = place[1:]
    if place == ["library"]:
        place = []
    return "/".join([*place, f"{model}:{tag}"])


def resolve(model: str, models_dir: Path | None = None) -> Path:
    """The file meant by what follows `gguf/`; raises BadModelFile naming what was found instead."""
    if model.startswith(HUB):
        return download(model.removeprefix(HUB))
    path = Path(model).expanduser()
    inside = models_dir / model if models_dir is not None else path
    for place in (path, inside):
        if place.is_file():
            return place
    if path.is_dir():
        return _only_model_in(path)
    return _by_name(model, list(candidates(models_dir)))


def _only_model_in(folder: Path) -> Path:
    found = [path for _, path, _ in _in_folder(folder, "")]
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found[:8]) or "none"
    raise BadModelFile(f"{str(folder)!r} is a folder; give one GGUF file in it (it holds: {names})")


def _by_name(model: str, known: Iterable[tuple[str, Path, str]]) -> Path:
    wanted = model.casefold()
    by_name: dict[str, dict[Path, Path]] = {}
    for name, path, _ in known:
        by_name.setdefault(name, {})[path.resolve()] = path
    hits = {
        real: path
        for name, paths in by_name.items()
        if wanted in (name.casefold(), name.casefold().removesuffix(".gguf"), name.casefold().removesuffix(":latest"))
        for real, path in paths.items()
    }
    if len(hits) == 1:
        return next(iter(hits.values()))
    if hits:
        places = ", ".join(repr(str(path)) for path in hits.values())
        raise BadModelFile(f"{model!r} is the name of {len(hits)} files: {places}; give the path of one")
    near = get_close_matches(model, by_name, n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ";"
    raise BadModelFile(
        f"no model file {model!r}, here or in the usual places{hint} list them: clika models list --local"
    )
