#!/bin/sh
# Builds a small llama-cpp-python wheel for the CPU, once, and keeps it: tools/build_llama.sh [WHEELHOUSE]
#
# Only what local models use is compiled: 83 build steps instead of 193, a wheel of 7 MB instead of 15.
# The wheel runs on any x86-64 with AVX2 (or any arm64), not only on the machine that built it, so a folder
# of wheels can be kept by a CI or copied to a colleague. The source is checked against requirements/local.txt.
# Needs a C++ compiler. PYTHON chooses the interpreter whose pip is used.
#
# CPU_VARIANTS="x64 haswell icelake alderlake" builds the kernels once for each of these x86-64 processors (names as in
# llama.cpp's ggml/src/CMakeLists.txt), as modules of which the best is loaded when the program starts: icelake has
# AVX512-VNNI, alderlake AVX-VNNI, x64 runs anywhere. It takes two to three times as long. No variant with AMX is built
# unless named: some virtual machines announce it and crash.
set -eu
version=0.3.36
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/.." && pwd)
house=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/clika-client/wheels}
mkdir -p "$house"
house=$(cd "$house" && pwd)

next() {
    echo "$1"
    echo "Install it with: $python -m pip install --find-links '$house' llama-cpp-python==$version"
}

for wheel in "$house"/llama_cpp_python-"$version"-*.whl; do
    if [ -f "$wheel" ]; then
        next "Nothing to do: $wheel is there."
        exit 0
    fi
done
if ! command -v c++ >/dev/null && ! command -v "${CXX:-g++}" >/dev/null; then
    echo "No C++ compiler found. Debian and Ubuntu: apt install g++ cmake ninja-build; macOS: xcode-select --install" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
# llama.cpp's build forces its `common` library on; a plain variable of that name set before project() wins.
echo 'set(LLAMA_BUILD_COMMON OFF)' > "$work/lean.cmake"
awk '/^[^ #]/ { wanted = /^llama-cpp-python==/ } wanted' "$root/requirements/local.txt" > "$work/llama.txt"
grep -q "==$version " "$work/llama.txt" || { echo "requirements/local.txt does not pin $version" >&2; exit 2; }

settings="-DLLAVA_BUILD=OFF -DGGML_NATIVE=OFF -DCMAKE_PROJECT_llama.cpp_INCLUDE=$work/lean.cmake"
# Otherwise every library is packed twice, and headers that nobody includes.
export SKBUILD_WHEEL_EXCLUDE='lib/**;include/**;bin/**'
if [ -n "${CPU_VARIANTS:-}" ]; then
    "$python" -m pip download --no-deps --no-binary :all: --require-hashes -r "$work/llama.txt" -d "$work/source"
    tar -xzf "$work"/source/*.tar.gz -C "$work/source"
    set -- "$work"/source/llama_cpp_python-"$version"
    "$python" "$root/tools/llama_variants.py" "$1" $CPU_VARIANTS
    settings="$settings -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON -DCMAKE_INSTALL_BINDIR=llama_cpp/lib"
else
    set -- --require-hashes -r "$work/llama.txt"
fi
export CMAKE_ARGS="$settings ${CMAKE_ARGS:-}"
# pip's own cache of built wheels does not know the settings above.
"$python" -m pip wheel --no-deps --no-cache-dir "$@" -w "$work/out"
mv "$work"/out/*.whl "$house"/
next "Built $(ls "$house"/llama_cpp_python-"$version"-*.whl)."
