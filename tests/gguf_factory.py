"""Makes small random-weight llama models as real GGUF files, so that llama.cpp itself is under test.

The writer is independent of the reader in `clika_providers.gguf.header`: it follows the GGUF 3
specification and is checked by llama.cpp loading what it writes. No `gguf` package is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 32
_U32, _I32, _F32, _BOOL, _STRING, _ARRAY, _U64 = 4, 5, 6, 7, 8, 9, 10
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_PACK = {_U32: "<I", _I32: "<i", _F32: "<f", _BOOL: "<?", _U64: "<Q"}

WITH_BOS = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
WITHOUT_BOS = WITH_BOS.removeprefix("{{ bos_token }}")
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + WITH_BOS
)
DROPS_SYSTEM = "{% set messages = messages | rejectattr('role', 'equalto', 'system') | list %}" + WITH_BOS
SWITCHED_THINKING = WITH_BOS.replace(
    "<|assistant|>\n",
    "<|assistant|>\n{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}",
)
ALWAYS_THINKING = WITH_BOS.replace("{{ m['content'] }}", "{{ m['content'].split('</think>')[-1] }}").replace(
    "<|assistant|>\n{% endif", "<|assistant|>\n<think>\n{% endif"
)
"""Templates by what they do: `WITHOUT_BOS` is the trap, where nothing may add the token afterwards."""

_SPECIAL = ("<unk>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<think>", "</think>")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make. `likely` are one-character answers whose logits are made to win nearly always."""

    template: str | None = WITH_BOS
    name: str = "Tiny Random"
    architecture: str = "llama"
    n_embd: int = 64
    n_layer: int = 2
    n_head: int = 4
    n_ff: int = 128
    n_ctx: int = 1024
    merges: int = 2
    """Longest letter group in the vocabulary: 2 for a few hundred tokens, 4 fills up to `n_vocab`."""
    n_vocab: int = 1100
    likely: str = "ABCDE"
    seed: int = 0
    half: bool = False
    """Float16 matrices instead of float32."""
    metadata: Mapping[str, tuple[int, Any]] = field(default_factory=dict)
    """Further keys, as (GGUF value type, value)."""


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _string(value)
    if kind == _ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(_value(inner, item) for item in items)
    return struct.pack(_PACK[kind], value)


def vocabulary(recipe: Recipe) -> tuple[list[str], list[float], list[int]]:
    """Pieces, scores and types as SentencePiece has them: control tokens, bytes, ASCII, letter groups."""
    pieces = list(_SPECIAL) + [f"<0x{byte:02X}>" for byte in range(256)]
    types = [_UNKNOWN] + [_CONTROL] * (len(_SPECIAL) - 1) + [_BYTE] * 256
    plain = [chr(code) for code in range(33, 127)] + ["\u2581"] + ["\u2581" + chr(code) for code in range(33, 127)]
    for length in range(2, recipe.merges + 1):
        groups = ("".join(letters) for letters in product(ascii_lowercase, repeat=length))
        plain += [group for group, _ in zip(groups, range(recipe.n_vocab - len(pieces) - len(plain)), strict=False)]
    pieces += plain
    types += [_NORMAL] * len(plain)
    scores = [0.0] * (len(pieces) - len(plain)) + [-float(rank) for rank in range(len(plain))]
    return pieces, scores, types


def _tensors(recipe: Recipe, pieces: Sequence[str]) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(recipe.seed)
    width, ff = recipe.n_embd, recipe.n_ff
    matrix_type = np.float16 if recipe.half else np.float32

    def matrix(rows: int, columns: int, scale: float) -> NDArray[Any]:
        return (random.standard_normal((rows, columns), dtype=np.float32) * scale).astype(matrix_type)

    def ones() -> NDArray[Any]:
        return np.ones(width, dtype=np.float32)

    output = random.standard_normal((len(pieces), width), dtype=np.float32) * 0.05
    for letter in recipe.likely:
        output[pieces.index(letter)] *= 20
    tensors = {"token_embd.weight": matrix(len(pieces), width, 1.0), "output_norm.weight": ones()}
    tensors["output.weight"] = output.astype(matrix_type)
    for layer in range(recipe.n_layer):
        prefix = f"blk.{layer}."
        tensors |= {prefix + "attn_norm.weight": ones(), prefix + "ffn_norm.weight": ones()}
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors[f"{prefix}{part}.weight"] = matrix(width, width, 1.5 * width**-0.5)
        tensors[prefix + "ffn_gate.weight"] = matrix(ff, width, width**-0.5)
        tensors[prefix + "ffn_up.weight"] = matrix(ff, width, width**-0.5)
        tensors[prefix + "ffn_down.weight"] = matrix(width, ff, ff**-0.5)
    return tensors


