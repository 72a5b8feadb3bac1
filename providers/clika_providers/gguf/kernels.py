"""The processor's kernels: loaded where a build brings several variants of them, and tried where they may crash.

A build with loadable variants (`tools/build_llama.sh`) has no kernels until one is chosen for this processor; ggml
chooses the best that the processor says it can run. A build for one machine (`-march=native`, what pip makes by itself)
may use matrix units (AMX) that some virtual machines announce and do not have: the first evaluation then ends the
program without a word. Such a build is tried in a process of its own first, once for each build and processor.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from clika_providers.gguf.errors import MissingPackage
from clika_providers.gguf.remembered import remembered

_RISKY = "AMX"
_TRIAL = "import sys; from clika_providers.gguf.kernels import trial; trial(sys.argv[1])"
_PATIENCE_S = 120.0


def load_variants(lib: Any) -> None:
    """Load the kernels for this processor where the build has none in it; raises MissingPackage where none fits.

    Through the handle of libllama itself: a wheel holds each library under several names, and one that is opened by
    another name has a registry of its own.
    """
    handle = lib.llama_cpp._lib
    try:
        handle.ggml_backend_reg_count.restype = ctypes.c_size_t
        count, load = handle.ggml_backend_reg_count, handle.ggml_backend_load_all_from_path
    except AttributeError:  # an older build, which has its kernels in it
        return
    if count():
        return
    folder = Path(lib.__file__).parent / "lib"
    load.restype, load.argtypes = None, [ctypes.c_char_p]
    load(os.fsencode(folder))
    if not count():
        raise MissingPackage(
            f"none of the kernels in {folder} runs on this processor: build llama-cpp-python on this machine "
            "(tools/build_llama.sh), or run the model in Ollama or llama-server and use it from there."
        )


def refuse_crashing(model: Path, build: str) -> None:
    """Raise MissingPackage where kernels that may crash do so on this machine; others are not tried."""
    if _RISKY not in build:
        return
    died = remembered("gguf-kernels", f"{build} {_processor()}", lambda: _try(model))
    if died:
        raise MissingPackage(
            f"this build of llama.cpp crashes on this machine (signal {died}): it uses {_RISKY}, which the processor "
            "announces and does not have, as in some virtual machines. Build one that runs everywhere: "
            "tools/build_llama.sh, or CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall --no-cache-dir "
            "llama-cpp-python"
        )


def _try(model: Path) -> int:
    """The signal that ended an evaluation in a process of its own; 0 where it ended well, or told its own error."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TRIAL, str(model)], capture_output=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return max(0, -done.returncode)


def trial(model: str) -> None:
    """Load a model and evaluate a few tokens: what a crash would happen in."""
    from clika_providers.gguf.engine import Engine, Settings
    from clika_providers.gguf.files import open_model

    engine = Engine(open_model(Path(model)), Settings(n_ctx_limit=64, n_threads=1))
    engine.evaluate([engine.boundary()] * 40)
    engine.close()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
