#!/bin/sh
# Everything that is to be known of a GPU, in one command: builds llama.cpp with CUDA, measures local models on it beside
# the CPU, and teaches the demo model in bfloat16. UNTESTED on a GPU: no machine with one was at hand.
#
#   tools/measure_gpu.sh SOURCE.tar.xz OUT [MODEL.gguf …]
#
# SOURCE is what `tools/build_llama_cuda.sh trim` made; OUT is a folder for figures and logs. Nothing is fetched. The
# Python in $PYTHON must have what clika and `build` need, and torch with CUDA for the teaching run; each step's failure
# is noted in OUT and does not keep the next from running. CUDA_ARCH as for the build: 90 for H100 and H200.
set -eu
[ $# -ge 2 ] || { sed -n '2,9p' "$0" | cut -c3- >&2; exit 2; }
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/.." && pwd)
source=$1 out=$2
shift 2
mkdir -p "$out"
out=$(cd "$out" && pwd)
PYTHONPATH=$root:$root/providers:$root/cache${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH PYTHON="$python"

step() {
    name=$1
    shift
    began=$(date +%s)
    if "$@" > "$out/$name.txt" 2> "$out/$name.log"; then state=done; else state="failed (see $name.log)"; fi
    echo "$name: $state, $(($(date +%s) - began)) s" | tee -a "$out/steps.txt"
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv > "$out/card.txt" 2>&1 || true
step build sh "$root/tools/build_llama_cuda.sh" build "$source" "$out/wheels"
step install sh -c "'$python' -m pip install --no-index --no-deps --force-reinstall '$out'/wheels/llama_cpp_python-*.whl"
step doctor "$python" -c "from clika_client.cli import main; main()" doctor
step local "$python" "$root/benchmarks/local.py" --gpu-layers all --n-sequences 1,8,32 ${1:+--models "$@"}
step teach "$python" -c "
from dataclasses import replace
from pathlib import Path
from clika_client.cli.teach_demo import DEMO_SETTINGS, teach_demo
teach_demo(Path('$out/taught'), settings=replace(DEMO_SETTINGS, dtype='bfloat16', device='cuda'))"
cat "$out/card.txt" "$out/local.txt" "$out/teach.txt"
