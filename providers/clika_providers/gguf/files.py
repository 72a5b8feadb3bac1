"""Opens a GGUF model: checks every part of it, and names its weights by digest.

A digest is computed once per file and remembered with the file's size, times and inode, so that a file
changed under the same name is noticed and an unchanged one costs nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from clika_providers.gguf.errors import BadModelFile, NotALanguageModel
from clika_providers.gguf.header import Header, read_header
from clika_providers.gguf.remembered import folder, read, write

PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on disk, whole and readable: its first file's header, and the paths of all its parts."""

    header: Header
    parts: tuple[Path, ...]
    size: int
    """Bytes of all parts."""
    parameters: int

    @property
    def path(self) -> Path:
        """What llama.cpp is given: the first part."""
        return self.parts[0]

    @property
    def label(self) -> str:
        """The model's own name for itself, without control characters; never a path."""
        name = self.header.text("general.name") or self.header.architecture
        return f"{''.join(c for c in name if c.isprintable()).strip()[:80] or 'model'} {self.header.quantization}"


def open_model(path: Path) -> ModelFile:
    """Check a model file and, if it is split, all its parts; raises BadModelFile saying what is wrong."""
    first = _first_part(path)
    header = _read(first)
    if header.text("general.type") == "adapter":
        raise NotALanguageModel(f"{str(path)!r} is an adapter, not a model. Give it with --lora, next to the model")
    if not header.is_model:
        what = "an image projector" if header.architecture == "clip" else "no language model"
        raise NotALanguageModel(f"{str(path)!r} holds {what}; give the model's own GGUF file")
    headers = [header] + [_read(part) for part in _parts(first, header.split_count)[1:]]
    for one in headers:
        _check_whole(one)
    promised = header.number("split.tensors.count")
    found = sum(one.tensor_count for one in headers)
    if promised and promised != found:
        raise BadModelFile(f"{str(path)!r} promises {promised} tensors, its parts hold {found}: parts of two models?")
    return ModelFile(
        header=header,
        parts=tuple(one.path for one in headers),
        size=sum(one.size for one in headers),
        parameters=sum(one.parameters for one in headers),
    )


def open_adapter(path: Path, model: ModelFile) -> Header:
    """Check a LoRA adapter for a model; raises BadModelFile."""
    if not path.is_file():
        raise BadModelFile(f"no LoRA adapter at {str(path)!r}. Check the path given to --lora")
    header = _read(path)
    if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
        raise BadModelFile(f"{str(path)!r} is not a LoRA adapter in GGUF form (convert_lora_to_gguf.py makes one)")
    _check_whole(header)
    if header.architecture and header.architecture != model.header.architecture:
        raise BadModelFile(
            f"the adapter {str(path)!r} is for {header.architecture!r} models, "
            f"{model.path.name!r} is {model.header.architecture!r}"
        )
    return header


def _read(path: Path) -> Header:
    try:
        if path.is_dir():
            raise BadModelFile(f"{str(path)!r} is a folder; give one GGUF file in it")
        return read_header(path)
    except FileNotFoundError:
        raise BadModelFile(f"no model file at {str(path)!r}") from None
    except OSError as error:
        raise BadModelFile(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _first_part(path: Path) -> Path:
    found = PART.match(path.name)
    if not found:
        return path
    return path.with_name(f"{found['stem']}-{1:05d}-of-{found['count']}.gguf")


def _parts(first: Path, count: int) -> list[Path]:
    if count == 1:
        return [first]
    found = PART.match(first.name)
    if not found:
        raise BadModelFile(
            f"{str(first)!r} is the first of {count} parts, but its name does not end in -00001-of-{count:05d}.gguf, "
            "so the others cannot be found. Give the files their original names"
        )
    paths = [first.with_name(f"{found['stem']}-{n:05d}-of-{count:05d}.gguf") for n in range(1, count + 1)]
    missing = [part.name for part in paths if not part.exists()]
    if missing:
        raise BadModelFile(f"the model has {count} parts; missing beside {str(first)!r}: {', '.join(missing)}")
    return paths


def _check_whole(header: Header) -> None:
    if header.size < header.data_end:
        raise BadModelFile(
            f"{str(header.path)!r} is truncated: {header.size} bytes of {header.data_end}; download it again"
        )


def digest(path: Path) -> str:
    """SHA-256 of a file in hex, remembered until the file changes."""
    state = _state(path)
    memory = folder() / "gguf-digests.json"
    key = str(path.resolve())
    known = read(memory).get(key)
    if isinstance(known, list) and known[:-1] == state:
        return str(known[-1])
    with path.open("rb") as file:
        made = hashlib.file_digest(file, "sha256").hexdigest()
    if _state(path) == state:  # a file still being written is not remembered
        write(memory, {**read(memory), key: [*state, made]})
    return made


def weights_digest(parts: tuple[Path, ...]) -> str:
    """One name for all of a model's files: the file's SHA-256, or the SHA-256 over those of the parts."""
    digests = [digest(part) for part in parts]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def fingerprint(parts: tuple[Path, ...]) -> tuple[list[int], ...]:
    """What tells cheaply whether files changed: size, modification and change times, inode."""
    return tuple(_state(part) for part in parts)


def _state(path: Path) -> list[int]:
    # The change time is there because copying tools preserve the modification time.
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
