#!/bin/sh
# Write the hashed locks: one file for every supported Python and platform, without a word about where from.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)
[ -x "$uv" ] || { echo "uv is needed to write locks: .venv/bin/pip install uv" >&2; exit 1; }
for name in base dev e2e; do
    UV_PYTHON_DOWNLOADS=never "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
        --output-file "requirements/$name.lock" "requirements/$name.in"
done
if grep -nE '://' requirements/*.lock; then
    echo "A lock names an address; it must not." >&2
    exit 1
fi
