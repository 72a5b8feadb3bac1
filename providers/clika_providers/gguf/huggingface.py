"""Fetches a model from the Hugging Face hub with the hub's own client, which resumes and shows progress."""

from __future__ import annotations

from pathlib import Path

from clika_providers.gguf.errors import BadModelFile, MissingPackage


def download(name: str) -> Path:
    """The local path of `owner/repo:file`, fetched if need be and checked against the hub's SHA-256.

    Raises MissingPackage without huggingface_hub, BadModelFile for a wrong name or a damaged file.
    """
    repo, _, file = name.partition(":")
    if repo.count("/") != 1 or not file:
        raise BadModelFile(f"'hf:{name}' is not complete: write gguf/hf:OWNER/REPO:FILE.gguf")
    try:
        import huggingface_hub as hub
    except ImportError:
        raise MissingPackage(
            "models from the Hugging Face hub need its client: pip install huggingface_hub "
            "(or download the file yourself and give its path)"
        ) from None
    try:
        paths = [Path(hub.hf_hub_download(repo, part)) for part in _parts(file)]
        for path in paths:
            _check(repo, path, file)
    except BadModelFile:
        raise
    except Exception as error:  # the client raises by a dozen classes, from several packages
        raise BadModelFile(f"cannot fetch {file!r} from {repo!r}: {_plain(error)}") from None
    return paths[0]


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
            f"Delete {str(path.resolve())!r} and try again."
        )


def _plain(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
