"""Reads the header of a GGUF file: metadata and tensor table, without loading the model.

Follows the GGUF specification, versions 2 and 3, little-endian. Every length in the file is checked against
the file's own size before it is believed, so a truncated or hostile file ends in `BadModelFile`, never in a
huge allocation. Long arrays (the vocabulary) are walked over, not kept.
"""

from __future__ import annotations

import mmap
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from clika_providers.gguf.errors import BadModelFile

Scalar: TypeAlias = "bool | int | float | str"
_MOST_DIMENSIONS = 4
_KEPT_ARRAY = 1024
"""Arrays up to this many scalars are kept (per-layer head counts); longer ones are the vocabulary."""

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9

# ggml tensor types: name, elements per block, bytes per block.
_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip

# general.file_type, as llama.cpp's quantizer writes it.
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """What one GGUF file says of itself; sizes in bytes."""

    path: Path
    size: int
    metadata: Mapping[str, Scalar | tuple[Scalar, ...]]
    vocabulary_size: int
    tensor_count: int
    parameters: int
    """Elements of all tensors in this file."""
    tensor_types: Mapping[str, int]
    """Bytes by tensor type."""
    data_end: int
    """Where the last tensor ends; a smaller file is truncated."""

    def text(self, key: str) -> str | None:
        """A metadata string, or None."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def number(self, key: str, default: int = 0) -> int:
        """A whole number from the metadata; per-layer arrays give their largest entry."""
        value = self.metadata.get(key, default)
        if isinstance(value, tuple):
            return max((int(v) for v in value if isinstance(v, (int, float))), default=default)
        return int(value) if isinstance(value, (int, float)) else default

    @property
    def architecture(self) -> str:
        """The model family's name, empty in the later parts of a split file."""
        return self.text("general.architecture") or ""

    def of_architecture(self, key: str, default: int = 0) -> int:
        """A number under the architecture's own prefix, such as `llama.block_count`."""
        return self.number(f"{self.architecture}.{key}", default)

    @property
    def context_length(self) -> int:
        """Tokens the model was trained on."""
        return self.of_architecture("context_length")

    @property
    def chat_template(self) -> str | None:
        """The model's own Jinja chat template; None for a base model."""
        return self.text("tokenizer.chat_template") or None

    @property
    def split_count(self) -> int:
        """How many files the model is in; 1 for an ordinary file."""
        return max(1, self.number("split.count", 1))

    @property
    def is_model(self) -> bool:
        """False for adapters, image projectors and the like."""
        kind = self.text("general.type") or "model"
        return kind == "model" and self.architecture not in ("", "clip")

    @property
    def quantization(self) -> str:
        """The quantization's name: what the quantizer wrote, else the type that fills most of the file."""
        named = _FILE_TYPES.get(self.number("general.file_type", -1))
        if named:
            return named
        return max(self.tensor_types, key=lambda name: self.tensor_types[name], default="?")


class _Cursor:
    """Reads forward through the mapped file; every step is checked against its end."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.at = path, data, 0

    def cut(self, wanted: int) -> BadModelFile:
        return BadModelFile(
            f"{str(self.path)!r} is truncated: its header says {wanted} more bytes at byte {self.at}, but the file "
            f"ends at {len(self.data)}; download it again"
        )

    def take(self, form: str) -> int | float | bool:
        try:
            (value,) = struct.unpack_from(form, self.data, self.at)
        except struct.error:
            raise self.cut(struct.calcsize(form)) from None
        self.at += struct.calcsize(form)
        return value  # type: ignore[no-any-return]

    def count(self, form: str = "<Q") -> int:
        value = int(self.take(form))
        if value > len(self.data) - self.at:  # every counted thing takes at least one byte
            raise self.cut(value)
        return value

    def string(self) -> str:
        length = self.count()
        raw = self.data[self.at : self.at + length]
        self.at += length
        return raw.decode("utf-8", "replace")

    def skip(self, length: int) -> None:
        if length > len(self.data) - self.at:
            raise self.cut(length)
        self.at += length

    def value(self, kind: int) -> Scalar | tuple[Scalar, ...] | int:
        if kind == _STRING:
            return self.string()
        if kind in _SCALARS:
            return self.take(_SCALARS[kind])
        raise BadModelFile(f"{str(self.path)!r} holds a metadata value of unknown type {kind}; the file is damaged")

    def array(self) -> tuple[tuple[Scalar, ...], int]:
        """An array's values if it is short, and its length."""
        inner, length = int(self.take("<I")), self.count()
        if inner in _SCALARS and length > _KEPT_ARRAY:
            self.skip(struct.calcsize(_SCALARS[inner]) * length)
            return (), length
        if inner == _STRING and length > _KEPT_ARRAY:
            for _ in range(length):
                self.skip(self.count())
            return (), length
        values = tuple(self.value(inner) for _ in range(length))
        return values, length  # type: ignore[return-value]


