"""Fetches a model from the Hugging Face hub with the hub's own client, which resumes and shows progress."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from clika_providers.gguf.errors import BadModelFile, MissingPackage


@dataclass(frozen=True, slots=True)
class FileOffer:
    """What the hub says of a file before it is fetched."""

    size: int
    """Bytes of all parts."""
    licence: str
    here: bool
    """Whether the hub's cache has it already."""


def offer(name: str) -> FileOffer:
    """Size and licence of `owner/repo:file`, without fetching it.

    Raises MissingPackage without huggingface_hub, BadModelFile for a wrong name or where no hub can be reached.
    """
    repo, file, hub = _named(name)
    file = _file(repo, file, hub)
    parts = _parts(file)
    try:
        info = hub.HfApi(endpoint=_endpoint()).model_info(repo, files_metadata=True, timeout=20)
        sizes = {one.rfilename: one.size or 0 for one in info.siblings or ()}
        licence = next((tag.partition(":")[2] for tag in info.tags or () if tag.startswith("license:")), "not told")
        here = all(isinstance(hub.try_to_load_from_cache(repo, part, cache_dir=named_cache()), str) for part in parts)
    except Exception as error:  # the client raises by a dozen classes, from several packages
        raise BadModelFile(f"the hub cannot be asked for {repo!r}: {_plain(error)}") from None
    if not set(parts) <= set(sizes):
        raise BadModelFile(f"{repo!r} holds no {file!r}; it has: {', '.join(sorted(sizes)) or 'nothing'}")
    return FileOffer(sum(sizes[part] for part in parts), licence, here)


def download(name: str) -> Path:
    """The local path of `owner/repo:file`, fetched if need be and checked against the hub's SHA-256.

    Raises MissingPackage without huggingface_hub, BadModelFile for a wrong name or a damaged file.
    """
    repo, file, hub = _named(name)
    file = _file(repo, file, hub)
    try:
        paths = [
            Path(hub.hf_hub_download(repo, part, cache_dir=named_cache(), endpoint=_endpoint()))
            for part in _parts(file)
        ]
        for path in paths:
            _check(repo, path, file)
    except BadModelFile:
        raise
    except Exception as error:  # the client raises by a dozen classes, from several packages
        raise BadModelFile(f"cannot fetch {file!r} from {repo!r}: {_plain(error)}") from None
    return paths[0]


def _named(name: str) -> tuple[str, str, ModuleType]:
    """(repository, file, the hub's client)."""
    repo, _, file = name.partition(":")
    if repo.count("/") != 1 or not file:
        raise BadModelFile(f"'hf:{name}' is not complete: write gguf/hf:OWNER/REPO:FILE.gguf, or :QUANTIZATION")
    try:
        import huggingface_hub as hub
    except ImportError:
        raise MissingPackage(
            "models from the Hugging Face hub need its client: pip install huggingface_hub "
            "(or download the file yourself and give its path)"
        ) from None
    return repo, file, hub


def _file(repo: str, file: str, hub: ModuleType) -> str:
    """The file that is meant: one that is named, or the only model of a quantization (`Q4_K_M`)."""
    if file.lower().endswith(".gguf"):
        return file
    held = [name for name in _listed(repo, hub) if name.lower().endswith(".gguf")]
    asked = re.compile(rf"(?<![a-z0-9]){re.escape(file)}(?![a-z0-9_])", re.IGNORECASE)
    # Of a split model the first part stands for all; a vision tower is no model of its own.
    found = [n for n in held if asked.search(n) and "mmproj" not in n.lower() and _parts(n)[0] == n]
    if len(found) != 1:
        what = f"{len(found)} models of quantization" if found else "no model of quantization"
        listed = ", ".join(sorted(found or held)) or "no GGUF file"
        raise BadModelFile(f"{repo!r} holds {what} {file!r}; name one of its files: {listed}")
    return found[0]


def _endpoint() -> str | None:
    """The hub that the environment names now; the client alone reads it once, when it is imported."""
    return os.environ.get("HF_ENDPOINT") or None


def named_cache() -> str | None:
    """The folder of fetched files that the environment names now; None leaves it to the client."""
    home = os.environ.get("HF_HOME")
    return os.environ.get("HF_HUB_CACHE") or (str(Path(home) / "hub") if home else None)


def _listed(repo: str, hub: ModuleType) -> list[str]:
    """Names of a repository's files, from the hub, else from what was fetched before."""
    try:
        return [one.rfilename for one in hub.HfApi(endpoint=_endpoint()).model_info(repo, timeout=20).siblings or ()]
    except Exception as error:  # the client raises by a dozen classes, from several packages
        try:
            folder = Path(hub.snapshot_download(repo, cache_dir=named_cache(), local_files_only=True))
        except Exception:
            raise BadModelFile(f"the hub cannot be asked for the files of {repo!r}: {_plain(error)}") from None
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _parts(file: str) -> list[str]:
    from clika_providers.gguf.files import PART

    found = PART.match(file)
    if not found:
        return [file]
    return [f"{found['stem']}-{n:05d}-of-{found['count']}.gguf" for n in range(1, int(found["count"]) + 1)]


def _check(repo: str, path: Path, file: str) -> None:
    """Large files are stored under their SHA-256, which the cache keeps as the blob's name."""
    blob = path.resolve().name
    if len(blob) != 64:
        return
    from clika_providers.gguf.files import digest

    if digest(path) != blob:
        raise BadModelFile(
            f"{file!r} from {repo!r} does not match the hub's checksum: the download is damaged. "
            f"Delete {str(path.resolve())!r} and try again"
        )


def _plain(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
