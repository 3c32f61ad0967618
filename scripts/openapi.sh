#!/bin/sh
# Write docs/openapi.yaml from the code, or with --check say whether the two differ.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" != "--check" ]; then
    exec .venv/bin/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml
fi
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
.venv/bin/python manage.py spectacular --validate --fail-on-warn --file "$fresh"
if ! diff -u docs/openapi.yaml "$fresh"; then
    echo "docs/openapi.yaml is not what the code says. Write it anew: sh scripts/openapi.sh" >&2
    exit 1
fi
