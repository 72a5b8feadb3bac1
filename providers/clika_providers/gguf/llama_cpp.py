"""The edge to llama.cpp: loading the library and models, its log kept quiet, its batches filled.

The only file that deals in C structures. llama.cpp's log is not printed; while something is loaded it is
listened to, so that the reason of a failure reaches the user.
"""

from __future__ import annotations

import atexit
import ctypes
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from clika_providers.gguf.errors import BadModelFile, MissingPackage
from clika_providers.gguf.kernels import load_variants
from clika_providers.install import install_hint

_ERROR = 4
_CONTINUED = 5
INSTALL = install_hint("local")


@dataclass(slots=True)
class Said:
    """What llama.cpp said of errors while it was listened to."""

    lines: list[str] = field(default_factory=list)

    def reason(self) -> str:
        """The first error in one line: the later ones only say that loading failed."""
        text = "".join(self.lines).strip()
        first = next((line for line in text.splitlines() if line.strip()), "no reason given")
        return first.partition(": ")[2] or first


_listeners: list[Said] = []
_lock = threading.Lock()


def package_version() -> str:
    """The version of llama-cpp-python, without importing it; raises MissingPackage."""
    try:
        return version("llama-cpp-python")
    except PackageNotFoundError:
        raise MissingPackage(
            f"GGUF models need the package llama-cpp-python. Install it with: {INSTALL} (a C++ compiler and 3 to 10 "
            "minutes), or run the model in Ollama, llama-server or LM Studio and use it from there"
        ) from None


@cache
def library() -> ModuleType:
    """llama_cpp, imported once and made silent; raises MissingPackage."""
    package_version()
    try:
        import llama_cpp
        from llama_cpp import _logger, _utils
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingPackage(
            f"llama-cpp-python is installed but does not load: {error}. Build it again on this machine: "
            "pip install --force-reinstall --no-cache-dir llama-cpp-python"
        ) from None
    lib: ModuleType = llama_cpp
    _logger.set_verbose(False)
    lib.llama_log_set(_callback(lib), None)
    lib.llama_backend_init()
    load_variants(lib)
    for opened in (_utils.outnull_file, _utils.errnull_file):
        atexit.register(opened.close)  # it opens them at import and leaves them to a warning at the end
    return lib


@cache
def _callback(lib: ModuleType) -> Any:
    level_before = 0

    def hear(level: int, text: bytes, _: object) -> None:
        nonlocal level_before
        level = level_before if level == _CONTINUED else level
        level_before = level
        if level == _ERROR:
            with _lock:
                for said in _listeners:
                    said.lines.append(text.decode("utf-8", "replace"))

    return lib.llama_log_callback(hear)  # cached: llama.cpp keeps the pointer


def instruction_set() -> str:
    """What the loaded kernels use of the processor and of devices, such as `CPU: AVX2 F16C FMA LLAMAFILE REPACK`.

    Two builds of one version, or one build on two processors, compute other bits where this differs.
    """
    described = library().llama_print_system_info().decode("utf-8", "replace")
    words = []
    for part in described.split("|"):
        backend, colon, setting = part.rpartition(":")
        name, _, value = setting.partition("=")
        if colon:
            words.append(f"{backend.strip()}:")
        if name.strip() and value.strip() != "0":
            words.append(name.strip() if value.strip() == "1" else f"{name.strip()}={value.strip()}")
    return " ".join(word for word in words if word != "OPENMP")


@contextmanager
def listening() -> Iterator[Said]:
    """Collect llama.cpp's error messages."""
    said = Said()
    with _lock:
        _listeners.append(said)
    try:
        yield said
    finally:
        with _lock:
            _listeners.remove(said)


def load_model(path: Path, n_gpu_layers: int) -> Any:
    """Load weights; raises BadModelFile with llama.cpp's reason."""
    lib = library()
    params = lib.llama_model_default_params()
    params.n_gpu_layers = 0x7FFFFFFF if n_gpu_layers < 0 else n_gpu_layers
    with listening() as said:
        model = lib.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        reason = said.reason()
        cure = ""
        if "unknown model architecture" in reason:
            cure = (
                f" llama-cpp-python {package_version()} does not know this kind of model: "
                "try a newer release, or run it in a current Ollama or llama-server."
            )
        raise BadModelFile(f"llama.cpp cannot load {str(path)!r}: {reason}.{cure}")
    return model


