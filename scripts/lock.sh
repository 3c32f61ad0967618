#!/bin/sh
# Write the hashed locks: one file for every supported Python and platform, without a word about where from.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)
[ -x "$uv" ] || { echo "uv is needed to write locks: .venv/bin/pip install uv" >&2; exit 1; }
compile() {
    name=$1
    shift
    UV_PYTHON_DOWNLOADS=never "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$@" \
        --output-file "requirements/$name.lock" "requirements/$name.in"
}
for name in base dev e2e; do
    compile "$name"
done
# What is measured is what is tested: peers may add packages, but change no version.
compile bench --constraint requirements/dev.lock
if grep -nE '://' requirements/*.lock; then
    echo "A lock names an address; it must not." >&2
    exit 1
fi
