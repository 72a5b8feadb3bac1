"""Kernels that may crash are tried first, in a process of their own, once for each build and processor.

A build for one machine (`-march=native`, what pip makes by itself) may use matrix units (AMX) that some virtual
machines announce and do not have: the first evaluation then ends the program without a word.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from clika_providers.gguf.errors import MissingPackage
from clika_providers.gguf.remembered import remembered

_RISKY = "AMX"
_TRIAL = "import sys; from clika_providers.gguf.trial import trial; trial(sys.argv[1])"
_PATIENCE_S = 120.0


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
    from clika_providers.gguf.context import Settings
    from clika_providers.gguf.engine import Engine
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
