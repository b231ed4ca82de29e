#!/bin/sh
# Makes the virtual environment DIRECTORY hold exactly what LOCK lists, or does nothing if it does already.
#
#   venv.sh DIRECTORY LOCK
#
# PYTHON chooses the interpreter; otherwise the first on PATH that is recent enough, those first that the whole
# set was tried with.

set -eu

directory=$1
lock=$2
stamp=$directory/installed
here=$(pwd -P)

suitable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        suitable "$PYTHON" && echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python3.14; do
        if suitable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# What is installed is known by the place (a virtual environment cannot be moved) and by the lock itself.
described() {
    echo "# in $here/$directory"
    cat "$lock"
}

if [ -x "$directory/bin/python" ] && described | cmp -s - "$stamp" && "$directory/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

if ! python=$(find_python); then
    echo "Python 3.11 or newer, with the modules venv and ensurepip, is needed (on Debian and Ubuntu: package python3-venv)." >&2
    echo "Found: ${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 || echo missing)." >&2
    echo "Another one is chosen with: make PYTHON=/path/to/python3 ..." >&2
    exit 1
fi

echo "Installing $lock into $directory ($("$python" --version)); this takes a minute ..." >&2
rm -rf "$directory"
mkdir -p build
log=build/venv-$(basename "$directory").log
# Not compiled: of the thousands of files in the ansible package few are ever imported.
if ! {
    "$python" -m venv "$directory" &&
        "$directory/bin/python" -m pip install --disable-pip-version-check --no-input --no-compile --requirement "$lock"
} >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "Installing $lock failed; the whole log is in $log." >&2
    exit 1
fi
described >"$stamp"
