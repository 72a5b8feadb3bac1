"""What this machine has to spare: cores for threads, memory for weights; and what a model will need."""

from __future__ import annotations

import os
from pathlib import Path

from clika_providers.gguf.errors import DoesNotFit
from clika_providers.gguf.files import ModelFile

UBATCH = 256
"""Tokens evaluated at once at most; larger buys nothing on a CPU and costs compute memory."""

_GIB = 2**30
_KV_BYTES = 2
"""Keys and values are kept as 16-bit floats."""


def free_cores() -> int:
    """Physical cores that are idle now and allowed to this process, at least 1.

    Two threads on one physical core, or on a busy one, are slower than a single thread: llama.cpp's
    threads wait for one another by spinning.
    """
    try:
        busy = round(os.getloadavg()[0])
    except (AttributeError, OSError):
        busy = 0
    return max(1, cores() - busy)


def cores() -> int:
    """Physical cores this process may use, busy or not."""
    return min(_physical_cores(), _allowed_cores())


def _allowed_cores() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _words("/sys/fs/cgroup/cpu.max")
    if len(quota) == 2 and quota[0].isdigit():
        allowed = min(allowed, max(1, int(quota[0]) // int(quota[1])))
    return allowed


def _physical_cores() -> int:
    logical = os.cpu_count() or 1
    seen = {
        tuple(tuple(_words(str(cpu / name))) for name in ("physical_package_id", "core_id"))
        for cpu in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology")
    }
    if seen:
        return min(logical, len(seen))
    return max(1, logical // 2 if os.name == "nt" else logical)


def _words(path: str) -> list[str]:
    try:
        return Path(path).read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def processor_flags() -> frozenset[str]:
    """What Linux says an x86 processor can do; empty elsewhere."""
    line = next((line for line in _lines("/proc/cpuinfo") if line.startswith("flags")), "")
    return frozenset(line.partition(":")[2].split())


def free_memory() -> int | None:
    """Bytes of memory this process may still take, page cache that can be dropped included; None if unknown."""
    free: int | None = None
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    if free is None and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # macOS: what there is at all
    limit, used = _words("/sys/fs/cgroup/memory.max"), _words("/sys/fs/cgroup/memory.current")
    if free is not None and limit and used and limit[0].isdigit():
        cached = sum(int(line.split()[1]) for line in _lines("/sys/fs/cgroup/memory.stat") if line[:5] == "file ")
        free = min(free, int(limit[0]) - int(used[0]) + cached)
    return free


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def cache_bytes(model: ModelFile, n_ctx: int) -> int:
    """Memory of the key-value cache for `n_ctx` tokens."""
    header = model.header
    heads = max(1, header.of_architecture("attention.head_count", 1))
    width = header.of_architecture("embedding_length")
    kv_heads = header.of_architecture("attention.head_count_kv", heads)
    key = header.of_architecture("attention.key_length", width // heads)
    value = header.of_architecture("attention.value_length", width // heads)
    return header.of_architecture("block_count") * n_ctx * kv_heads * (key + value) * _KV_BYTES


def estimate(model: ModelFile, n_ctx: int) -> int:
    """Bytes needed to run a model: weights, key-value cache and working memory."""
    header = model.header
    wide = 3 * header.of_architecture("feed_forward_length") + 8 * header.of_architecture("embedding_length")
    attention = header.of_architecture("attention.head_count", 1) * n_ctx * 2
    working = 4 * (UBATCH * (wide + attention) + 16 * header.vocabulary_size)
    return model.size + cache_bytes(model, n_ctx) + working + 64 * 2**20


def refuse_if_too_big(model: ModelFile, n_ctx: int, elsewhere: int = 0) -> None:
    """Raise DoesNotFit when the model cannot fit; `elsewhere` is memory of devices that take a share, in bytes."""
    free, need = free_memory(), estimate(model, n_ctx)
    if free is None or need <= free + elsewhere:
        return
    have = f"{free / _GIB:.1f} GiB are free" + (f" and {elsewhere / _GIB:.1f} GiB on devices" if elsewhere else "")
    raise DoesNotFit(
        f"{model.path.name!r} needs about {need / _GIB:.1f} GiB ({model.size / _GIB:.1f} GiB weights, "
        f"{cache_bytes(model, n_ctx) / _GIB:.1f} GiB for {n_ctx} tokens of context), {have}. "
        "Use a smaller quantization (Q4_K_M), a smaller model or a shorter --n-ctx, or close other programs"
    )
