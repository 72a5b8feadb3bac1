#!/bin/sh
# Resolve the requirement files again. Needs uv; extra arguments go to it (such as --find-links for torch).
# Requirements format with hashes and no addresses: a lock must not say where a machine gets its packages.
set -eu
cd "$(dirname "$0")/.."
common="--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --python-version 3.11 -q --upgrade"
uv pip compile $common pyproject.toml -o requirements/core.txt "$@"
uv pip compile $common requirements/build.in -o requirements/build.txt "$@"
uv pip compile $common pyproject.toml requirements/dev.in -c requirements/core.txt -c requirements/build.txt -o requirements/dev.txt "$@"
uv pip compile $common requirements/local.in -c requirements/core.txt -o requirements/local.txt "$@"
# The sources of atlas on their own: holidays caps python-dateutil below what the core would take.
uv pip compile $common requirements/atlas.in -o requirements/atlas.txt "$@"
uv pip compile $common requirements/audit.in -o requirements/audit.txt "$@"
uv pip compile $common requirements/teach.in --no-emit-package torch -c requirements/dev.txt -o requirements/teach.txt "$@"