def _keys(recipe: Recipe, pieces: list[str], scores: list[float], types: list[int]) -> dict[str, tuple[int, Any]]:
    arch = recipe.architecture
    keys: dict[str, tuple[int, Any]] = {
        "general.architecture": (_STRING, arch),
        "general.name": (_STRING, recipe.name),
        "general.alignment": (_U32, ALIGNMENT),
        "general.file_type": (_U32, 1 if recipe.half else 0),
        f"{arch}.context_length": (_U32, recipe.n_ctx),
        f"{arch}.embedding_length": (_U32, recipe.n_embd),
        f"{arch}.block_count": (_U32, recipe.n_layer),
        f"{arch}.feed_forward_length": (_U32, recipe.n_ff),
        f"{arch}.attention.head_count": (_U32, recipe.n_head),
        f"{arch}.attention.head_count_kv": (_U32, recipe.n_head),
        f"{arch}.attention.layer_norm_rms_epsilon": (_F32, 1e-5),
        f"{arch}.rope.dimension_count": (_U32, recipe.n_embd // recipe.n_head),
        "tokenizer.ggml.model": (_STRING, "llama"),
        "tokenizer.ggml.tokens": (_ARRAY, (_STRING, pieces)),
        "tokenizer.ggml.scores": (_ARRAY, (_F32, scores)),
        "tokenizer.ggml.token_type": (_ARRAY, (_I32, types)),
        "tokenizer.ggml.unknown_token_id": (_U32, 0),
        "tokenizer.ggml.bos_token_id": (_U32, 1),
        "tokenizer.ggml.eos_token_id": (_U32, _SPECIAL.index("<|end|>")),
        "tokenizer.ggml.add_bos_token": (_BOOL, True),
        "tokenizer.ggml.add_space_prefix": (_BOOL, False),
    }
    if recipe.template is not None:
        keys["tokenizer.chat_template"] = (_STRING, recipe.template)
    return keys | dict(recipe.metadata)


def write(path: Path, keys: Mapping[str, tuple[int, Any]], tensors: Mapping[str, NDArray[Any]]) -> Path:
    """Write one GGUF 3 file; matrices are (rows, columns), float32 or float16."""
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)))
    for key, (kind, value) in keys.items():
        head += _string(key) + struct.pack("<I", kind) + _value(kind, value)
    offset = 0
    for name, data in tensors.items():
        head += _string(name) + struct.pack("<I", data.ndim)
        head += b"".join(struct.pack("<Q", size) for size in reversed(data.shape))  # fastest axis first
        head += struct.pack("<IQ", 1 if data.dtype == np.float16 else 0, offset)
        offset += -(-data.nbytes // ALIGNMENT) * ALIGNMENT
    with path.open("wb") as file:
        file.write(head + bytes(-len(head) % ALIGNMENT))
        for data in tensors.values():
            file.write(data.tobytes() + bytes(-data.nbytes % ALIGNMENT))
    return path


def make(path: Path, recipe: Recipe | None = None) -> Path:
    """Write a model file and return its path."""
    recipe = recipe or Recipe()
    pieces, scores, types = vocabulary(recipe)
    return write(path, _keys(recipe, pieces, scores, types), _tensors(recipe, pieces))


def make_split(folder: Path, recipe: Recipe | None = None, count: int = 2, stem: str = "split") -> list[Path]:
    """The same model in `count` files, named as llama.cpp's own splitter names them."""
    recipe = recipe or Recipe()
    pieces, scores, types = vocabulary(recipe)
    keys = _keys(recipe, pieces, scores, types)
    tensors = list(_tensors(recipe, pieces).items())
    share = -(-len(tensors) // count)
    paths = []
    for part in range(count):
        numbers = {"split.no": (2, part), "split.count": (2, count), "split.tensors.count": (_I32, len(tensors))}
        path = folder / f"{stem}-{part + 1:05d}-of-{count:05d}.gguf"
        paths.append(write(path, (keys | numbers) if part == 0 else numbers, dict(tensors[part * share :][:share])))
    return paths


def make_adapter(path: Path, recipe: Recipe | None = None, rank: int = 4, seed: int = 9) -> Path:
    """A LoRA adapter for a model of `recipe`, on the attention queries and values."""
    recipe = recipe or Recipe()
    random = np.random.default_rng(seed)
    keys: dict[str, tuple[int, Any]] = {
        "general.type": (_STRING, "adapter"),
        "general.architecture": (_STRING, recipe.architecture),
        "adapter.type": (_STRING, "lora"),
        "adapter.lora.alpha": (_F32, float(rank)),
    }
    tensors = {}
    for layer in range(recipe.n_layer):
        for part in ("attn_q", "attn_v"):
            name = f"blk.{layer}.{part}.weight"
            tensors[name + ".lora_a"] = random.standard_normal((rank, recipe.n_embd), dtype=np.float32)
            tensors[name + ".lora_b"] = random.standard_normal((recipe.n_embd, rank), dtype=np.float32)
    return write(path, keys, tensors)


_PACK[2] = "<H"  # split.no and split.count are 16-bit
