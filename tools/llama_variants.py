"""Prepares a source tree of llama-cpp-python for kernels as modules: tools/llama_variants.py FOLDER VARIANT...

Leaves only the named variants of the x86 kernels to be built, of 14, and lets the package load those that fit when it
is imported: by itself llama.cpp looks for them beside the interpreter.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_VARIANT = re.compile(r"^ *ggml_add_cpu_backend_variant\((\w+)[ )].*\n", re.MULTILINE)
_X86 = re.compile(r'GGML_SYSTEM_ARCH STREQUAL "x86".*?(?=\n *elseif)', re.DOTALL)
_OPENED = "_lib = load_shared_library(_lib_base_name, _base_path)\n"
_LOADS = """
# Kernels are modules beside this library. Through its own handle: under another name a second registry would be opened.
# Without a word: by default the file that was chosen is written to standard error.
_quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
_lib.ggml_log_set(_quiet, None)
_lib.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
_lib.ggml_backend_load_all_from_path.restype = None
_lib.ggml_backend_load_all_from_path(os.fsencode(_base_path))
_lib.ggml_log_set(None, None)
"""


def main() -> None:
    """Change the tree; ends with a sentence when it does not look as expected."""
    folder, *wanted = sys.argv[1:]
    listed = Path(folder) / "vendor/llama.cpp/ggml/src/CMakeLists.txt"
    text = listed.read_text("utf-8")
    part = next((found for found in _X86.finditer(text) if _VARIANT.search(found[0])), None)
    if part is None:
        sys.exit(f"{listed}: no list of x86 variants; this release of llama.cpp builds them otherwise")
    known = _VARIANT.findall(part[0])
    if not set(wanted) <= set(known):
        sys.exit(f"no such variant: {', '.join(sorted(set(wanted) - set(known)))}; there are {', '.join(known)}")
    kept = _VARIANT.sub(lambda found: found[0] if found[1] in wanted else "", part[0])
    listed.write_text(text.replace(part[0], kept), "utf-8")

    bindings = Path(folder) / "llama_cpp/llama_cpp.py"
    text = bindings.read_text("utf-8")
    if _OPENED not in text:
        sys.exit(f"{bindings}: the library is opened otherwise than expected; this release is not known")
    bindings.write_text(text.replace(_OPENED, _OPENED + _LOADS), "utf-8")


if __name__ == "__main__":
    main()
