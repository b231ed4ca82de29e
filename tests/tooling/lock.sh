#!/bin/sh
# Resolves the requirements of development anew: one set for every Python from 3.11 on, for Linux and macOS.
#
#   lock.sh SOURCE LOCK
#
# Versions already in LOCK are kept where they still fit, unless UPGRADE=1.

set -eu

source=$1
lock=$2
venv=build/venv-lock

if [ ! -x "$venv/bin/uv" ]; then
    .venv/bin/python -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
fi

"$venv/bin/uv" pip compile --quiet --universal --python-version 3.11 ${UPGRADE:+--upgrade} \
    --no-emit-index-url --no-emit-find-links --no-annotate \
    --custom-compile-command "make lock" \
    --output-file "$lock" "$source"
