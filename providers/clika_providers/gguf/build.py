"""Says what the installed llama.cpp build can do, for `clika doctor`."""

from __future__ import annotations

from dataclasses import dataclass

from clika_providers.gguf import hardware as machine
from clika_providers.gguf import llama_cpp as native
from clika_providers.gguf.errors import MissingPackage
from clika_providers.types import Json

_FAST = ("AVX2", "AVX512", "NEON", "AMX_INT8", "SVE")


@dataclass(frozen=True, slots=True)
class _Advice:
    when: bool
    text: str


def describe_build() -> dict[str, Json]:
    """What is installed: version, CPU features, devices, threads that would be used, and advice; never raises.

    `installed` is False, with the reason under `problem`, where local models cannot run.
    """
    try:
        lib = native.library()
    except MissingPackage as error:
        return {"installed": False, "problem": str(error)}
    described = lib.llama_print_system_info().decode("utf-8", "replace")
    features = _features(described)
    found = native.devices()
    offload = bool(lib.llama_supports_gpu_offload())
    threads = machine.free_cores()
    return {
        "installed": True,
        "version": native.package_version(),
        "cpu_features": [name for name, on in features.items() if on],
        "cpu_unused": unused(machine.processor_flags(), features),
        "gpu_offload": offload,
        "devices": [
            {"name": d.name, "description": d.description, "kind": d.kind, "free": d.free, "total": d.total}
            for d in found
        ],
        "threads": threads,
        "free_memory": machine.free_memory(),
        "advice": [one.text for one in _advice(features, found, offload, threads) if one.when],
    }


_FLAGS = {
    "fma": "FMA", "f16c": "F16C", "bmi2": "BMI2", "avx": "AVX", "avx2": "AVX2", "avx_vnni": "AVX_VNNI",
    "avx512f": "AVX512", "avx512_vbmi": "AVX512_VBMI", "avx512_vnni": "AVX512_VNNI", "avx512_bf16": "AVX512_BF16",
    "amx_int8": "AMX_INT8", "amx_tile": "AMX_TILE",
}  # fmt: skip
"""What Linux calls a part of an x86 processor → what llama.cpp calls it, where llama.cpp has kernels for it."""
_FASTER = {"AVX512_VNNI", "AVX_VNNI", "AVX2"}


def unused(flags: frozenset[str], features: dict[str, bool]) -> list[Json]:
    """What the processor has and the loaded kernels leave aside, in llama.cpp's names."""
    return [name for flag, name in _FLAGS.items() if flag in flags and not features.get(name)]


def _features(described: str) -> dict[str, bool]:
    """`CPU : AVX2 = 1 | OPENMP = 1 | ` as a table."""
    features: dict[str, bool] = {}
    for part in described.replace(":", "|").split("|"):
        name, equals, value = part.partition("=")
        if equals:
            features[name.strip()] = value.strip() not in ("0", "")
    return features


def _advice(features: dict[str, bool], found: list[native.Device], offload: bool, threads: int) -> list[_Advice]:
    return [
        _Advice(
            not any(features.get(name) for name in _FAST),
            "This build uses no vector instructions of your CPU: build again without a CMAKE_ARGS that turns them off.",
        ),
        _Advice(
            bool(_FASTER & set(map(str, unused(machine.processor_flags(), features)))),
            "This processor has instructions that the build leaves unused: kernels for several processors in one wheel "
            'go up to 1.5 times faster: CPU_VARIANTS="x64 haswell icelake alderlake" tools/build_llama.sh, see '
            "docs/local-models.md.",
        ),
        _Advice(
            not offload,
            "This build computes on the CPU only. With a GPU, build with -DGGML_CUDA=ON, -DGGML_VULKAN=ON or "
            "(on a Mac) -DGGML_METAL=ON: see docs/local-models.md.",
        ),
        _Advice(
            offload and not any(device.is_gpu for device in found),
            "This build can use a GPU but sees none: check the driver and CUDA_VISIBLE_DEVICES.",
        ),
        _Advice(
            threads == 1 and machine.cores() > 1,
            "Other programs keep the cores busy, so one thread would be used: close them, or set --threads.",
        ),
    ]