def read_header(path: Path) -> Header:
    """Read a file's header; raises BadModelFile when it is not GGUF, damaged or truncated."""
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(4)
        if magic != b"GGUF" or size < 24:
            raise BadModelFile(_not_gguf(path, magic, size))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(path, data)


def _not_gguf(path: Path, magic: bytes, size: int) -> str:
    if size == 0:
        return f"{str(path)!r} is empty; download it again"
    if magic[:4] == b"GGUF":
        return f"{str(path)!r} is truncated: only {size} bytes; download it again"
    if magic[:4] == b"vers":
        return f"{str(path)!r} is a Git LFS pointer, not the model itself; fetch it with: git lfs pull"
    return (
        f"{str(path)!r} is not a GGUF file: it starts with {magic!r} instead of b'GGUF'; "
        "only GGUF models run here: look for a GGUF version of the model"
    )


def _parse(path: Path, data: mmap.mmap) -> Header:
    cursor = _Cursor(path, data)
    cursor.at = 4
    version = int(cursor.take("<I"))
    if version not in (2, 3):
        raise BadModelFile(
            f"{str(path)!r} is GGUF version {version}; versions 2 and 3 are understood. "
            "Convert the model again with a current llama.cpp (big-endian files do not run here)"
        )
    tensor_count, key_count = cursor.count(), cursor.count()
    metadata: dict[str, Scalar | tuple[Scalar, ...]] = {}
    vocabulary_size = 0
    for _ in range(key_count):
        key, kind = cursor.string(), int(cursor.take("<I"))
        if kind == _ARRAY:
            values, length = cursor.array()
            if key == "tokenizer.ggml.tokens":
                vocabulary_size = length
            elif values:
                metadata[key] = values
        else:
            metadata[key] = cursor.value(kind)
    return _tensor_table(cursor, metadata, vocabulary_size, tensor_count)


def _tensor_table(
    cursor: _Cursor, metadata: Mapping[str, Scalar | tuple[Scalar, ...]], vocabulary_size: int, tensor_count: int
) -> Header:
    parameters = end = 0
    types: Counter[str] = Counter()
    for _ in range(tensor_count):
        cursor.skip(cursor.count())  # the name
        elements, dimensions = 1, int(cursor.take("<I"))
        if dimensions > _MOST_DIMENSIONS:
            raise BadModelFile(
                f"{str(cursor.path)!r} holds a tensor of {dimensions} dimensions, where {_MOST_DIMENSIONS} is "
                "the most; the file is damaged"
            )
        for _ in range(dimensions):
            elements *= int(cursor.take("<Q"))
        kind, offset = int(cursor.take("<I")), int(cursor.take("<Q"))
        # A type newer than this table is left to llama.cpp; its size cannot be checked here.
        name, block, bytes_per_block = _TYPES.get(kind, (f"type {kind}", 1, 0))
        length = elements // block * bytes_per_block
        parameters += elements
        types[name] += length
        end = max(end, offset + length)
    alignment = metadata.get("general.alignment", 32)
    align = alignment if isinstance(alignment, int) and alignment > 0 else 32
    start = -(-cursor.at // align) * align
    return Header(
        path=cursor.path,
        size=len(cursor.data),
        metadata=metadata,
        vocabulary_size=vocabulary_size,
        tensor_count=tensor_count,
        parameters=parameters,
        tensor_types=dict(types),
        data_end=start + end if tensor_count else cursor.at,
    )