def load_adapter(model: Any, path: Path) -> Any:
    """Load a LoRA adapter for a loaded model; raises BadModelFile with llama.cpp's reason."""
    with listening() as said:
        adapter = library().llama_adapter_lora_init(model, str(path).encode())
    if not adapter:
        raise BadModelFile(f"llama.cpp cannot use the adapter {str(path)!r}: {said.reason()}")
    return adapter


def use_adapter(context: Any, adapter: Any) -> None:
    """Apply one adapter at full strength."""
    lib = library()
    adapters = (lib.llama_adapter_lora_p_ctypes * 1)(adapter)
    scales = (ctypes.c_float * 1)(1.0)
    if lib.llama_set_adapters_lora(context, adapters, 1, scales):
        raise BadModelFile("llama.cpp refused the adapter for this model")


class Batch:
    """A llama_batch of fixed capacity, filled anew for each call."""

    def __init__(self, capacity: int, sequences: int = 1) -> None:
        self.capacity = capacity
        self.raw = library().llama_batch_init(capacity, 0, sequences)

    def fill_one(self, tokens: Sequence[int], at: int, *, last: bool, every: bool = False) -> None:
        """Tokens of sequence 0 from position `at`; logits for every token, the last, or none."""
        self.clear()
        for offset, token in enumerate(tokens):
            self.add(token, at + offset, 0, every)
        if last:
            self.raw.logits[len(tokens) - 1] = 1

    def clear(self) -> None:
        """Empty the batch."""
        self.raw.n_tokens = 0

    def add(self, token: int, position: int, sequence: int, logits: bool, also: Sequence[int] = ()) -> int:
        """Append one token, shared with the sequences of `also`, and return its index.

        The capacity is the caller's to respect, and checked.
        """
        n = self.raw.n_tokens
        if n >= self.capacity:
            raise IndexError(f"batch of {self.capacity} tokens is full")  # llama.cpp would write past its end
        raw = self.raw
        raw.token[n], raw.pos[n], raw.logits[n] = token, position, logits
        raw.n_seq_id[n] = 1 + len(also)
        raw.seq_id[n][0] = sequence
        for at, other in enumerate(also, 1):
            raw.seq_id[n][at] = other
        raw.n_tokens = n + 1
        return int(n)

    def free(self) -> None:
        """Give the memory back."""
        library().llama_batch_free(self.raw)


@dataclass(frozen=True, slots=True)
class Device:
    """Something llama.cpp can compute on; memory in bytes."""

    name: str
    description: str
    kind: str
    """`cpu`, `gpu`, `igpu` (shares the machine's memory) or `accelerator` (such as BLAS)."""
    free: int
    total: int

    @property
    def is_gpu(self) -> bool:
        """Whether layers can be put on it."""
        return self.kind in ("gpu", "igpu")


_KINDS = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accelerator"}


def devices() -> list[Device]:
    """The devices the installed build sees; only the CPU where the build cannot list them."""
    library()
    try:
        ggml = _ggml()
        ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
        ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
        ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
        for name, kind in (("name", ctypes.c_char_p), ("description", ctypes.c_char_p), ("type", ctypes.c_int)):
            function = getattr(ggml, f"ggml_backend_dev_{name}")
            function.restype, function.argtypes = kind, [ctypes.c_void_p]
        sizes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]
        ggml.ggml_backend_dev_memory.restype, ggml.ggml_backend_dev_memory.argtypes = None, sizes
        return [_device(ggml, ggml.ggml_backend_dev_get(at)) for at in range(ggml.ggml_backend_dev_count())]
    except (ImportError, AttributeError, OSError):
        return [Device("CPU", "", "cpu", 0, 0)]


def _ggml() -> Any:
    """The library with ggml's functions: libllama's own handle where that finds them, so that its registry is asked."""
    handle = library().llama_cpp._lib
    if hasattr(handle, "ggml_backend_dev_count"):
        return handle
    from llama_cpp._ggml import libggml

    return libggml


def _device(ggml: Any, handle: int) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
    name, description = ggml.ggml_backend_dev_name(handle), ggml.ggml_backend_dev_description(handle)
    kind = _KINDS.get(ggml.ggml_backend_dev_type(handle), "accelerator")
    return Device(name.decode(errors="replace"), description.decode(errors="replace"), kind, free.value, total.value)
