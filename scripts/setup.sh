#!/bin/sh
# Make .venv and install a lock into it: `sh scripts/setup.sh [base|dev|e2e|bench]`. Free when nothing has changed.
set -eu
cd "$(dirname "$0")/.."

lock="requirements/${1:-base}.lock"
[ -f "$lock" ] || { echo "There is no $lock." >&2; exit 1; }

# Running an interpreter is the only test that sees through a version manager's dead entry.
find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c 'import sys; assert sys.version_info >= (3, 11)' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "Waybill needs Python 3.11 or later, and none was found. Install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
}

make_venv() {
    python=$(find_python)
    echo "Setting up .venv with $("$python" --version)"
    rm -rf .venv
    if ! "$python" -m venv .venv >.venv.log 2>&1; then
        cat .venv.log >&2
        rm -rf .venv .venv.log
        echo "This Python has no working venv module. On Debian and Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
    rm -f .venv.log
}

install() {
    if command -v uv >/dev/null 2>&1 &&
        UV_PYTHON_DOWNLOADS=never uv pip install --quiet --python .venv/bin/python --require-hashes -r "$lock" 2>/dev/null; then
        return
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$lock"
}

digest() {
    .venv/bin/python -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}

# A venv whose interpreter has gone, or that is older than asked for by PYTHON, is made anew.
if ! .venv/bin/python -c 'import sys; assert sys.version_info >= (3, 11)' >/dev/null 2>&1; then
    make_venv
elif [ -n "${PYTHON:-}" ]; then
    wanted=$("$PYTHON" -c 'import sys; print(sys.version_info[:2])')
    present=$(.venv/bin/python -c 'import sys; print(sys.version_info[:2])')
    [ "$wanted" = "$present" ] || make_venv
fi

# A larger lock holds the smaller one, so having it is enough.
case "$lock" in
    */base.lock) enough="base dev e2e bench" ;;
    */dev.lock) enough="dev e2e bench" ;;
    *) enough=$(basename "$lock" .lock) ;;
esac
for name in $enough; do
    stamp=".venv/.installed-$name"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(digest "requirements/$name.lock")" ]; then
        exit 0
    fi
done

echo "Installing $lock (checked by hash)"
install
digest "$lock" >".venv/.installed-$(basename "$lock" .lock)"
