#!/bin/sh
# Builds a small llama-cpp-python wheel for the CPU, once, and keeps it: tools/build_llama.sh [WHEELHOUSE]
#
# Only what local models use is compiled: 83 build steps instead of 193, a wheel of 7 MB instead of 15.
# The wheel runs on any x86-64 with AVX2 (or any arm64), not only on the machine that built it, so a folder
# of wheels can be kept by a CI or copied to a colleague. The source is checked against requirements/local.txt.
# Needs a C++ compiler. PYTHON chooses the interpreter whose pip is used.
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

export CMAKE_ARGS="-DLLAVA_BUILD=OFF -DGGML_NATIVE=OFF -DCMAKE_PROJECT_llama.cpp_INCLUDE=$work/lean.cmake ${CMAKE_ARGS:-}"
# Otherwise every library is packed twice, and headers that nobody includes.
export SKBUILD_WHEEL_EXCLUDE='lib/**;include/**'
# pip's own cache of built wheels does not know the settings above.
"$python" -m pip wheel --no-deps --no-cache-dir --require-hashes -r "$work/llama.txt" -w "$work/out"
mv "$work"/out/*.whl "$house"/
next "Built $(ls "$house"/llama_cpp_python-"$version"-*.whl)."
