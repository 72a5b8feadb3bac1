"""The processor's kernels, where a build brings several variants of them as modules.

Such a build (`tools/build_llama.sh`) has no kernels until one is chosen for this processor; ggml chooses the best that
the processor says it can run.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from clika_providers.gguf.errors import MissingPackage


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
            "(tools/build_llama.sh), or run the model in Ollama or llama-server and use it from there"
        )
