#!/bin/sh
# Builds llama-cpp-python with CUDA from a trimmed source tree, for machines with a GPU and no network.
# UNTESTED on a GPU: no machine with one was at hand. Trimming and configuring were tried with CUDA off.
#
#   tools/build_llama_cuda.sh trim SOURCE.tar.xz              where there is a network: fetch the source, keep 5 MB of 73
#   tools/build_llama_cuda.sh build SOURCE.tar.xz WHEELHOUSE  where the GPU is: nothing is fetched
#
# `build` needs the CUDA toolkit with cuBLAS (nvcc on the PATH), a C++ compiler, and for Python: cmake, ninja,
# scikit-build-core, pathspec, packaging; to run, also numpy, jinja2, markupsafe, typing-extensions, diskcache.
# CUDA_ARCH is the GPU's compute capability without the dot: 90 for H100 and H200, 89 for RTX 40, 86 for
# RTX 30. One architecture keeps the build to a few minutes on 16 cores.
set -eu
version=0.3.36
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/.." && pwd)

usage() {
    sed -n '2,7p' "$0" | cut -c3- >&2
    exit 2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

trim() {
    awk '/^[^ #]/ { wanted = /^llama-cpp-python==/ } wanted' "$root/requirements/local.txt" > "$work/llama.txt"
    "$python" -m pip download --no-deps --no-binary llama-cpp-python --require-hashes -r "$work/llama.txt" -d "$work"
    tar -xzf "$work"/llama_cpp_python-"$version".tar.gz -C "$work"
    tree=$work/llama_cpp_python-$version
    (
        cd "$tree"
        rm -rf .git .github docker docs examples scripts tests mkdocs.yml
        cd vendor/llama.cpp
        rm -rf .devops .git .github app benches ci conversion docs examples gguf-py grammars media models pocs requirements \
            scripts skills tests tools
        for backend in ggml/src/ggml-*/; do
            case $backend in
                */ggml-cpu/ | */ggml-cuda/ | */ggml-blas/) ;;
                *) rm -rf "$backend" ;;
            esac
        done
    )
    tar -C "$work" -cJf "$1" "llama_cpp_python-$version"
    echo "Wrote $1: $(du -h "$1" | cut -f1)"
}

build() {
    command -v nvcc >/dev/null || { echo "nvcc is not on the PATH: install the CUDA toolkit or load its module" >&2; exit 2; }
    tar -xf "$1" -C "$work"
    mkdir -p "$2"
    echo 'set(LLAMA_BUILD_COMMON OFF)' > "$work/lean.cmake"
    # Without VMM nothing is linked to the driver itself, which build machines do not have.
    export CMAKE_ARGS="-DGGML_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCH:-90} -DGGML_NATIVE=OFF -DGGML_CUDA_NCCL=OFF \
-DGGML_CUDA_NO_VMM=ON -DGGML_CCACHE=OFF -DLLAVA_BUILD=OFF -DCMAKE_PROJECT_llama.cpp_INCLUDE=$work/lean.cmake ${CMAKE_ARGS:-}"
    export SKBUILD_WHEEL_EXCLUDE='lib/**;include/**'
    export CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"
    "$python" -m pip wheel --no-deps --no-build-isolation --no-index -w "$2" "$work/llama_cpp_python-$version"
    echo "Install it with: $python -m pip install --no-index --no-deps $2/llama_cpp_python-$version-*.whl"
}

case "${1:-}" in
    trim) [ $# -eq 2 ] || usage; trim "$2" ;;
    build) [ $# -eq 3 ] || usage; build "$2" "$3" ;;
    *) usage ;;
esac
